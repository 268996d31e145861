/* SPDX-License-Identifier: MIT
 * A batch is written as one block without savepoints: they cost every record
 * what only a bad one needs (7 % of 100,000 creates, measured). If a record
 * fails by its own fault, the block is rolled back and run again with a
 * savepoint a record, so that the bad one is rejected alone. So are the batches
 * after it, until one has no bad record: a source with many would otherwise be
 * written twice.
 *
 * The body may run several times (deadlocks, strangers' writes): it sets all
 * outcomes afresh. */
#include "sync/batch.h"

#include <string.h>

/* ---- from a remote record to a request ---- */

static int
reject(struct rlk_batch *b, struct rlk_item *item, const rowlock_error *reason,
       rowlock_error *err)
{
    item->reason = rlk_arena_alloc(&b->arena, 1, sizeof *item->reason);
    if (!item->reason)
        return rlk_out_of_memory(err);
    *item->reason = *reason;
    rlk_context(item->reason, "line %llu, byte %llu",
                (unsigned long long)item->line, (unsigned long long)item->byte);
    return 0;
}

struct row { /* the fields of one record */
    rowlock_value *values;
    bool *present;
};

/* A blank match value of a record that is found leaves its column alone: it
 * means "not known", and must not erase what another key found. */
static bool
updates(const struct rlk_plan *plan, const struct row *row, size_t field)
{
    return row->present[field] &&
           plan->d->fields[field].mode == RLK_FIELD_UPDATE &&
           !(plan->goals[field].is_key &&
             row->values[field].type == ROWLOCK_NULL);
}

static int
make_pairs(struct rlk_arena *arena, const struct rlk_plan *plan,
           const struct row *row, rowlock_upsert *u)
{
    const struct rlk_definition *d = plan->d;
    rowlock_pair *updating =
        rlk_arena_alloc(arena, d->n_fields, sizeof *updating);
    rowlock_pair *creating =
        rlk_arena_alloc(arena, d->n_fields, sizeof *creating);
    if (!updating || !creating)
        return ROWLOCK_NO_MEMORY;
    u->updating = updating;
    u->creating = creating;
    for (size_t i = 0; i < d->n_fields; i++) {
        rowlock_pair pair = {d->fields[i].column.text, row->values[i]};
        if (updates(plan, row, i))
            updating[u->n_updating++] = pair;
        if (row->present[i])
            creating[u->n_creating++] = pair;
    }
    return 0;
}

/* *ret_usable: at least one key has all its values. */
static int
make_keys(struct rlk_arena *arena, const struct rlk_definition *d,
          const struct row *row, rowlock_upsert *u, bool *ret_usable)
{
    rowlock_key *keys = rlk_arena_alloc(arena, d->n_match, sizeof *keys);
    if (!keys)
        return ROWLOCK_NO_MEMORY;
    *ret_usable = false;
    for (size_t i = 0; i < d->n_match; i++) {
        size_t n = d->match[i].n_fields;
        rowlock_pair *columns = rlk_arena_alloc(arena, n, sizeof *columns);
        if (!columns)
            return ROWLOCK_NO_MEMORY;
        bool blank = false;
        for (size_t j = 0; j < n; j++) {
            size_t field = d->match[i].fields[j];
            columns[j].column = d->fields[field].column.text;
            columns[j].value = row->values[field];
            blank = blank || row->values[field].type == ROWLOCK_NULL;
        }
        keys[i] = (rowlock_key){columns, n};
        *ret_usable = *ret_usable || !blank;
    }
    u->match = keys;
    u->n_match = d->n_match;
    return 0;
}

static int
make_request(struct rlk_batch *b, const struct rlk_plan *plan,
             const struct row *row, rowlock_upsert *u, rowlock_error *err)
{
    bool usable = false;
    *u = (rowlock_upsert)ROWLOCK_UPSERT_INIT;
    u->table = plan->d->table.text;
    if (make_pairs(&b->arena, plan, row, u) ||
        make_keys(&b->arena, plan->d, row, u, &usable))
        return rlk_out_of_memory(err);
    if (usable)
        return 0;
    rlk_fail(err, ROWLOCK_BAD_VALUE, "no match key has a value");
    rlk_detail(err, "It could never be found again.");
    return ROWLOCK_BAD_VALUE;
}

static int
take_record(struct rlk_batch *b, const struct rlk_plan *plan,
            const struct rlk_json *root, rowlock_upsert *ret,
            rowlock_error *err)
{
    size_t n = plan->d->n_fields;
    struct row row = {rlk_arena_alloc(&b->arena, n, sizeof(rowlock_value)),
                      rlk_arena_alloc(&b->arena, n, sizeof(bool))};
    if (!row.values || !row.present)
        return rlk_out_of_memory(err);
    for (size_t i = 0; i < n; i++)
        RLK_TRY(rlk_field_value(&plan->d->fields[i], plan->goals[i], root,
                                &b->arena, &row.values[i], &row.present[i],
                                err));
    return make_request(b, plan, &row, ret, err);
}

int
rlk_batch_add(struct rlk_batch *b, const struct rlk_plan *plan,
              const struct rlk_remote *remote, enum rlk_read what,
              rowlock_error *err)
{
    struct rlk_item *item = &b->items[b->n++];
    rowlock_error reason = {0};
    memset(item, 0, sizeof *item);
    item->number = remote->number;
    item->line = remote->line;
    item->byte = remote->byte;
    item->unusable = true;
    if (what == RLK_READ_REJECTED)
        return reject(b, item, &remote->reason, err);
    int rc = take_record(b, plan, remote->root, &item->request, &reason);
    if (rc == ROWLOCK_NO_MEMORY)
        return rlk_out_of_memory(err);
    if (rc)
        return reject(b, item, &reason, err);
    item->unusable = false;
    return 0;
}

/* ---- from requests to the database ---- */

/* The record's own fault, so that the others can go on. */
static bool
is_own_fault(int code)
{
    return code == ROWLOCK_BAD_VALUE || code == ROWLOCK_UNIQUE ||
           code == ROWLOCK_CONSTRAINT;
}

static int
write_item(rowlock_block *block, void *arg, rowlock_error *err)
{
    struct rlk_item *item = arg;
    return rowlock_update_or_create(block, &item->request, NULL, &item->outcome,
                                    err);
}

static int
write_careful(struct rlk_batch *b, rowlock_block *block, struct rlk_item *item,
              rowlock_error *err)
{
    rowlock_error reason = {0};
    int rc = rowlock_nested(block, write_item, item, &reason);
    if (is_own_fault(rc))
        return reject(b, item, &reason, err);
    if (rc && err)
        *err = reason;
    return rc;
}

static int
write_all(rowlock_block *block, void *arg, rowlock_error *err)
{
    struct rlk_batch *b = arg;
    for (size_t i = 0; i < b->n; i++) {
        struct rlk_item *item = &b->items[i];
        if (item->unusable)
            continue;
        item->reason = NULL;
        if (b->careful)
            RLK_TRY(write_careful(b, block, item, err));
        else
            RLK_TRY(write_item(block, item, err));
    }
    return 0;
}

static bool
any_rejected(const struct rlk_batch *b)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->items[i].reason && !b->items[i].unusable)
            return true;
    return false;
}

int
rlk_batch_write(struct rlk_batch *b, rowlock_db *db, rowlock_error *err)
{
    rowlock_error failure = {0};
    int rc = rowlock_atomic(db, write_all, b, &failure);
    if (is_own_fault(rc) && !b->careful) {
        b->careful = true;
        rc = rowlock_atomic(db, write_all, b, &failure);
    }
    if (rc && err)
        *err = failure;
    b->careful = b->careful && any_rejected(b);
    return rc;
}

void
rlk_batch_reset(struct rlk_batch *b)
{
    rlk_arena_done(&b->arena);
    b->n = 0;
}
