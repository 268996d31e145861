/* SPDX-License-Identifier: MIT
 * What the line of progress says, and what it leaves out where there is no
 * room. No I/O. */
#include <stdio.h>
#include <string.h>

#include "cli/progress.h"
#include "cli/speak.h"

int
rlk_count_print(uint64_t n, char ret_text[RLK_COUNT_TEXT])
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    int out = 0;
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            ret_text[out++] = ',';
        ret_text[out++] = digits[i];
    }
    ret_text[out] = 0;
    return out;
}

/* The url in a reason ('http://...') is long, and known. */
static void
add_reason(struct rlk_buf *buf, const char *why)
{
    const char *start = strstr(why, "'http");
    const char *end = start ? strchr(start + 1, '\'') : NULL;
    if (!end) {
        rlk_buf_visible(buf, why);
        return;
    }
    char rest[256];
    size_t len = (size_t)(start - why);
    end += 1;
    if (len == 0)
        end += strspn(end, " ");
    else if (why[len - 1] == ' ')
        len--;
    snprintf(rest, sizeof rest, "%.*s%s", (int)len, why, end);
    rlk_buf_visible(buf, rest);
}

/* "" when nothing is waited for. A record goes first: who holds it can be
 * asked. */
static void
add_wait(struct rlk_buf *buf, const struct rlk_progress_state *s)
{
    char text[32];
    if (s->held[0]) {
        rlk_buf_visible(buf, s->held);
        return;
    }
    if (!s->again_ms)
        return;
    if (s->again_ms < 60000) /* counts down, to 1 */
        snprintf(text, sizeof text, "%d s", (int)((s->again_ms + 999) / 1000));
    else
        rlk_duration_print(s->again_ms + 59999, text, sizeof text);
    rlk_buf_format(buf, "asking again in %s: ", text);
    add_reason(buf, s->why);
}

enum part { RECORDS = 1, RATE = 2, PAGES = 4 };

static void
add_numbers(struct rlk_buf *buf, const struct rlk_progress_state *s, int parts)
{
    char text[RLK_COUNT_TEXT];
    if (parts & RECORDS) {
        rlk_count_print(s->records, text);
        rlk_buf_format(buf, "%s record%s", text, s->records == 1 ? "" : "s");
    }
    if (parts & RATE && s->records && s->elapsed_ms > 0) {
        rlk_count_print(s->records * 1000 / (uint64_t)s->elapsed_ms, text);
        rlk_buf_format(buf, ", %s a second", text);
    }
    if (parts & PAGES && s->pages) {
        rlk_count_print(s->pages, text);
        rlk_buf_format(buf, ", %s page%s", text, s->pages == 1 ? "" : "s");
    }
}

/* At most width characters, the last of them dots where some are missing. */
static void
add_cut(struct rlk_buf *ret, const char *text, size_t width)
{
    bool whole = rlk_width(text) <= width;
    size_t left = whole ? width : width > 3 ? width - 3 : width;
    for (; *text; text++) {
        bool first = ((unsigned char)*text & 0xC0) != 0x80;
        if (first && left == 0)
            break;
        left -= first;
        rlk_buf_char(ret, *text);
    }
    if (!whole && width > 3)
        rlk_buf_text(ret, "...");
}

void
rlk_progress_line(const struct rlk_progress_state *s, int columns,
                  struct rlk_buf *ret)
{
    static const int tries[] = {RECORDS | RATE | PAGES, RECORDS | PAGES,
                                RECORDS, 0};
    struct rlk_buf RLK_AUTOBUF line = {0}, wait = {0};
    size_t width = columns > 1 ? (size_t)columns - 1 : 1;
    add_wait(&wait, s);
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        if (!tries[i] && !wait.len)
            break;
        rlk_buf_clear(&line);
        add_numbers(&line, s, wait.len ? tries[i] & ~RATE : tries[i]);
        rlk_buf_format(&line, "%s%s", line.len && wait.len ? "; " : "",
                       wait.len ? wait.ptr : "");
        if (!line.failed && rlk_width(line.ptr) <= width)
            break;
    }
    if (!line.failed)
        add_cut(ret, line.ptr, width);
}
