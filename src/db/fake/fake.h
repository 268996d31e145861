/* SPDX-License-Identifier: MIT
 * A driver for tests: tables in memory, one session, nothing that waits.
 *
 * It keeps the driver table's contract, writes down each call, and does what a
 * test has scripted: fail the n-th call of a kind, or run a function before it
 * (a stranger's change). A lock that "somebody holds" makes NOWAIT fail; a
 * waiting request runs the function on_wait and is then granted. */
#ifndef RLK_DB_FAKE_FAKE_H
#define RLK_DB_FAKE_FAKE_H

#include "db/driver.h"

enum rlk_fake_kind {
    RLK_FAKE_PLAIN,  /* key locks; no optional calls */
    RLK_FAKE_FAST,   /* with write_epoch(), commit_mark(), put() and
                        lock_row() */
    RLK_FAKE_KEYLESS /* neither key locks nor early release */
};

struct rlk_conn *rlk_fake_open(enum rlk_fake_kind kind);
/* table is borrowed for good. */
void rlk_fake_add_table(struct rlk_conn *c, const struct rlk_table *table);

/* ---- strangers ---- */

/* A committed row of a program that takes no locks. */
void rlk_fake_put(struct rlk_conn *c, const char *table,
                  const rowlock_value *values);
/* The same for one cell; row counts from 0 in the order of insertion. */
void rlk_fake_change(struct rlk_conn *c, const char *table, size_t row,
                     size_t column, rowlock_value value);
/* Somebody holds the lock that the trace would call name: "record t(1)",
 * "key t.slug(x)"; NULL: nobody holds any. */
void rlk_fake_hold(struct rlk_conn *c, const char *name);

/* ---- scripts ---- */

typedef void rlk_fake_hook(struct rlk_conn *c, void *arg);
/* Before the n-th call (1: the next) of op ("update") fn is called; the call
 * then answers code unless that is 0. */
void rlk_fake_at(struct rlk_conn *c, const char *op, int n, rlk_fake_hook *fn,
                 void *arg, int code);
/* Every call that would wait runs fn. */
void rlk_fake_on_wait(struct rlk_conn *c, rlk_fake_hook *fn, void *arg);
/* The next rollback_to() finds that the engine has ended the transaction. */
void rlk_fake_lose(struct rlk_conn *c);

/* ---- what happened ---- */

/* One word a call since the last asking, "begin select(t) record t(1) ...". */
const char *rlk_fake_trace(struct rlk_conn *c);
size_t rlk_fake_count(struct rlk_conn *c, const char *table);
rowlock_value rlk_fake_cell(struct rlk_conn *c, const char *table, size_t row,
                            size_t column);
bool rlk_fake_holds(struct rlk_conn *c, const char *name);
size_t rlk_fake_locks(struct rlk_conn *c);

#endif
