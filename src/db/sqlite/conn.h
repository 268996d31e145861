/* SPDX-License-Identifier: MIT
 * What the files of this folder share: the connection and its parts, each with
 * the file that owns it. Read next: transaction.c.
 *
 * The order in which a block takes things: key locks, record locks, the writer
 * slot, SQLite's write lock. It never sleeps for the first two while it holds
 * the last two (slot.c). */
#ifndef RLK_DB_SQLITE_CONN_H
#define RLK_DB_SQLITE_CONN_H

#include <stdatomic.h>

#include <sqlite3.h>

#include "base/text.h"
#include "db/driver.h"
#include "rowlock/lock.h"

struct rlk_sqlite;

/* ---- moments: moment.c ---- */

/* How far commits have come, read from SQLite's shared memory at no cost of a
 * lock: two moments that are the same have no commit between them, by anyone.
 */
struct rlk_sqlite_moment {
    uint32_t
        words[24]; /* both copies of the WAL-index header; all 0: unknown */
};

struct rlk_sqlite_moment rlk_sqlite_moment(struct rlk_sqlite *c);
/* Unknown ones never are. */
bool rlk_sqlite_same_moment(const struct rlk_sqlite_moment *a,
                            const struct rlk_sqlite_moment *b);
/* After COMMIT: the catalogue stays checked if this was the only one. */
void rlk_sqlite_note_own_commit(struct rlk_sqlite *c);

/* ---- the catalogue: catalogue.c, table.c, types.c ---- */

enum rlk_affinity {
    RLK_AFFINITY_NONE,
    RLK_AFFINITY_TEXT,
    RLK_AFFINITY_NUMERIC, /* INTEGER too: they store alike */
    RLK_AFFINITY_REAL
};

struct rlk_sqlite_column { /* what driver.h's users need not know */
    enum rlk_affinity affinity;
    bool in_key;         /* of the primary key or of a unique index */
    int storage;         /* its number for the preupdate hook; -1: computed */
    rowlock_value added; /* what rows older than the column show in it */
};

struct rlk_sqlite_table {
    struct rlk_table base; /* first */
    uint32_t id;           /* in the shapes of statements */
    struct rlk_sqlite_column *columns;
    bool computed; /* has generated columns */
    bool without_rowid;
    bool rowid_key;    /* the primary key is the rowid */
    bool misnumbered;  /* has VIRTUAL columns: the hook mixes columns up */
    bool sequence;     /* the database may keep AUTOINCREMENT numbers for it */
    uint32_t *crowded; /* how many inserts shall still choose their own key */
    struct rlk_sqlite_table *next;
};

struct rlk_sqlite_catalogue {
    struct rlk_arena arena;
    struct rlk_sqlite_table *tables;
    int64_t schema_version;
    bool known;   /* schema_version was read */
    bool whole;   /* every table with a primary key is in tables */
    bool checked; /* against the database, in this block */
    struct rlk_sqlite_moment checked_at; /* and nothing of others since */
    uint32_t last_id;
};

int rlk_sqlite_table(struct rlk_conn *conn, const char *name,
                     const struct rlk_table **ret, rowlock_error *err);
/* Loads what a trigger or cascade of t may touch. */
int rlk_sqlite_know_reach(struct rlk_sqlite *c,
                          const struct rlk_sqlite_table *t, rowlock_error *err);
/* A table that is loaded, as the catalogue spells it; NULL: none. */
const struct rlk_sqlite_table *rlk_sqlite_loaded(const struct rlk_sqlite *c,
                                                 const char *name);
/* table.c: reads one table; 42P01 and 0A000 as driver.h says. */
int rlk_sqlite_read_table(struct rlk_sqlite *c, const char *name,
                          struct rlk_sqlite_table **ret, rowlock_error *err);
/* types.c: from c->declared, and whether the table is STRICT. */
void rlk_sqlite_type(struct rlk_column *c, bool strict,
                     enum rlk_affinity *ret_affinity);

static inline const struct rlk_sqlite_table *
rlk_sqlite_table_of(const struct rlk_table *t)
{
    return (const struct rlk_sqlite_table *)t;
}

/* ---- prepared statements: statements.c ---- */

enum rlk_sqlite_op { /* the first word of a statement's shape */
                     RLK_OP_BEGIN,
                     RLK_OP_BEGIN_IMMEDIATE,
                     RLK_OP_COMMIT,
                     RLK_OP_SAVEPOINT,
                     RLK_OP_ROLLBACK_TO,
                     RLK_OP_RELEASE,
                     RLK_OP_DATA_VERSION,
                     RLK_OP_SCHEMA_VERSION,
                     RLK_OP_PAGE_SIZE,
                     RLK_OP_CAST,
                     RLK_OP_FIND,
                     RLK_OP_AGAIN,
                     RLK_OP_LOOKUP,
                     RLK_OP_LOOKUP_ALL,
                     RLK_OP_PARENT,
                     RLK_OP_MAX_KEY,
                     RLK_OP_SEQUENCE,
                     RLK_OP_INSERT,
                     RLK_OP_UPDATE,
                     RLK_OP_DELETE
};

enum { RLK_CACHE_SETS = 32, RLK_CACHE_WAYS = 4 };

struct rlk_sqlite_stmt {
    sqlite3_stmt *stmt;
    uint64_t hash, used;
    uint32_t *shape;
    size_t n_shape;
};

struct rlk_sqlite_cache {
    struct rlk_sqlite_stmt sets[RLK_CACHE_SETS][RLK_CACHE_WAYS];
    uint32_t *shape; /* the one being asked for */
    size_t n_shape, cap_shape;
    uint64_t clock;
    struct rlk_buf sql;
};

/* Asking for a statement: start its shape, add what makes it differ, find. When
 * there is none yet, write its text to c->cache.sql and make it. A statement
 * found stays valid until the next make. */
void rlk_shape_start(struct rlk_sqlite *c, enum rlk_sqlite_op op,
                     const struct rlk_sqlite_table *t);
void rlk_shape_add(struct rlk_sqlite *c, uint32_t word);
sqlite3_stmt *rlk_shape_find(struct rlk_sqlite *c);
int rlk_shape_make(struct rlk_sqlite *c, sqlite3_stmt **ret,
                   rowlock_error *err);
void rlk_sqlite_cache_clear(struct rlk_sqlite *c);
/* Runs one without parameters; n is its number, as of a savepoint. */
int rlk_sqlite_run(struct rlk_sqlite *c, enum rlk_sqlite_op op, uint32_t n,
                   rowlock_error *err);
/* The integer that a PRAGMA answers. */
int rlk_sqlite_ask(struct rlk_sqlite *c, enum rlk_sqlite_op op, int64_t *ret,
                   rowlock_error *err);

/* ---- SQL text: text.c; all add to c->cache.sql ---- */

void rlk_sql(struct rlk_sqlite *c, const char *text);
void rlk_sql_name(struct rlk_sqlite *c, const char *name); /* quoted */
void rlk_sql_columns(struct rlk_sqlite *c, const struct rlk_table *t);
void rlk_sql_primary_key(struct rlk_sqlite *c, const struct rlk_table *t);
void rlk_sql_is_primary_key(struct rlk_sqlite *c, const struct rlk_table *t);
void rlk_sql_where(struct rlk_sqlite *c, const struct rlk_select *q);
void rlk_sql_order(struct rlk_sqlite *c, const struct rlk_select *q);
/* The words that make one filter differ from another. */
void rlk_shape_where(struct rlk_sqlite *c, const struct rlk_select *q);

/* ---- values: values.c ---- */

int rlk_bind(struct rlk_sqlite *c, sqlite3_stmt *s, int n, rowlock_value v,
             rowlock_error *err);
int rlk_bind_all(struct rlk_sqlite *c, sqlite3_stmt *s, int *n,
                 const rowlock_value *v, size_t count, rowlock_error *err);
int rlk_bind_where(struct rlk_sqlite *c, sqlite3_stmt *s, int *n,
                   const struct rlk_select *q, rowlock_error *err);
/* Views: valid until the statement steps again. */
rowlock_value rlk_column(sqlite3_stmt *s, int n);
rowlock_value rlk_view(sqlite3_value *v);
/* Copies the statement's current row. */
int rlk_row_add(struct rlk_sqlite *c, sqlite3_stmt *s, struct rlk_rows *rows,
                rowlock_error *err);
/* Its first n columns. */
int rlk_row_add_first(struct rlk_sqlite *c, sqlite3_stmt *s, int n,
                      struct rlk_rows *rows, rowlock_error *err);
int rlk_rows_copy(struct rlk_rows *rows, const rowlock_value *row, size_t n,
                  rowlock_error *err);
/* The column stores v just as it is: neither its type nor bytes change. */
bool rlk_stored_as_is(const struct rlk_table *t, uint32_t column,
                      rowlock_value v);
/* A double that is a whole number becomes that integer. */
void rlk_fold_number(rowlock_value *v);
uint64_t rlk_value_hash(uint64_t seed, rowlock_value v);
uint64_t rlk_values_hash(uint64_t seed, const rowlock_value *v, size_t n);

/* ---- locks: locks.c ---- */

/* The values of t's primary key, taken out of a row of all its columns. */
void rlk_key_of(const struct rlk_table *t, const rowlock_value *row,
                rowlock_value *ret);
/* Asks the lock table. */
int rlk_sqlite_request(struct rlk_sqlite *c, const rowlock_name *name,
                       enum rowlock_mode mode, int32_t wait_ms,
                       rowlock_error *err);
/* Takes one lock. While the block holds the slot it does not wait: if it must,
 * it gives the slot back first (slot.c), and stays without. With SKIP_LOCKED
 * *err is not filled. */
int rlk_sqlite_take(struct rlk_sqlite *c, const rowlock_name *name,
                    enum rowlock_mode mode, int32_t wait_ms,
                    rowlock_error *err);
int rlk_sqlite_take_record(struct rlk_sqlite *c, const struct rlk_table *t,
                           const rowlock_value *key, enum rowlock_mode mode,
                           int32_t wait_ms, rowlock_error *err);
int rlk_sqlite_lock_keys(struct rlk_conn *conn, const struct rlk_table *t,
                         const struct rlk_match *keys, size_t n_keys,
                         int32_t wait_ms, rowlock_error *err);

/* ---- the block: transaction.c, slot.c ---- */

/* One record write, kept so that it can be done again after a wait. */
struct rlk_sqlite_write {
    enum rlk_sqlite_op op; /* INSERT, UPDATE or DELETE */
    const struct rlk_sqlite_table *table;
    const rowlock_value *key; /* of the record that is changed or removed */
    const struct rlk_set *set;
    size_t n_set;
    uint64_t old; /* the hash of the row that is expected there */
    const struct rlk_row *old_row; /* kept where hashes cannot be had */
};

struct rlk_sqlite_level {
    size_t lock_mark;
    size_t n_log;      /* writes before it started */
    size_t n_versions; /* own versions before it started */
    bool issued;       /* SQLite has its savepoint */
};

struct rlk_sqlite_version { /* a row that this block itself left */
    uint64_t record, row;   /* hashes; row 0: removed */
};

struct rlk_sqlite_tx {
    struct rlk_sqlite_level *levels;
    size_t n_levels, cap_levels;
    struct rlk_arena arena; /* of the log */
    struct rlk_sqlite_write *log;
    size_t n_log, cap_log;
    struct rlk_sqlite_version *versions;
    size_t n_versions, cap_versions;
    uint64_t epoch;
    int64_t in_place_ms; /* when the files were last looked at */
    bool writing;        /* the slot is held and BEGIN IMMEDIATE is done */
    bool lost;
    struct rlk_sqlite_moment begun_at; /* once writing */
    bool replaying;                    /* slot.c redoes the log */
};

/* Every call of the driver table starts with it: the handle is this process's,
 * a block is open and not lost. */
int rlk_sqlite_ready(struct rlk_sqlite *c, rowlock_error *err);
int rlk_sqlite_begin(struct rlk_conn *conn, rowlock_error *err);
int rlk_sqlite_savepoint(struct rlk_conn *conn, size_t level,
                         rowlock_error *err);
void rlk_sqlite_rollback_to(struct rlk_conn *conn, size_t level);
int rlk_sqlite_release(struct rlk_conn *conn, size_t level, rowlock_error *err);
int rlk_sqlite_commit(struct rlk_conn *conn, rowlock_error *err);
void rlk_sqlite_rollback(struct rlk_conn *conn);
bool rlk_sqlite_transaction_lost(struct rlk_conn *conn);
size_t rlk_sqlite_lock_mark(struct rlk_conn *conn);
void rlk_sqlite_unlock_to(struct rlk_conn *conn, size_t mark);

int rlk_sqlite_start_write(struct rlk_conn *conn, int32_t wait_ms,
                           rowlock_error *err);
/* 08006 when the database's file was moved or replaced. */
int rlk_sqlite_check_place(struct rlk_sqlite *c, rowlock_error *err);
/* The slot is ours; and 08006 when the database or the lock table is not at its
 * path any more: asked if it was not lately. */
int rlk_sqlite_still_in_place(struct rlk_sqlite *c, rowlock_error *err);
/* A read must see the block's own writes: does the log again if a wait undid
 * it. */
int rlk_sqlite_see_own(struct rlk_sqlite *c, rowlock_error *err);
/* ROLLBACK, unless SQLite is in no transaction. */
void rlk_sqlite_roll_back(struct rlk_sqlite *c);
/* Ends the SQLite transaction and gives the slot back; the log stays. */
void rlk_sqlite_suspend(struct rlk_sqlite *c);
/* Savepoints of the levels that started before the next write. */
int rlk_sqlite_issue_savepoints(struct rlk_sqlite *c, size_t n_log,
                                rowlock_error *err);
/* Keeps a copy of w, whose set and key are already in c->tx.arena. */
int rlk_sqlite_log(struct rlk_sqlite *c, const struct rlk_sqlite_write *w,
                   rowlock_error *err);

/* ---- what a statement really changes: effects.c ---- */

struct rlk_sqlite_blocked { /* a record that another session holds */
    const struct rlk_table *table;
    rowlock_value *key;
    enum rowlock_mode mode;
};

struct rlk_sqlite_target { /* what the writer of a record has and wants */
    const struct rlk_row *expect; /* what was read, or NULL: compare hashes */
    rowlock_value *new_row;       /* NULL, or room for the row as written */
    struct rlk_arena *new_arena;  /* for its bytes */
    bool read_first;  /* the writer compares the row itself, before */
    bool chooses_key; /* the primary key is left to SQLite */
    bool current;     /* expect is proved to be there: it is not compared */
    bool foreseen;    /* the row as written is expect and set, or set alone:
                         the hook need not read it */
};

struct rlk_sqlite_effects {
    const struct rlk_sqlite_write *write; /* the one under way; NULL: none */
    struct rlk_sqlite_target target;
    bool key_is_taken; /* SQLite chose a key that another session holds */
    bool done;         /* the target was changed */
    bool stranger;     /* it was not as expected */
    int rc;            /* another error, in err */
    rowlock_error err;
    struct rlk_sqlite_blocked *blocked;
    size_t n_blocked, cap_blocked;
    struct rlk_arena arena; /* of blocked keys */
    rowlock_value *scratch;
    size_t cap_scratch;
};

void rlk_sqlite_watch(struct rlk_sqlite *c);
/* target: NULL in a replay. */
int rlk_effects_start(struct rlk_sqlite *c, const struct rlk_sqlite_write *w,
                      const struct rlk_sqlite_target *target,
                      rowlock_error *err);
/* Waits for what the statement met, without the slot. */
int rlk_effects_wait(struct rlk_sqlite *c, int32_t wait_ms, rowlock_error *err);
/* versions.c. A row 0 is a record removed. */
void rlk_add_version(struct rlk_sqlite *c, uint64_t record, uint64_t row);
/* The newest version of a record that this block left. */
bool rlk_own_version(const struct rlk_sqlite *c, uint64_t record,
                     uint64_t *ret_row);
/* The row that is there is the last that this block left in the record, and
 * what w expects is an earlier one. */
bool rlk_left_by_us(const struct rlk_sqlite *c,
                    const struct rlk_sqlite_write *w, uint64_t record,
                    uint64_t there);
uint64_t rlk_record_hash(const struct rlk_sqlite_table *t,
                         const rowlock_value *key);
uint64_t rlk_row_hash(const struct rlk_sqlite_table *t,
                      const rowlock_value *row);

/* ---- calls: select.c, lookup.c, write.c, parents.c, sql.c ---- */

int rlk_sqlite_select(struct rlk_conn *conn, const struct rlk_select *q,
                      struct rlk_rows *ret, rowlock_error *err);
int rlk_sqlite_lookup(struct rlk_conn *conn, const struct rlk_table *t,
                      const struct rlk_match *keys, size_t n_keys,
                      struct rlk_rows *ret, int *ret_found, rowlock_error *err);
/* The SQL of a lookup by the columns of key, added to the cache's. */
void rlk_lookup_sql(struct rlk_sqlite *c, const struct rlk_table *t,
                    const struct rlk_match *key);
int rlk_sqlite_scan(struct rlk_conn *conn, const struct rlk_scan *scan,
                    rowlock_error *err);
int rlk_sqlite_scans(struct rlk_conn *conn, const struct rlk_table *t,
                     const uint32_t *columns, size_t n_columns, bool *ret,
                     rowlock_error *err);
int rlk_sqlite_insert(struct rlk_conn *conn, const struct rlk_table *t,
                      const struct rlk_set *set, size_t n_set, int32_t wait_ms,
                      struct rlk_rows *ret_row, rowlock_error *err);
int rlk_sqlite_update(struct rlk_conn *conn, const struct rlk_table *t,
                      const struct rlk_row *old, const struct rlk_set *set,
                      size_t n_set, int32_t wait_ms, struct rlk_rows *ret_row,
                      rowlock_error *err);
int rlk_sqlite_put(struct rlk_conn *conn, const struct rlk_write *w,
                   struct rlk_rows *ret_row, rowlock_error *err);
int rlk_sqlite_remove(struct rlk_conn *conn, const struct rlk_table *t,
                      const struct rlk_row *old, int32_t wait_ms,
                      rowlock_error *err);
/* One write, once; the slot is held. 0, an error, or RLK_BLOCKED: it met
 * records of others, which rlk_effects_wait() waits for. */
enum { RLK_BLOCKED = -1 };
int rlk_sqlite_write_once(struct rlk_sqlite *c,
                          const struct rlk_sqlite_write *w,
                          const struct rlk_sqlite_target *target,
                          rowlock_error *err);
/* The record with this primary key, unlocked: one row or none. */
int rlk_sqlite_read_record(struct rlk_sqlite *c, const struct rlk_table *t,
                           const rowlock_value *key, struct rlk_rows *ret,
                           rowlock_error *err);
/* The primary key of an insert that leaves it to SQLite: newkey.c. */
bool rlk_leaves_key_open(const struct rlk_table *t, const struct rlk_set *set,
                         size_t n_set);
/* When others' inserts are under way: gives w a key of our own, locked. */
int rlk_sqlite_choose_key(struct rlk_sqlite *c, struct rlk_sqlite_write *w,
                          rowlock_error *err);
void rlk_key_was_taken(const struct rlk_sqlite_table *t);
/* KEY SHARE on the records that set's foreign keys point to. */
int rlk_sqlite_lock_parents(struct rlk_sqlite *c, const struct rlk_table *t,
                            const struct rlk_row *old,
                            const struct rlk_set *set, size_t n_set,
                            int32_t wait_ms, rowlock_error *err);
/* After 23503: the detail says which parent is missing. */
void rlk_sqlite_explain_parent(struct rlk_sqlite *c, const struct rlk_table *t,
                               const struct rlk_row *old,
                               const struct rlk_set *set, size_t n_set,
                               rowlock_error *err);
int rlk_sqlite_check_deferred(struct rlk_conn *conn, rowlock_error *err);
int rlk_sqlite_sql(struct rlk_conn *conn, const char *sql,
                   const rowlock_value *params, size_t n_params,
                   struct rlk_rows *ret, rowlock_error *err);
/* Refuses what could write, while c->reading_sql; installed at open. */
int rlk_sqlite_authorize(void *arg, int action, const char *a, const char *b,
                         const char *schema, const char *trigger);

/* ---- commits and the disk: durable.c ---- */

struct rlk_sqlite_wal {
    int frames; /* in it, after this session's last commit; 0: it wrote none */
    bool relaxed; /* commits do not wait for the disk */
};

void rlk_sqlite_watch_wal(struct rlk_sqlite *c);
/* After a commit, slot and locks given back: waits until it is on disk. ticket
 * 0: nothing was written. */
int rlk_sqlite_await_disk(struct rlk_sqlite *c, uint64_t ticket,
                          rowlock_error *err);
int rlk_sqlite_durable(struct rlk_conn *conn, rowlock_error *err);
/* After a commit, under the slot: empties the WAL when it is time. */
void rlk_sqlite_tend_wal(struct rlk_sqlite *c);
/* Poisons the database if this error of COMMIT may have lost a commit. */
void rlk_sqlite_poison_after_commit(struct rlk_sqlite *c, int rc);
/* Before the connection closes. */
void rlk_sqlite_leave_wal(struct rlk_sqlite *c);

/* ---- errors: errors.c ---- */

/* What SQLite has just refused, as an error of the contract; notes when it
 * ended the whole transaction. */
int rlk_sqlite_fail(struct rlk_sqlite *c, const char *doing,
                    rowlock_error *err);
int rlk_sqlite_not_available(rowlock_error *err);

/* ---- many keys in one statement: keylist.c ---- */

enum { RLK_KEYLIST_COLUMNS = 4 }; /* of one key, at most */
#define RLK_KEYLIST "rowlock_list_of_keys"

struct rlk_keylist { /* keys[at[0]], keys[at[1]] ...: all on the same columns */
    const struct rlk_match *keys;
    const size_t *at;
    size_t n;
};
/* Answers, for each key of c->keylist, in order, the records that have it: all
 * columns of t, and the key's position in keys. */
int rlk_keylist_statement(struct rlk_sqlite *c, const struct rlk_table *t,
                          const struct rlk_match *key, sqlite3_stmt **ret,
                          rowlock_error *err);

/* ---- the connection: connection.c, busy.c ---- */

struct rlk_sqlite_busy {
    int64_t since_ms, limit_ms;
    bool told;
};

struct rlk_sqlite {
    struct rlk_conn base; /* first */
    sqlite3 *db;
    sqlite3_stmt *roll_back;
    rowlock_locks *locks;
    unsigned fork_generation;
    atomic_int cancelled;
    bool open_block, reading_sql, has_keylist;
    uint32_t commits;    /* own, that wrote */
    int failed;          /* what rlk_sqlite_fail() last spoke of */
    const char *refused; /* by the authorizer: what the SQL wanted */
    void (*on_wait)(const rowlock_wait_notice *notice, void *arg);
    void *on_wait_arg;
    struct rlk_sqlite_busy busy;
    struct rlk_sqlite_wal wal;
    struct rlk_sqlite_catalogue catalogue;
    struct rlk_sqlite_cache cache;
    struct rlk_sqlite_tx tx;
    struct rlk_sqlite_effects effects;
    struct rlk_keylist keylist;
    struct rlk_arena names; /* of the last rlk_sqlite_lock_keys() */
};

/* False in a forked child, where the handle must not be used. */
bool rlk_sqlite_is_ours(const struct rlk_sqlite *c);
/* Answers 57014 once after a cancel. */
int rlk_sqlite_take_cancel(struct rlk_sqlite *c, rowlock_error *err);
int64_t rlk_sqlite_now_ms(void);
int rlk_sqlite_on_busy(void *arg, int n);
/* How long to wait for a program that takes no slot, under a wait policy. */
int64_t rlk_sqlite_patience(int32_t wait_ms);

static inline struct rlk_sqlite *
rlk_sqlite_of(struct rlk_conn *conn)
{
    return (struct rlk_sqlite *)conn;
}

#endif
