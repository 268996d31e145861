/* SPDX-License-Identifier: MIT
 * One engine behind the record API: a table of functions, and the few plain
 * data types that cross it. Nothing here knows of records, retries or merges;
 * nothing above it knows of SQL.
 *
 * Levels. The outermost block is level 0, each nested block one more. The room
 * above calls begin, then savepoint(1), savepoint(2) ... in order; level n is
 * undone with rollback_to(n) and forgotten with release(n).
 *
 * Failure. After any error but ROWLOCK_MISUSE the caller calls rollback_to()
 * for the innermost level before anything else, and sends nothing more at that
 * level. Then it asks transaction_lost(): true means that the engine ended the
 * whole transaction by itself, so that every level is failed.
 *
 * Waiting. "May block" below means: sleeps for another session. wait_ms is a
 * wait policy of lock.h. With ROWLOCK_SKIP_LOCKED a call that names one record
 * answers ROWLOCK_NOT_AVAILABLE. So does a call whose turn to write does not
 * come, but with the SQLSTATE RLK_NO_TURN: no record is in the way.
 *
 * Values that go in are already what the column's type holds (record does
 * that); values that come out are as the database stores them. */
#ifndef RLK_DB_DRIVER_H
#define RLK_DB_DRIVER_H

#include <stdbool.h>

#include "base/error.h"
#include "base/memory.h"
#include "rowlock/record.h"

#define RLK_NO_TURN "55006"

struct rlk_conn; /* an engine's connection; each driver embeds it first */

/* ---- the catalogue ---- */

enum rlk_column_type { /* from the declared type; how a value is checked */
                       RLK_TYPE_ANY, /* no declared type: stored as given */
                       RLK_TYPE_INTEGER,
                       RLK_TYPE_REAL,
                       RLK_TYPE_DECIMAL,
                       RLK_TYPE_BOOLEAN,
                       RLK_TYPE_TEXT,
                       RLK_TYPE_BLOB,
                       RLK_TYPE_TIMESTAMP,
                       RLK_TYPE_DATE,
                       RLK_TYPE_TIME,
                       RLK_TYPE_UUID,
                       RLK_TYPE_JSON
};

struct rlk_column {
    const char *name;
    const char *declared; /* the declared type, "" when none */
    enum rlk_column_type type;
    uint32_t length;           /* declared, in characters; 0: none */
    uint32_t precision, scale; /* DECIMAL; 0, 0: none declared */
    uint32_t integer_bits; /* INTEGER: 16, 32 or 64; as this engine stores */
    bool not_null, has_default, generated;
    bool unwritable; /* of a type of the engine's own: read as text, and not
                        written */
    const char *collation; /* "BINARY", "NOCASE", "RTRIM" or another */
};

struct rlk_index { /* columns are positions in the table's columns */
    const char *name;
    const uint32_t *columns;
    size_t n_columns;
    bool unique;
    bool partial; /* has a WHERE, or an expression: guards not every record */
};

struct rlk_foreign_key {
    const char *parent;
    const uint32_t *columns;
    const char *const *parent_columns; /* resolved, never NULL */
    size_t n_columns;
    bool cascades; /* ON DELETE or ON UPDATE does something to the child */
};

struct rlk_table { /* owned by the connection; a pointer stays valid until its
                      block ends (a changed schema makes a new one) */
    const char *name; /* as the catalogue spells it */
    const struct rlk_column *columns;
    size_t n_columns;
    const uint32_t *primary_key; /* positions, in key order */
    size_t n_primary_key;        /* at least 1: others are refused */
    bool numbers_records; /* a new record without a primary key gets one */
    const struct rlk_index *indexes; /* without the primary key */
    size_t n_indexes;
    const struct rlk_foreign_key *foreign_keys;
    size_t n_foreign_keys;
    bool has_triggers;
    bool reaches_others; /* a write may change other records: triggers, or
                            foreign keys that cascade from it */
    int64_t made; /* differs once the table was dropped and made anew; it may
                     also differ after other changes of the schema */
};

/* ---- rows ---- */

struct rlk_row { /* all the table's columns, in order, and their bytes */
    rowlock_value *values;
    size_t n_values;
};

/* Rows and everything they point to, in one arena. Zeroed is empty. */
struct rlk_rows {
    struct rlk_arena arena;
    struct rlk_row *rows;
    size_t n_rows;
    const char *const *column_names; /* of sql() only: in the arena */
    size_t n_columns;
};
void rlk_rows_done(struct rlk_rows *rows);
void rlk_rows_clear(struct rlk_rows *rows); /* keeps some memory */
/* Room for one more row of n_values NULLs; NULL when out of memory. */
struct rlk_row *rlk_rows_add(struct rlk_rows *rows, size_t n_values);
/* Copies value's bytes into the arena of rows; false when out of memory. */
bool rlk_rows_set(struct rlk_rows *rows, rowlock_value *cell,
                  rowlock_value value);

/* *ret is v, with its bytes in arena; false when out of memory. */
bool rlk_value_copy(struct rlk_arena *arena, rowlock_value v,
                    rowlock_value *ret);
/* Equal by type and bytes (NaN equals itself; 1 is not 1.0). */
bool rlk_value_same(rowlock_value a, rowlock_value b);

/* ---- requests, all borrowed for the call ---- */

struct rlk_term {
    uint32_t column;
    enum rowlock_op op;
    const rowlock_value *values;
    size_t n_values;
};

struct rlk_order {
    uint32_t column;
    bool descending;
};

struct rlk_select {
    const struct rlk_table *table;
    const struct rlk_term *where; /* joined by AND */
    size_t n_where;
    const struct rlk_order *order; /* the driver adds the primary key */
    size_t n_order;
    int64_t limit, offset; /* limit 0: all */
    enum rowlock_mode lock;
    int32_t wait_ms;
};

struct rlk_set { /* a column's new value */
    uint32_t column;
    rowlock_value value;
};

/* How far commits have come. Equal twice: nobody has committed in between, so
 * that a read then and a read now see the same. */
struct rlk_mark {
    uint32_t others; /* changes with other sessions' commits; 0: not known */
    uint32_t own;    /* counts this session's own that wrote */
};

/* Some columns of all records, in the order of the primary key. */
struct rlk_scan {
    const struct rlk_table *table;
    const uint32_t *columns;
    size_t n_columns;
    /* values: of the columns, borrowed for the call; calls nothing of the
     * connection. Another answer than 0 ends it, and is its answer. */
    int (*take)(const rowlock_value *values, void *arg, rowlock_error *err);
    void *arg;
};

/* What is about to be written: old is NULL for a new record, set is NULL for
 * a delete. */
struct rlk_write {
    const struct rlk_table *table;
    const struct rlk_row *old;
    const struct rlk_set *set;
    size_t n_set;
};

enum rlk_put_state { /* of put_all() */
                     RLK_PUT_DONE,
                     RLK_PUT_HELD,   /* another holds it, or it is gone */
                     RLK_PUT_CHANGED /* it is not as it was read; of a new one:
                                        its key is taken */
};

/* A match key: the record whose columns equal the values (none NULL). */
struct rlk_match {
    const struct rlk_set *columns;
    size_t n_columns;
};

struct rlk_open {
    const char *target; /* what stands behind "sqlite:" */
    const char *label;  /* as in rowlock_options */
    void (*on_wait)(const rowlock_wait_notice *notice, void *arg);
    void *on_wait_arg;
    bool relaxed;       /* commits do not wait until they are on disk */
    bool look_only;     /* nothing can be locked or written, and no file comes
                           into being: for dry runs */
    bool unfit;         /* with look_only: also a database that blocks are
                           refused in, such as one of another journal mode */
    const char *schema; /* with look_only: SQL that makes a database in memory,
                           which is looked at in place of target; or NULL */
};

enum rlk_capability {
    RLK_CAN_LOCK_KEYS = 1 << 0,     /* lock_keys() works */
    RLK_CAN_LOCK_WEAKER = 1 << 1,   /* KEY SHARE and NO KEY UPDATE are real */
    RLK_FREES_AT_SAVEPOINT = 1 << 2 /* rollback_to() gives locks back */
};

/* Every function is mandatory unless said otherwise. */
struct rlk_driver {
    const char *name; /* "sqlite" */
    unsigned capabilities;

    /* No transaction. May block for the lock table's attach lock. */
    int (*open)(const struct rlk_open *o, struct rlk_conn **ret,
                rowlock_error *err);
    /* Rolls back what is open. In a forked child only frees memory. */
    void (*close)(struct rlk_conn *c);
    /* Async-signal-safe: sets a flag and wakes a futex. */
    void (*cancel)(struct rlk_conn *c);

    /* Starts level 0. Does not block. */
    int (*begin)(struct rlk_conn *c, rowlock_error *err);
    /* Starts level (the number of levels so far). Does not block. */
    int (*savepoint)(struct rlk_conn *c, size_t level, rowlock_error *err);
    /* Undoes data since level started, then gives back or lowers its locks.
     * The level stays open. Never fails from the caller's view: what could
     * not be undone shows in transaction_lost(). Does not block. */
    void (*rollback_to)(struct rlk_conn *c, size_t level);
    /* Forgets a nested level, keeping its data and locks. */
    int (*release)(struct rlk_conn *c, size_t level, rowlock_error *err);
    /* Ends level 0: all locks go, and when it answers 0 what was written is on
     * disk (unless rlk_open.relaxed). On failure everything is rolled back, but
     * for a failed flush: the error says that it is committed. No level is
     * open then. May block. */
    int (*commit)(struct rlk_conn *c, rowlock_error *err);
    /* Waits until all that was committed, by anyone, when it is called is on
     * disk. NULL: what can be read is. May block. */
    int (*durable)(struct rlk_conn *c, rowlock_error *err);
    /* Ends level 0, rolling back. Does not block. */
    void (*rollback)(struct rlk_conn *c);
    /* The engine ended the transaction by itself since begin(). */
    bool (*transaction_lost)(struct rlk_conn *c);

    /* The catalogue's word on a table; works in and outside a block. Errors:
     * 42P01; 0A000 for views, virtual tables, tables without primary key. */
    int (*table)(struct rlk_conn *c, const char *name,
                 const struct rlk_table **ret, rowlock_error *err);

    /* All below need level 0. */

    /* Finds, locks in the order of the query, reads again, checks again.
     * *ret: caller's. May block unless READ. Locked rows are the newest
     * committed version (or the block's own). */
    int (*select)(struct rlk_conn *c, const struct rlk_select *q,
                  struct rlk_rows *ret, rowlock_error *err);
    /* Looks all keys up in one snapshot, without locks. ret_found[i]: the
     * position in ret of key i's record, or -1; two keys share one, but for
     * keys that stand far apart among more than 64. Of
     * several records with equal key values the one with the lowest primary
     * key is meant. */
    int (*lookup)(struct rlk_conn *c, const struct rlk_table *t,
                  const struct rlk_match *keys, size_t n_keys,
                  struct rlk_rows *ret, int *ret_found, rowlock_error *err);
    /* UPDATE locks on key values, in canonical order whatever the order
     * given; values go through affinity and collation. May block. */
    int (*lock_keys)(struct rlk_conn *c, const struct rlk_table *t,
                     const struct rlk_match *keys, size_t n_keys,
                     int32_t wait_ms, rowlock_error *err);
    /* Get ready to write: from here to the next wait nobody else's write can
     * come between a lookup and our write. (SQLite: the slot, BEGIN
     * IMMEDIATE.) May block. */
    int (*start_write)(struct rlk_conn *c, int32_t wait_ms, rowlock_error *err);
    /* ret_row (may be NULL): the record as stored, locked UPDATE, is added to
     * it. Takes KEY SHARE on parents. 23505 with the index's columns in the
     * detail. May block; wait_ms bounds each lock. */
    int (*insert)(struct rlk_conn *c, const struct rlk_table *t,
                  const struct rlk_set *set, size_t n_set, int32_t wait_ms,
                  struct rlk_rows *ret_row, rowlock_error *err);
    /* Writes set into the record that was read as old, whose lock the caller
     * holds (NO KEY UPDATE at least; raised to UPDATE here when a unique
     * column changes). 40001 when the stored row differs from old.
     * ret_row as above. May block. */
    int (*update)(struct rlk_conn *c, const struct rlk_table *t,
                  const struct rlk_row *old, const struct rlk_set *set,
                  size_t n_set, int32_t wait_ms, struct rlk_rows *ret_row,
                  rowlock_error *err);
    /* Raises the lock to UPDATE. 40001 as above. May block. */
    int (*remove)(struct rlk_conn *c, const struct rlk_table *t,
                  const struct rlk_row *old, int32_t wait_ms,
                  rowlock_error *err);
    /* The mode held on a record, ROWLOCK_READ for none. pk: its primary key,
     * in key order, as the database gives it back. */
    enum rowlock_mode (*held)(struct rlk_conn *c, const struct rlk_table *t,
                              const rowlock_value *pk);
    /* The mark of rowlock_locks_mark() and its undoing, for a call that gives
     * back the locks it took itself; data is untouched. May be NULL where
     * locks cannot go early. */
    size_t (*lock_mark)(struct rlk_conn *c);
    void (*unlock_to)(struct rlk_conn *c, size_t mark);
    /* Read-only SQL; 0A000 for what could write. */
    int (*sql)(struct rlk_conn *c, const char *sql, const rowlock_value *params,
               size_t n_params, struct rlk_rows *ret, rowlock_error *err);

    /* ---- optional: what makes an import fast ---- */

    /* The number of the engine's write transaction that is open, 0 when none
     * is; a new one whenever it was ended or given up for a wait. Two equal
     * answers other than 0: nobody else's write came in between, so what was
     * read then is still the newest version. NULL: assume the worst. */
    uint64_t (*write_epoch)(struct rlk_conn *c);
    /* What a read would see now. Works in and outside a write transaction.
     * NULL: cannot be told. */
    int (*commit_mark)(struct rlk_conn *c, struct rlk_mark *ret,
                       rowlock_error *err);
    /* As insert(), or lock_row() and update(), with NOWAIT, where write_epoch()
     * and commit_mark() prove that w->old is what is there: so it need not be
     * compared. Until the block ends what w points to must stay, and so long
     * lasts ret_row. */
    int (*put)(struct rlk_conn *c, const struct rlk_write *w,
               struct rlk_rows *ret_row, rowlock_error *err);
    /* Many at once, where put() cannot be: each write->old was read without a
     * lock. Those that are still the same are locked and written; new ones are
     * inserted unless a unique index already has their key. Nobody is waited
     * for. Only for tables with one column as primary key, without triggers,
     * and writes that change no key; n_set is at least 1. ret_states[i]: what
     * became of writes[i]; of a new one that is done ret_made_of[i] is its row
     * in ret_made. Any error leaves the batch half done, for the caller to roll
     * back. NULL: not so. */
    int (*put_all)(struct rlk_conn *c, const struct rlk_table *t,
                   const struct rlk_write *writes, size_t n,
                   enum rlk_put_state *ret_states, struct rlk_rows *ret_made,
                   size_t *ret_made_of, rowlock_error *err);
    /* Locks one record by the primary key that was read, without reading it
     * again; write_epoch() tells whether it can have changed. May block.
     * NULL: select() it. */
    int (*lock_row)(struct rlk_conn *c, const struct rlk_table *t,
                    const rowlock_value *pk, enum rowlock_mode mode,
                    int32_t wait_ms, rowlock_error *err);
    /* Checks now what the schema leaves to the commit, as it does with foreign
     * keys that are DEFERRED: 23503. So it shows in which nested level it went
     * wrong. Does not block. NULL: nothing is left to the commit. */
    int (*check_deferred)(struct rlk_conn *c, rowlock_error *err);
    /* Does a lookup() by these columns read the whole table? NULL: the table's
     * indexes tell. Works in and outside a block. */
    int (*scans)(struct rlk_conn *c, const struct rlk_table *t,
                 const uint32_t *columns, size_t n_columns, bool *ret,
                 rowlock_error *err);
    /* Hands some columns of every record to scan->take, in one snapshot,
     * without locks and without holding more than one record. NULL: it is not
     * to be had. */
    int (*scan)(struct rlk_conn *c, const struct rlk_scan *scan,
                rowlock_error *err);
};

struct rlk_conn {
    const struct rlk_driver *driver;
};

extern const struct rlk_driver rlk_sqlite_driver;
extern const struct rlk_driver rlk_postgres_driver;
/* A connection to a server that has no advisory locks; open() chooses it. */
extern const struct rlk_driver rlk_postgres_distributed_driver;

#endif
