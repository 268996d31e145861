/* SPDX-License-Identifier: MIT
 * The grammar of JSON numbers (RFC 8259, section 6). */
#include "json.h"

static size_t
skip_digits(const char *text, size_t len, size_t i)
{
    while (i < len && text[i] >= '0' && text[i] <= '9')
        i++;
    return i;
}

bool
rlk_json_is_number(const char *text, size_t len)
{
    size_t i = len > 0 && text[0] == '-', end = skip_digits(text, len, i);
    if (end == i || (end > i + 1 && text[i] == '0'))
        return false;
    if (end < len && text[end] == '.') {
        i = end + 1;
        end = skip_digits(text, len, i);
        if (end == i)
            return false;
    }
    if (end < len && (text[end] == 'e' || text[end] == 'E')) {
        i = end + 1;
        if (i < len && (text[i] == '+' || text[i] == '-'))
            i++;
        end = skip_digits(text, len, i);
        if (end == i)
            return false;
    }
    return end == len;
}
