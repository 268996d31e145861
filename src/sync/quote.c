/* SPDX-License-Identifier: MIT
 * What libyaml takes for the end of a line (also U+0085, U+2028 and U+2029) or
 * for no text at all (control characters, a byte order mark) is escaped,
 * everywhere: one such character would end a comment, or spoil the file. */
#include "sync/quote.h"

#include <string.h>
#include <strings.h>

static uint32_t
decode(const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text;
    if (n == 1)
        return p[0];
    uint32_t c = p[0] & (0xFFU >> (n + 1));
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (p[i] & 0x3F);
    return c;
}

static bool
is_unprintable(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029 ||
           c == 0xFEFF || c == 0xFFFE || c == 0xFFFF ||
           (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

/* One character; answers how many bytes it was. */
static size_t
add_character(struct rlk_buf *buf, const char *text, size_t len, bool quoted)
{
    size_t n = rlk_utf8_length(text, len);
    if (n == 0) {
        rlk_buf_text(buf, "\xEF\xBF\xBD");
        return 1;
    }
    uint32_t c = decode(text, n);
    if (is_unprintable(c))
        rlk_buf_format(buf, c < 0x100 ? "\\x%02x" : "\\u%04x", c);
    else if (quoted && (c == '"' || c == '\\'))
        rlk_buf_format(buf, "\\%c", (char)c);
    else
        rlk_buf_add(buf, text, n);
    return n;
}

/* A letter, then nothing that YAML has a use for; and no word that some reader
 * of YAML takes for another value. */
static bool
is_plain(const char *text, size_t len)
{
    static const char *const words[] = {"true", "false", "null", "yes",
                                        "no",   "on",    "off"};
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ_/";
    static const char more[] = "0123456789.-";
    if (len == 0 || !strchr(letters, text[0]) || !text[0])
        return false;
    for (size_t i = 0; i < len; i++)
        if (!text[i] || (!strchr(letters, text[i]) && !strchr(more, text[i])))
            return false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (len == strlen(words[i]) && strncasecmp(text, words[i], len) == 0)
            return false;
    return true;
}

void
rlk_buf_yaml(struct rlk_buf *buf, const char *text, size_t len)
{
    if (is_plain(text, len)) {
        rlk_buf_add(buf, text, len);
        return;
    }
    rlk_buf_char(buf, '"');
    for (size_t i = 0; i < len;)
        i += add_character(buf, text + i, len - i, true);
    rlk_buf_char(buf, '"');
}

void
rlk_buf_comment(struct rlk_buf *buf, const char *text, size_t len, size_t most)
{
    size_t i = 0;
    for (size_t n = 0; i < len && n < most; n++)
        i += add_character(buf, text + i, len - i, false);
    if (i < len)
        rlk_buf_text(buf, "...");
}
