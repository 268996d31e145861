/* SPDX-License-Identifier: MIT
 * The count of total.h. What a later try may find well (the list changed) is
 * 08006, as a server that is away; a total that is wrong by itself is not. */
#include "total.h"

#include <stdlib.h>
#include <string.h>

#include "body.h"

enum { MOST_DIGITS = 15 };

void
rlk_total_done(struct rlk_total *t)
{
    rlk_free(t->came);
    t->came = NULL;
}

int
rlk_total_record(struct rlk_total *t, uint64_t page, const char *text,
                 size_t len, rowlock_error *err)
{
    t->records++;
    if (!t->where || !t->by_position || !len)
        return 0;
    if (t->n_came == t->room) {
        size_t room = t->room ? 2 * t->room : 256;
        struct rlk_came *more = rlk_reallocarray(t->came, room, sizeof *more);
        if (!more)
            return rlk_out_of_memory(err);
        t->came = more;
        t->room = room;
    }
    t->came[t->n_came++] =
        (struct rlk_came){rlk_mix(RLK_MIX_START, text, len), page};
    return 0;
}

static int
say_changed(rowlock_error *err)
{
    rlk_hint(err, "Try again later, when nobody changes the list.");
    return ROWLOCK_CONNECTION;
}

static bool
parse(const char *text, uint64_t *ret)
{
    size_t len = strspn(text, "0123456789");
    if (!len || len > MOST_DIGITS || text[len])
        return false;
    *ret = strtoull(text, NULL, 10);
    return true;
}

int
rlk_total_tell(struct rlk_total *t, const char *shown, const char *text,
               rowlock_error *err)
{
    uint64_t told;
    if (!text[0] && t->is_told)
        return 0;
    if (!text[0] || !parse(text, &told)) {
        rlk_fail(err, ROWLOCK_BAD_VALUE, "'%.120s' tells no %s at '%.80s'",
                 shown, text[0] ? "number" : "total", t->where);
        rlk_hint(err, "Look at 'total' in the definition's 'pages'.");
        return ROWLOCK_BAD_VALUE;
    }
    if (t->is_told && t->by_position && told != t->told) {
        rlk_fail(err, ROWLOCK_CONNECTION,
                 "the list changed while it was read: '%.120s' tells a total "
                 "of %llu, and %llu before",
                 shown, (unsigned long long)told, (unsigned long long)t->told);
        return say_changed(err);
    }
    t->is_told = true;
    t->told = told;
    return 0;
}

static int
compare(const void *a, const void *b)
{
    const struct rlk_came *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return x->page < y->page ? -1 : x->page > y->page;
}

/* Records that came on more than one page. */
static uint64_t
count_repeats(struct rlk_total *t)
{
    uint64_t n = 0;
    if (t->n_came)
        qsort(t->came, t->n_came, sizeof *t->came, compare);
    for (size_t i = 1; i < t->n_came; i++)
        n += t->came[i].hash == t->came[i - 1].hash &&
             t->came[i].page != t->came[i - 1].page;
    return n;
}

int
rlk_total_check(struct rlk_total *t, const char *shown, rowlock_error *err)
{
    uint64_t repeats = t->where ? count_repeats(t) : 0;
    if (repeats) {
        rlk_fail(err, ROWLOCK_CONNECTION,
                 "the list changed while it was read: %llu record%s of "
                 "'%.120s' came on two pages",
                 (unsigned long long)repeats, repeats == 1 ? "" : "s", shown);
        return say_changed(err);
    }
    bool enough =
        t->by_position ? t->records == t->told : t->records >= t->told;
    if (!t->where || enough)
        return 0;
    rlk_fail(err, ROWLOCK_BAD_VALUE,
             "'%.120s' gave %llu records, but tells a total of %llu at "
             "'%.80s'",
             shown, (unsigned long long)t->records, (unsigned long long)t->told,
             t->where);
    rlk_hint(err, "The listing is not whole. If its total counts what we may "
                  "not see, say 'pages' without it.");
    return ROWLOCK_BAD_VALUE;
}
