/* SPDX-License-Identifier: MIT
 * The rounds of a batch: look, write what is free, look again at what went
 * stale. What is left, since somebody holds it, is deferred for the time being.
 * Once the source has ended such stragglers are waited for, each alone, holding
 * nothing else, for locks.wait at most, and all of the run together for
 * locks.total. Next: look.c, write.c; settle.c for the end of a run. */
#include "sync/batch.h"

#include <string.h>

enum { ROUNDS = 8, PATIENCE = 2, HURRY = 16 };

int
rlk_batch_add(struct rlk_batch *b, const struct rlk_plan *plan,
              const struct rlk_remote *remote, enum rlk_read what,
              rowlock_error *err)
{
    struct rlk_item *item = &b->items[b->n];
    rowlock_error reason = {0};
    memset(item, 0, sizeof *item);
    item->failure = &b->failures[b->n++];
    item->number = remote->number;
    item->line = remote->line;
    item->byte = remote->byte;
    if (what == RLK_READ_REJECTED)
        return rlk_item_end(item, RLK_FATE_REJECTED, &remote->reason, &b->arena,
                            err);
    int rc = rlk_item_take(item, plan, remote->root, &b->arena, &reason);
    if (!rc)
        rc = rlk_item_ready(item, plan, &b->arena, &reason);
    if (rc == ROWLOCK_NO_MEMORY)
        return rlk_out_of_memory(err);
    if (rc == ROWLOCK_UNDEFINED && err)
        *err = reason;
    if (rc == ROWLOCK_UNDEFINED)
        return rc;
    if (rc)
        return rlk_item_end(item, RLK_FATE_REJECTED, &reason, &b->arena, err);
    return 0;
}

size_t
rlk_batch_choose(struct rlk_batch *b)
{
    b->n_todo = 0;
    for (size_t i = 0; i < b->n; i++)
        if (b->items[i].fate == RLK_FATE_OPEN && !b->items[i].held)
            b->todo[b->n_todo++] = &b->items[i];
    return b->n_todo;
}

/* ---- stragglers ---- */

static int32_t
wait_for_one(const struct rlk_work *w)
{
    int32_t wait = w->plan->d->wait_ms;
    if (w->patience_ms <= 0 || wait <= 0)
        return ROWLOCK_NOWAIT;
    return w->patience_ms < wait ? (int32_t)w->patience_ms : wait;
}

static int
defer(struct rlk_batch *b, struct rlk_item *item, rowlock_error *err)
{
    if (!item->held)
        rlk_fail(item->failure, ROWLOCK_SERIALIZATION,
                 "the record changed at each of %d looks", ROUNDS);
    return rlk_item_end(item, RLK_FATE_DEFERRED, item->failure, &b->arena, err);
}

static int
follow_up(struct rlk_batch *b, struct rlk_work *w, struct rlk_item *item,
          rowlock_error *err)
{
    for (int i = 0; i < ROUNDS && item->fate == RLK_FATE_OPEN; i++) {
        b->todo[0] = item;
        b->n_todo = 1;
        b->careful = true; /* else a wait that fails is done twice */
        RLK_TRY(rlk_batch_look(b, w, err));
        int64_t start = rlk_now_ms();
        RLK_TRY(rlk_batch_write(b, w, wait_for_one(w), err));
        w->patience_ms -= rlk_now_ms() - start;
        if (item->fate == RLK_FATE_OPEN && item->held)
            break;
    }
    return item->fate == RLK_FATE_OPEN ? defer(b, item, err) : 0;
}

void
rlk_work_settled(const struct rlk_work *w, struct rlk_batch *b)
{
    if (w->settled)
        w->settled(b, w->arg);
}

int
rlk_work_check(const struct rlk_work *w, rowlock_error *err)
{
    if ((w->cancelled && *w->cancelled) || (w->ending && *w->ending))
        return rlk_fail(err, ROWLOCK_CANCELLED, "the run was interrupted");
    return 0;
}

/* Where keys have no index, each record that others overtake costs a read of
 * the table: then all are looked up anew, and at last with the writer in hand.
 */
static void
be_patient(struct rlk_batch *b, struct rlk_work *w)
{
    b->patience = w->hurry ? 0 : PATIENCE;
    w->hurry -= w->hurry > 0;
}

static int
run_round(struct rlk_batch *b, struct rlk_work *w, rowlock_error *err)
{
    if (w->keymap && b->patience == 0) {
        w->hurry = w->hurry ? w->hurry : HURRY;
        return rlk_batch_write_firmly(b, w, err);
    }
    if (w->keymap) /* a pause behind the look would let others in */
        rlk_batch_stay_away(w);
    RLK_TRY(rlk_batch_look(b, w, err));
    return rlk_batch_write(b, w, ROWLOCK_NOWAIT, err);
}

static int
run_rounds(struct rlk_batch *b, struct rlk_work *w, rowlock_error *err)
{
    if (w->keymap)
        be_patient(b, w);
    for (int i = 0; i < ROUNDS && (b->ahead || rlk_batch_choose(b)); i++)
        RLK_TRY(run_round(b, w, err));
    for (size_t i = 0; i < b->n; i++)
        if (b->items[i].fate == RLK_FATE_OPEN)
            RLK_TRY(defer(b, &b->items[i], err));
    return 0;
}

int
rlk_batch_run(struct rlk_batch *b, struct rlk_work *w, rowlock_error *err)
{
    int rc = run_rounds(b, w, err);
    rlk_work_settled(w, b);
    return rc;
}

/* Whoever ends the run looks at waits, and we at ending: in this order one of
 * them is always seen. */
static int
follow_up_all(struct rlk_batch *b, struct rlk_work *w, rowlock_error *err)
{
    for (size_t i = 0; i < b->n; i++) {
        struct rlk_item *item = &b->items[i];
        if (item->fate != RLK_FATE_DEFERRED)
            continue;
        RLK_TRY(rlk_work_check(w, err));
        item->fate = RLK_FATE_OPEN;
        item->reason = NULL;
        RLK_TRY(follow_up(b, w, item, err));
        item->waited_for = true;
    }
    return 0;
}

int
rlk_batch_wait(struct rlk_batch *b, struct rlk_work *w, rowlock_error *err)
{
    if (w->waits)
        *w->waits = 1;
    int rc = follow_up_all(b, w, err);
    if (w->waits)
        *w->waits = 0;
    rlk_work_settled(w, b);
    return rc;
}

void
rlk_batch_reset(struct rlk_batch *b)
{
    rlk_rows_done(&b->rows);
    rlk_arena_reset(&b->arena);
    b->n = b->n_written = 0;
    b->ahead = false;
}

void
rlk_batch_done(struct rlk_batch *b)
{
    rlk_batch_reset(b);
    rlk_rows_done(&b->made);
    rlk_arena_done(&b->arena);
    rlk_seen_done(&b->round);
}
