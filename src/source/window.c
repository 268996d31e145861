/* SPDX-License-Identifier: MIT
 * The window of window.h. It doubles when a record does not fit, so that one of
 * n bytes is moved a bounded number of times. */
#include "window.h"

#include <string.h>

#include "json.h"

static void
drop(struct rlk_window *w, size_t used)
{
    memmove(w->text, w->text + used, w->len - used);
    w->base += used;
    w->len -= used;
    w->pos -= used;
}

int
rlk_window_feed(struct rlk_window *w, size_t used, const char *bytes,
                size_t len, rowlock_error *err)
{
    if (w->text)
        drop(w, used);
    size_t need = w->len + len + RLK_JSON_PADDING;
    if (need > w->cap) {
        char *text = rlk_reallocarray(w->text, need, 2);
        if (!text)
            return rlk_out_of_memory(err);
        w->text = text;
        w->cap = need * 2;
    }
    memcpy(w->text + w->len, bytes, len);
    w->len += len;
    memset(w->text + w->len, 0, RLK_JSON_PADDING);
    return 0;
}

void
rlk_window_done(struct rlk_window *w)
{
    rlk_free(w->text);
    w->text = NULL;
}

bool
rlk_window_pass_mark(struct rlk_window *w)
{
    static const char mark[] = "\xEF\xBB\xBF";
    if (w->bom_seen || w->len == 0)
        return w->len == 0;
    size_t n = w->len < 3 ? w->len : 3;
    if (memcmp(w->text, mark, n) == 0) {
        if (n < 3)
            return true;
        w->pos = 3;
    }
    w->bom_seen = true;
    return false;
}

void
rlk_window_place(const struct rlk_window *w, rowlock_error *err)
{
    rlk_context(err, "line %llu, byte %llu", (unsigned long long)w->line,
                (unsigned long long)(w->base + w->pos + 1));
}
