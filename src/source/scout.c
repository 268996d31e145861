/* SPDX-License-Identifier: MIT
 * The scout reads ahead with a grammar of its own. A body that it has not seen
 * to its end may hold a second list: split.c then fails at that one. */
#include "scout.h"

#include <string.h>

#include "grammar.h"

static void
read_ahead(struct rlk_grammar *g, const char *head, size_t len)
{
    static const char mark[] = "\xEF\xBB\xBF";
    size_t at = len >= 3 && memcmp(head, mark, 3) == 0 ? 3 : 0;
    while (at < len && !rlk_grammar_step(g, (unsigned char)head[at]))
        at++;
}

static int
several(const struct rlk_buf *names, rowlock_error *err)
{
    rlk_fail(err, ROWLOCK_BAD_VALUE, "the body has several lists");
    rlk_hint(err, "It has lists at %s: name one with 'records'.", names->ptr);
    return ROWLOCK_BAD_VALUE;
}

/* Where it is clear, a list without elements counts as one of objects. */
static int
choose(const struct rlk_grammar *g, struct rlk_arena *arena,
       struct rlk_pointer *ret, rowlock_error *err)
{
    const struct rlk_buf *names =
        g->n_of_objects ? &g->of_objects : &g->candidates;
    uint32_t n = g->n_of_objects ? g->n_of_objects : g->n_candidates;
    if (names->failed || g->key.failed)
        return rlk_out_of_memory(err);
    if (n > 1)
        return several(names, err);
    return rlk_pointer_parse(n ? names->ptr : "", arena, ret, err);
}

int
rlk_scout(const char *head, size_t len, struct rlk_arena *arena,
          struct rlk_pointer *ret, rowlock_error *err)
{
    struct rlk_pointer root = {.text = ""};
    struct rlk_grammar g;
    rlk_grammar_init(&g, &root);
    read_ahead(&g, head, len);
    int rc = choose(&g, arena, ret, err);
    rlk_grammar_done(&g);
    return rc;
}
