/* SPDX-License-Identifier: MIT
 * Blocks and savepoints. BEGIN and SAVEPOINT are put off until something is
 * asked in their block, and go with it: they cost no round trip. */
#include "conn.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void
name_level(char ret[64], const char *verb, size_t level)
{
    snprintf(ret, 64, "%s rowlock_%zu", verb, level);
}

static int
issue(struct rlk_pg *c, size_t level, rowlock_error *err)
{
    char sql[64];
    if (level)
        name_level(sql, "SAVEPOINT", level);
    else
        strcpy(sql, RLK_PG_BEGIN);
    RLK_TRY(rlk_pg_later(c, sql, err));
    c->tx.levels[level].issued = true;
    return 0;
}

int
rlk_pg_ready(struct rlk_pg *c, rowlock_error *err)
{
    if (c->pid != getpid())
        return rlk_fail(err, ROWLOCK_MISUSE,
                        "the session belongs to the parent of this process");
    if (!c->tx.n_levels)
        return rlk_fail(err, ROWLOCK_MISUSE, "no block is open");
    if (c->tx.lost)
        return rlk_pg_lost(c, err);
    for (size_t i = 0; i < c->tx.n_levels; i++)
        if (!c->tx.levels[i].issued)
            RLK_TRY(issue(c, i, err));
    return 0;
}

static int
push(struct rlk_pg *c, rowlock_error *err)
{
    struct rlk_pg_tx *tx = &c->tx;
    if (tx->n_levels == tx->cap_levels) {
        size_t cap = tx->cap_levels ? tx->cap_levels * 2 : 4;
        struct rlk_pg_level *more =
            rlk_reallocarray(tx->levels, cap, sizeof *more);
        if (!more)
            return rlk_out_of_memory(err);
        tx->levels = more;
        tx->cap_levels = cap;
    }
    tx->levels[tx->n_levels++] = (struct rlk_pg_level){.held = c->held.n_log};
    return 0;
}

int
rlk_pg_begin(struct rlk_conn *conn, rowlock_error *err)
{
    struct rlk_pg *c = rlk_pg_of(conn);
    if (c->pid != getpid())
        return rlk_fail(err, ROWLOCK_MISUSE,
                        "the session belongs to the parent of this process");
    if (c->tx.n_levels)
        return rlk_fail(err, ROWLOCK_MISUSE, "a block is open already");
    RLK_TRY(rlk_pg_reconnect(c, err));
    c->tx.lost = false;
    rlk_pg_catalogue_age(c);
    if (c->forget_statements) {
        RLK_TRY(rlk_pg_do(c, "DEALLOCATE ALL", err));
        rlk_pg_statements_clear(c);
        c->forget_statements = false;
    }
    return push(c, err);
}

int
rlk_pg_savepoint(struct rlk_conn *conn, size_t level, rowlock_error *err)
{
    struct rlk_pg *c = rlk_pg_of(conn);
    if (level != c->tx.n_levels)
        return rlk_fail(err, ROWLOCK_MISUSE, "savepoint out of order");
    return push(c, err);
}

/* The server is told nothing of levels that it never heard of. */
static void
undo(struct rlk_pg *c, size_t level)
{
    char sql[64];
    struct rlk_pg_level *l = &c->tx.levels[level];
    if (!l->issued || c->tx.lost)
        return;
    if (level)
        name_level(sql, "ROLLBACK TO SAVEPOINT", level);
    else
        strcpy(sql, "ROLLBACK");
    c->wait_ms = -1; /* SET is undone too */
    if (rlk_pg_do(c, sql, NULL))
        c->tx.lost = true;
    l->issued = level > 0;
}

void
rlk_pg_rollback_to(struct rlk_conn *conn, size_t level)
{
    struct rlk_pg *c = rlk_pg_of(conn);
    if (level >= c->tx.n_levels)
        return;
    undo(c, level);
    rlk_pg_held_back_to(&c->held, c->tx.levels[level].held);
    c->tx.n_levels = level + 1;
}

int
rlk_pg_release(struct rlk_conn *conn, size_t level, rowlock_error *err)
{
    char sql[64];
    struct rlk_pg *c = rlk_pg_of(conn);
    if (level == 0 || level + 1 != c->tx.n_levels)
        return rlk_fail(err, ROWLOCK_MISUSE, "savepoint out of order");
    bool issued = c->tx.levels[level].issued;
    c->tx.n_levels = level;
    if (!issued)
        return 0;
    if (c->tx.lost)
        return rlk_pg_lost(c, err);
    name_level(sql, "RELEASE SAVEPOINT", level);
    return rlk_pg_do(c, sql, err);
}

static void
end(struct rlk_pg *c)
{
    c->tx.n_levels = 0;
    rlk_pg_held_back_to(&c->held, 0);
}

/* An answer that does not come leaves open whether the server committed. */
static int
unknown_outcome(struct rlk_pg *c, rowlock_error *err)
{
    rlk_pg_lost(c, err);
    if (!err)
        return ROWLOCK_CONNECTION;
    rlk_sqlstate(err, "08007");
    rlk_hint(err, "Whether the block was committed is not known: look before "
                  "it is done again.");
    return ROWLOCK_CONNECTION;
}

static int
commit(struct rlk_pg *c, rowlock_error *err)
{
    if (c->tx.lost)
        return rlk_pg_lost(c, err);
    int rc = rlk_pg_do(c, "COMMIT", err);
    if (rc == ROWLOCK_CONNECTION && c->tx.lost)
        return unknown_outcome(c, err);
    if (rc && !c->tx.lost)
        c->wait_ms = -1;
    return rc;
}

int
rlk_pg_commit(struct rlk_conn *conn, rowlock_error *err)
{
    struct rlk_pg *c = rlk_pg_of(conn);
    if (c->tx.n_levels != 1)
        return rlk_fail(err, ROWLOCK_MISUSE, "a nested block is open");
    int rc = c->tx.levels[0].issued ? commit(c, err) : 0;
    end(c);
    return rc;
}

void
rlk_pg_rollback(struct rlk_conn *conn)
{
    struct rlk_pg *c = rlk_pg_of(conn);
    if (!c->tx.n_levels)
        return;
    undo(c, 0);
    end(c);
}

bool
rlk_pg_transaction_lost(struct rlk_conn *conn)
{
    struct rlk_pg *c = rlk_pg_of(conn);
    return c->tx.lost;
}

/* Looked at inside a savepoint, whose end puts back what is deferred. */
int
rlk_pg_check_deferred(struct rlk_conn *conn, rowlock_error *err)
{
    struct rlk_pg *c = rlk_pg_of(conn);
    RLK_TRY(rlk_pg_ready(c, err));
    RLK_TRY(rlk_pg_do(c, "SAVEPOINT rowlock_check", err));
    RLK_TRY(rlk_pg_do(c, "SET CONSTRAINTS ALL IMMEDIATE", err));
    RLK_TRY(rlk_pg_do(c, "ROLLBACK TO SAVEPOINT rowlock_check", err));
    return rlk_pg_do(c, "RELEASE SAVEPOINT rowlock_check", err);
}
