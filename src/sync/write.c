/* SPDX-License-Identifier: MIT
 * Writing what a look has decided. No lock is waited for here while another is
 * held: a record that somebody holds is left for later (batch.c), so two runs
 * over the same records never wait for each other in a circle.
 *
 * Where nobody has committed between the look and the write transaction, what
 * the look decided is written as it is (record/put.c). Else a record is
 * compared again under its lock. Only if its match columns are what the look
 * saw, the decision stands; else it is stale and looked up again.
 *
 * A block is written without savepoints: they cost every record what only a
 * bad one needs (7 % of 100,000 creates, measured). If a record fails by its
 * own fault, or is held, the block runs again with a savepoint a record.
 *
 * The body may run several times (strangers' writes): fates are given only
 * after the commit. */
#include <string.h>
#include <time.h>

#include "sync/decide.h"
#include "sync/writing.h"

enum { POLITE_MS = 10, LONGEST_PAUSE_MS = 40 };

int64_t
rlk_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

/* ---- one record ---- */

/* The answer does not matter: item->stale says it. */
static int
be_stale(struct rlk_item *item, rowlock_error *err)
{
    item->stale = true;
    return rlk_fail(err, ROWLOCK_BAD_VALUE,
                    "the record changed between two looks");
}

static int
read_locked(const struct rlk_writing *s, const rowlock_record *r,
            struct rlk_row *ret, rowlock_error *err)
{
    const struct rlk_table *t = s->table;
    ret->n_values = t->n_columns;
    ret->values =
        rlk_arena_alloc(&s->b->arena, t->n_columns, sizeof *ret->values);
    if (!ret->values)
        return rlk_out_of_memory(err);
    for (size_t i = 0; i < t->n_columns; i++)
        RLK_TRY(
            rowlock_record_get(r, t->columns[i].name, &ret->values[i], err));
    return 0;
}

/* For the report, if one wants it; row is as the record was, or was created. */
int
rlk_writing_keep(const struct rlk_writing *s, const struct rlk_row *row,
                 rowlock_error *err)
{
    return s->w->keeps
               ? rlk_item_keep(s->item, s->w->plan, row, &s->b->arena, err)
               : 0;
}

/* Also where the block is rolled back later: see keymap.h. */
static int
note_keys(const struct rlk_writing *s, const struct rlk_row *row,
          rowlock_error *err)
{
    const struct rlk_item *item = s->item;
    bool made = item->verdict == RLK_CREATE;
    if (!s->w->keymap || (!made && !item->n_sets))
        return 0;
    return rlk_keymap_note(s->w->keymap, s->table, row,
                           made ? NULL : item->sets, made ? 0 : item->n_sets,
                           err);
}

/* Called with the record locked, or just created. */
static int
change(rowlock_record *r, int created, void *arg, rowlock_error *err)
{
    struct rlk_writing *s = arg;
    struct rlk_item *item = s->item;
    struct rlk_row row;
    if ((created != 0) != (item->verdict == RLK_CREATE))
        return be_stale(item, err);
    RLK_TRY(read_locked(s, r, &row, err));
    item->local = rlk_row_name(s->table, &row);
    if (!created && !rlk_decide_again(item, s->w->plan, s->table, &row))
        return be_stale(item, err);
    RLK_TRY(rlk_writing_keep(s, &row, err));
    RLK_TRY(note_keys(s, &row, err));
    if (created)
        return 0;
    for (size_t i = 0; i < item->n_sets; i++) {
        const struct rlk_set *set = &item->sets[i];
        RLK_TRY(rowlock_record_set(r, s->table->columns[set->column].name,
                                   set->value, err));
        row.values[set->column] = set->value;
    }
    item->local = rlk_row_name(s->table, &row); /* its key may be another now */
    return 0;
}

static int
add_keys(const struct rlk_writing *s, rowlock_upsert *u, rowlock_error *err)
{
    struct rlk_arena *arena = &s->b->arena;
    size_t n_match = s->w->plan->d->n_match;
    rowlock_key *keys = rlk_arena_alloc(arena, n_match, sizeof *keys);
    if (!keys)
        return rlk_out_of_memory(err);
    u->match = keys;
    for (size_t k = 0; k < n_match; k++) {
        const struct rlk_match *key = &s->item->keys[k];
        rowlock_pair *pairs =
            rlk_arena_alloc(arena, key->n_columns, sizeof *pairs);
        if (!pairs)
            return rlk_out_of_memory(err);
        for (size_t i = 0; i < key->n_columns; i++)
            pairs[i] =
                (rowlock_pair){s->table->columns[key->columns[i].column].name,
                               key->columns[i].value};
        if (key->n_columns)
            keys[u->n_match++] = (rowlock_key){pairs, key->n_columns};
    }
    return 0;
}

static int
add_creating(const struct rlk_writing *s, rowlock_upsert *u, rowlock_error *err)
{
    const struct rlk_definition *d = s->w->plan->d;
    rowlock_pair *pairs =
        rlk_arena_alloc(&s->b->arena, d->n_fields, sizeof *pairs);
    if (!pairs)
        return rlk_out_of_memory(err);
    u->creating = pairs;
    for (size_t i = 0; i < d->n_fields; i++)
        if (s->item->present[i])
            pairs[u->n_creating++] =
                (rowlock_pair){d->fields[i].column.text, s->item->values[i]};
    return 0;
}

static enum rlk_fate
fate_of(enum rowlock_outcome outcome)
{
    if (outcome == ROWLOCK_CREATED)
        return RLK_FATE_CREATED;
    return outcome == ROWLOCK_UPDATED ? RLK_FATE_UPDATED : RLK_FATE_UNCHANGED;
}

static int
write_item(rowlock_block *block, void *arg, rowlock_error *err)
{
    struct rlk_writing *s = arg;
    enum rowlock_outcome outcome;
    rowlock_upsert u = ROWLOCK_UPSERT_INIT;
    u.table = s->w->plan->d->table.text;
    u.wait_ms = s->wait_ms;
    u.match_all = s->item->all_agree;
    u.change = change;
    u.arg = s;
    RLK_TRY(add_keys(s, &u, err));
    RLK_TRY(add_creating(s, &u, err));
    RLK_TRY(rowlock_update_or_create(block, &u, NULL, &outcome, err));
    s->item->outcome = fate_of(outcome);
    return 0;
}

/* ---- one record, as the look has it ---- */

/* Two values are the same only if their types and bytes are: so the names of
 * keys tell whether two records of a look go for one key. */
bool
rlk_writing_is_plain(const struct rlk_column *c)
{
    bool number = c->type == RLK_TYPE_INTEGER || c->type == RLK_TYPE_BOOLEAN;
    bool text = c->type == RLK_TYPE_TEXT || c->type == RLK_TYPE_UUID ||
                c->type == RLK_TYPE_TIMESTAMP || c->type == RLK_TYPE_DATE ||
                c->type == RLK_TYPE_TIME;
    return number || (text && strcmp(c->collation, "BINARY") == 0);
}

static void
note_keyed(const struct rlk_plan *plan, const struct rlk_table *t, bool *keyed,
           bool *ret_plain)
{
    *ret_plain = true;
    for (size_t i = 0; i < t->n_primary_key; i++)
        keyed[t->primary_key[i]] = true;
    for (size_t i = 0; i < t->n_indexes; i++)
        for (size_t j = 0; j < t->indexes[i].n_columns; j++)
            keyed[t->indexes[i].columns[j]] |= t->indexes[i].unique;
    for (size_t i = 0; i < plan->d->n_fields; i++)
        if (plan->goals[i].is_key) {
            keyed[plan->columns[i]] = true;
            *ret_plain = *ret_plain &&
                         rlk_writing_is_plain(&t->columns[plan->columns[i]]);
        }
}

/* Nobody but us has committed since the look, and we nothing that it could have
 * seen otherwise. */
static bool
is_current(const struct rlk_writing *s, struct rlk_mark now)
{
    struct rlk_mark seen = s->b->mark;
    if (s->b->trusted) /* what was written from this batch touches no other */
        seen.own = s->w->ahead.mark.own;
    return now.others && now.others == seen.others && now.own == seen.own;
}

/* Is what the look saw still so? Then records need not be looked for again,
 * one by one, under their locks. Not where triggers may change others. */
static int
start_slice(struct rlk_writing *s, rowlock_block *block, rowlock_error *err)
{
    const struct rlk_table *t = s->table;
    struct rlk_mark now;
    bool plain;
    bool *keyed = rlk_arena_alloc(&s->b->arena, t->n_columns, sizeof *keyed);
    if (!keyed)
        return rlk_out_of_memory(err);
    s->current = s->told = false;
    s->keyed = keyed;
    note_keyed(s->w->plan, t, keyed, &plain);
    if (s->w->checks) {
        rlk_ahead_note(&s->w->ahead, rlk_ahead_own(&s->w->ahead));
        rlk_ahead_start(&s->w->ahead);
        s->told = true;
        return 0;
    }
    if (!plain || t->has_triggers || s->wait_ms != ROWLOCK_NOWAIT)
        return 0;
    RLK_TRY(rlk_block_start_write(block, &now, err));
    s->since_ms = rlk_now_ms();
    s->current = is_current(s, now);
    s->told = now.others != 0;
    if (s->told) {
        rlk_ahead_note(&s->w->ahead, now);
        rlk_ahead_start(&s->w->ahead);
    }
    return 0;
}

bool
rlk_writing_changes_key(const struct rlk_writing *s)
{
    for (size_t i = 0; i < s->item->n_sets; i++)
        if (s->keyed[s->item->sets[i].column])
            return true;
    return false;
}

int
rlk_writing_list_new(const struct rlk_writing *s, struct rlk_write *ret,
                     rowlock_error *err)
{
    const struct rlk_plan *plan = s->w->plan;
    struct rlk_set *set =
        rlk_arena_alloc(&s->b->arena, plan->d->n_fields, sizeof *set);
    if (!set)
        return rlk_out_of_memory(err);
    ret->set = set;
    for (size_t i = 0; i < plan->d->n_fields; i++)
        if (s->item->present[i])
            set[ret->n_set++] =
                (struct rlk_set){plan->columns[i], s->item->values[i]};
    return 0;
}

static int
put_new(struct rlk_writing *s, rowlock_block *block, bool *ret_done,
        rowlock_error *err)
{
    struct rlk_item *item = s->item;
    struct rlk_rows *made = &s->b->made;
    struct rlk_put put = {.write.table = s->table,
                          .keys = item->keys,
                          .n_keys = s->w->plan->d->n_match};
    RLK_TRY(rlk_writing_list_new(s, &put.write, err));
    rlk_rows_clear(made);
    RLK_TRY(rlk_block_put(block, &put, made, ret_done, err));
    item->outcome = RLK_FATE_CREATED;
    if (!*ret_done)
        return 0;
    item->local = rlk_row_name(s->table, &made->rows[0]);
    RLK_TRY(rlk_writing_keep(s, &made->rows[0], err));
    return note_keys(s, &made->rows[0], err);
}

static int
put_change(struct rlk_writing *s, rowlock_block *block, bool *ret_done,
           rowlock_error *err)
{
    struct rlk_item *item = s->item;
    struct rlk_put put = {
        .write = {s->table, item->hit, item->sets, item->n_sets}};
    RLK_TRY(rlk_writing_keep(s, item->hit, err));
    item->outcome = RLK_FATE_UPDATED;
    return rlk_block_put(block, &put, NULL, ret_done, err);
}

/* ---- records that the look may be wrong about ---- */

static bool
touch_key(struct rlk_writing *s, const struct rlk_row *row,
          const struct rlk_set *sets, size_t n_sets, size_t k)
{
    const struct rlk_plan *plan = s->w->plan;
    const struct rlk_match_key *key = &plan->d->match[k];
    struct rlk_set *now =
        rlk_arena_alloc(&s->b->arena, key->n_fields, sizeof *now);
    if (!now)
        return false;
    for (size_t i = 0; i < key->n_fields; i++) {
        uint32_t column = plan->columns[key->fields[i]];
        now[i] = (struct rlk_set){column, row->values[column]};
        for (size_t j = 0; j < n_sets; j++)
            if (sets[j].column == column)
                now[i].value = sets[j].value;
    }
    const struct rlk_match match = {now, key->n_fields};
    return rlk_seen_add(&s->touched, rlk_key_name(&match, k));
}

/* What keys the record had, and is to have: other records of this look with
 * these are looked for again. Not known is what else a write may reach. */
static int
touch_keys(struct rlk_writing *s, rowlock_error *err)
{
    const struct rlk_item *item = s->item;
    const struct rlk_row *row = item->hit;
    rlk_ahead_touch_all(&s->w->ahead);
    if (!s->current || s->table->reaches_others)
        s->current = s->b->trusted = false;
    for (size_t k = 0; row && s->current && k < s->w->plan->d->n_match; k++)
        if (!touch_key(s, row, NULL, 0, k) ||
            !touch_key(s, row, item->sets, item->n_sets, k))
            return rlk_out_of_memory(err);
    return 0;
}

static bool
is_touched(const struct rlk_writing *s, const struct rlk_item *item)
{
    for (size_t k = 0; s->touched.n && k < s->w->plan->d->n_match; k++)
        if (item->keys[k].n_columns &&
            rlk_seen_has(&s->touched, item->names[k]))
            return true;
    return false;
}

/* As the look has it. *ret_done: false where it must be looked for again. */
static int
put_one(struct rlk_writing *s, rowlock_block *block, bool *ret_done,
        rowlock_error *err)
{
    const struct rlk_item *item = s->item;
    bool is_new = item->verdict == RLK_CREATE;
    *ret_done = false;
    if (!s->current || is_touched(s, item) ||
        (!is_new && (!item->n_sets || rlk_writing_changes_key(s))))
        return 0;
    RLK_TRY(is_new ? put_new(s, block, ret_done, err)
                   : put_change(s, block, ret_done, err));
    if (!*ret_done) /* the transaction was given up for a wait */
        s->current = s->b->trusted = false;
    else if (s->w->ahead.db &&
             !rlk_item_touch(item, !is_new, s->w->plan, &s->w->ahead))
        return rlk_out_of_memory(err);
    return 0;
}

static int
write_one(rowlock_block *block, void *arg, rowlock_error *err)
{
    struct rlk_writing *s = arg;
    bool done;
    RLK_TRY(put_one(s, block, &done, err));
    if (done)
        return 0;
    RLK_TRY(touch_keys(s, err));
    return write_item(block, s, err);
}

/* ---- one block ---- */

/* Another writer keeps its turn: no record could be written now. */
static bool
lacks_turn(int code, const rowlock_error *failure)
{
    return code == ROWLOCK_NOT_AVAILABLE &&
           strcmp(failure->sqlstate, RLK_NO_TURN) == 0;
}

/* The record's own fault, so that the others can go on. */
static bool
is_own_fault(int code, const rowlock_error *failure)
{
    return code == ROWLOCK_BAD_VALUE || code == ROWLOCK_UNIQUE ||
           code == ROWLOCK_CONSTRAINT ||
           (code == ROWLOCK_NOT_AVAILABLE && !lacks_turn(code, failure));
}

/* A first violation may be explained by a new look: somebody else has taken the
 * key, or the record of a tree is gone and was to be made anew. A parent that
 * is missing may be among the records behind: as long as some were written. */
static bool
is_worth_a_look(const struct rlk_writing *s, int code)
{
    struct rlk_item *item = s->item;
    size_t before = item->written_then;
    bool parent = code == ROWLOCK_CONSTRAINT &&
                  strcmp(item->failure->sqlstate, "23503") == 0;
    if (!parent && code != ROWLOCK_UNIQUE &&
        !(code == ROWLOCK_CONSTRAINT && s->w->plan->tree))
        return false;
    item->written_then = s->b->n_written;
    return item->clashes++ == 0 || (parent && before != s->b->n_written);
}

/* What is left to the commit would fail all of the block there. */
static int
write_alone(rowlock_block *block, void *arg, rowlock_error *err)
{
    RLK_TRY(write_one(block, arg, err));
    return rlk_block_check_deferred(block, err);
}

static int
write_careful(struct rlk_writing *s, rowlock_block *block, rowlock_error *err)
{
    struct rlk_item *item = s->item;
    int rc = rowlock_nested(block, write_alone, s, item->failure);
    if (!rc || item->stale)
        return 0;
    if (!is_own_fault(rc, item->failure)) {
        if (err)
            *err = *item->failure;
        return rc;
    }
    item->held = rc == ROWLOCK_NOT_AVAILABLE;
    item->stale = is_worth_a_look(s, rc);
    item->outcome = RLK_FATE_REJECTED;
    s->faulty = item;
    return 0;
}

/* Where the block did not begin with taking the writer, the first record that
 * is written did. What that waited for others is no time in which they waited
 * for us. */
static bool
has_had_its_time(struct rlk_writing *s)
{
    bool wrote = s->item->outcome != RLK_FATE_UNCHANGED;
    if (s->w->plan->d->pace != RLK_PACE_POLITE || (s->firm && s->current))
        return false;
    if (!s->since_ms && wrote)
        s->since_ms = rlk_now_ms();
    return s->since_ms && rlk_now_ms() - s->since_ms >= POLITE_MS;
}

/* Others were faster than the look: for all of them one new look is better. */
static bool
is_better_looked_up_anew(struct rlk_writing *s)
{
    if (s->current || !s->told || s->w->checks || s->b->patience == 0)
        return false;
    s->b->patience--;
    for (s->end = s->next; s->end < s->b->n_order; s->end++) {
        s->b->order[s->end]->stale = true;
        s->b->order[s->end]->held = false;
    }
    return true;
}

static int
look_firmly(struct rlk_writing *s, rowlock_block *block, rowlock_error *err)
{
    struct rlk_mark mark;
    RLK_TRY(rlk_block_start_write(block, &mark, err));
    (void)rlk_batch_choose(s->b);
    s->next = 0;
    return rlk_batch_look_in(s->b, s->w, block, err);
}

static int
write_slice(rowlock_block *block, void *arg, rowlock_error *err)
{
    struct rlk_writing *s = arg;
    s->since_ms = 0;
    s->faulty = NULL;
    RLK_TRY(rlk_plan_table(s->w->plan, s->w->db, &s->table, err));
    if (s->firm)
        RLK_TRY(look_firmly(s, block, err));
    RLK_TRY(start_slice(s, block, err));
    if (is_better_looked_up_anew(s))
        return 0;
    s->end = s->next;
    if (rlk_writing_may_put_all(s))
        RLK_TRY(rlk_writing_put_all(s, block, err));
    while (s->end < s->b->n_order) {
        s->item = s->b->order[s->end++];
        s->item->stale = s->item->held = false;
        if (s->b->careful)
            RLK_TRY(write_careful(s, block, err));
        else
            RLK_TRY(write_one(block, s, err));
        if (has_had_its_time(s))
            break;
    }
    return 0;
}

/* Its block is committed: what became of one record of it. */
static int
end_item(struct rlk_writing *s, struct rlk_item *item, bool *ret_faulty,
         rowlock_error *err)
{
    if (item->stale || item->held) {
        *ret_faulty = true;
        return 0;
    }
    item->fate = item->outcome;
    if (item->fate == RLK_FATE_UPDATED)
        rlk_item_move_key(item, s->w->plan);
    if (item->fate == RLK_FATE_REJECTED) {
        *ret_faulty = true;
        return rlk_item_end(item, item->fate, item->failure, &s->b->arena, err);
    }
    s->b->n_written++;
    return rlk_seen_add(&s->w->seen, item->local) ? 0 : rlk_out_of_memory(err);
}

/* All of it, also when memory is short: what is written must be counted. */
static int
end_slice(struct rlk_writing *s, bool *ret_faulty, rowlock_error *err)
{
    int rc = 0;
    *ret_faulty = false;
    for (; s->next < s->end; s->next++) {
        int failed = end_item(s, s->b->order[s->next], ret_faulty, err);
        rc = rc ? rc : failed;
    }
    return rc;
}

/* Others move faster than a whole block can: its records are taken one by
 * one. */
static int
hold_slice(struct rlk_writing *s, const rowlock_error *failure)
{
    for (; s->next < s->end; s->next++) {
        s->b->order[s->next]->held = true;
        *s->b->order[s->next]->failure = *failure;
    }
    return 0;
}

/* A record whose failure ended the whole transaction (as a trigger may ask for)
 * is rejected before the others are tried again. */
static int
drop_faulty(struct rlk_writing *s, rowlock_error *err)
{
    struct rlk_batch *b = s->b;
    size_t n = 0;
    RLK_TRY(rlk_item_end(s->faulty, RLK_FATE_REJECTED, s->faulty->failure,
                         &b->arena, err));
    for (size_t i = 0; i < b->n_order; i++)
        if (b->order[i] != s->faulty)
            b->order[n++] = b->order[i];
    b->n_order = n;
    return 0;
}

/* The turn to write is waited for as records are: as part of locks.total, which
 * our caller counts itself where it waits for one record. */
static int
try_slice(struct rlk_writing *s, rowlock_error *failure)
{
    struct rlk_work *w = s->w;
    int64_t since = rlk_now_ms();
    for (;;) {
        int rc = rowlock_atomic(w->db, write_slice, s, failure);
        if (rc == ROWLOCK_ABORTED && s->faulty) {
            RLK_TRY(drop_faulty(s, failure));
            continue;
        }
        if (!lacks_turn(rc, failure))
            return rc;
        int64_t now = rlk_now_ms(), left = w->patience_ms - (now - since);
        if (left <= 0)
            return rc;
        RLK_TRY(rlk_work_check(w, failure));
        if (s->wait_ms == ROWLOCK_NOWAIT) {
            w->patience_ms = left;
            since = now;
        }
    }
}

static int
run_slice(struct rlk_writing *s, rowlock_error *err)
{
    rowlock_error failure = {0};
    bool faulty;
    int rc = try_slice(s, &failure);
    if (is_own_fault(rc, &failure) && !s->b->careful) {
        s->b->careful = true;
        rc = try_slice(s, &failure);
    }
    if (rc == ROWLOCK_DEADLOCK || rc == ROWLOCK_SERIALIZATION)
        return hold_slice(s, &failure);
    if (rc && err)
        *err = failure;
    RLK_TRY(rc);
    if (s->told)
        rlk_ahead_commit(&s->w->ahead);
    else
        rlk_ahead_lose(&s->w->ahead);
    RLK_TRY(end_slice(s, &faulty, err));
    s->b->careful = s->b->careful && faulty;
    return 0;
}

/* ---- sharing the writer ---- */

/* A signal ends the pause early; whoever looks at cancelled ends the run. */
void
rlk_batch_stay_away(const struct rlk_work *w)
{
    int64_t ms = w->free_at_ms - rlk_now_ms();
    if (ms <= 0 || w->plan->d->pace != RLK_PACE_POLITE)
        return;
    const struct timespec pause = {0, (long)ms * 1000000L};
    nanosleep(&pause, NULL);
}

static int
write_some(struct rlk_writing *s, rowlock_error *err)
{
    struct rlk_work *w = s->w;
    if (w->cancelled && *w->cancelled)
        return rlk_fail(err, ROWLOCK_CANCELLED, "the run was interrupted");
    rlk_batch_stay_away(w);
    RLK_TRY(run_slice(s, err));
    int64_t now = rlk_now_ms(), held = s->since_ms ? now - s->since_ms : 0;
    w->free_at_ms = now + (held < LONGEST_PAUSE_MS ? held : LONGEST_PAUSE_MS);
    rlk_work_settled(w, s->b);
    return 0;
}

int
rlk_batch_write(struct rlk_batch *b, struct rlk_work *w, int32_t wait_ms,
                rowlock_error *err)
{
    struct rlk_writing s = {.b = b, .w = w, .wait_ms = wait_ms};
    int rc = 0;
    while (!rc && s.next < b->n_order)
        rc = write_some(&s, err);
    rlk_seen_done(&s.touched);
    return rc;
}

int
rlk_batch_write_firmly(struct rlk_batch *b, struct rlk_work *w,
                       rowlock_error *err)
{
    struct rlk_writing s = {
        .b = b, .w = w, .wait_ms = ROWLOCK_NOWAIT, .firm = true};
    int rc = write_some(&s, err);
    rlk_seen_done(&s.touched);
    return rc;
}
