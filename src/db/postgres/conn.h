/* SPDX-License-Identifier: MIT
 * What the files of this folder share: the connection and its parts, each with
 * the file that owns it. Read next: exec.c, the one place that talks to the
 * server.
 *
 * Locks are the server's own. What is kept here is which of them this block
 * took (held.c), so that a save can be refused that has no lock. */
#ifndef RLK_DB_POSTGRES_CONN_H
#define RLK_DB_POSTGRES_CONN_H

#include <stdatomic.h>
#include <sys/types.h>

#include "base/text.h"
#include "db/driver.h"
#include "libpq.h"
#include "rowlock/lock.h"

struct rlk_pg;

/* ---- the catalogue: catalogue.c, table.c, types.c ---- */

enum rlk_pg_kind { /* how a column's text is read, and what it cannot hold */
                   RLK_PG_OTHER, /* read as text; not written */
                   RLK_PG_BOOL,
                   RLK_PG_INT,
                   RLK_PG_FLOAT4,
                   RLK_PG_FLOAT8,
                   RLK_PG_NUMERIC,
                   RLK_PG_TEXT,
                   RLK_PG_PADDED, /* char(n) */
                   RLK_PG_BYTES,
                   RLK_PG_TIMESTAMP,
                   RLK_PG_DATE,
                   RLK_PG_TIME,
                   RLK_PG_UUID,
                   RLK_PG_JSON
};

struct rlk_pg_column { /* what driver.h's users need not know */
    enum rlk_pg_kind kind;
    const char *type; /* quoted as SQL needs it, for casts */
    uint32_t digits;  /* of a second that it keeps: 0 to 6 */
    bool folds;       /* unequal texts may compare equal: citext and its like */
    bool in_key;      /* of the primary key or of a unique index */
};

struct rlk_pg_table {
    struct rlk_table base; /* first */
    const char *sql_name;  /* schema and name, quoted */
    uint32_t oid;
    struct rlk_pg_column *columns;
    struct rlk_pg_table *next;
    char *asked; /* the name by which it was asked for */
};

struct rlk_pg_catalogue {
    struct rlk_arena arena;
    struct rlk_pg_table *tables;
    int64_t read_ms; /* when the oldest of them was read; 0: none was */
    bool stale;      /* an error said so */
};

static inline const struct rlk_pg_table *
rlk_pg_table_of(const struct rlk_table *t)
{
    return (const struct rlk_pg_table *)t;
}

int rlk_pg_table(struct rlk_conn *conn, const char *name,
                 const struct rlk_table **ret, rowlock_error *err);
int rlk_pg_read_table(struct rlk_pg *c, const char *name,
                      struct rlk_pg_table **ret, rowlock_error *err);
/* From a base type's name (pg_type.typname), its modifier and its category. */
void rlk_pg_type(const char *type, int32_t modifier, char category,
                 struct rlk_column *ret, struct rlk_pg_column *ret_more);
/* At a block's begin: forgets what may be out of date. */
void rlk_pg_catalogue_age(struct rlk_pg *c);
void rlk_pg_catalogue_clear(struct rlk_pg *c);

/* ---- parameters and statements: exec.c ---- */

struct rlk_pg_params { /* in c->scratch, until the next rlk_pg_start() */
    const char **values;
    int *lengths, *formats;
    int n, cap;
    bool failed; /* out of memory */
};

#define RLK_PG_BEGIN "BEGIN ISOLATION LEVEL READ COMMITTED"
enum { RLK_PG_STATEMENTS = 256, RLK_PG_PRELUDE = 4 };

struct rlk_pg_statement { /* prepared on the server, as "r<slot>" */
    uint64_t hash;
    char *sql; /* NULL: free */
};

/* A statement is put together in c->sql and c->params, and run. */
void rlk_pg_start(struct rlk_pg *c);
/* Runs it: *ret is the caller's, to be given to rlk_pg_clear(). May block.
 * Errors: the server's; 57014; 08006. */
int rlk_pg_run(struct rlk_pg *c, PGresult **ret, rowlock_error *err);
/* The same, for one that answers nothing of interest. */
int rlk_pg_do(struct rlk_pg *c, const char *sql, rowlock_error *err);
/* The same, with the next statement, in one message: for what does not fail by
 * itself. */
int rlk_pg_later(struct rlk_pg *c, const char *sql, rowlock_error *err);
void rlk_pg_clear(struct rlk_pg *c, PGresult *r);
/* Hands each row over as it comes; *take answers 0 to go on. */
int rlk_pg_stream(struct rlk_pg *c,
                  int (*take)(struct rlk_pg *c, PGresult *r, void *arg,
                              rowlock_error *err),
                  void *arg, rowlock_error *err);
void rlk_pg_statements_clear(struct rlk_pg *c);
/* lock_timeout for what follows: milliseconds, ROWLOCK_WAIT for none; NOWAIT
 * and SKIP LOCKED become the shortest. */
int rlk_pg_set_wait(struct rlk_pg *c, int32_t wait_ms, rowlock_error *err);

/* ---- SQL text: text.c; all add to c->sql ---- */

void rlk_pg_sql(struct rlk_pg *c, const char *text);
void rlk_pg_sql_name(struct rlk_buf *sql, const char *name); /* quoted */
void rlk_pg_sql_columns(struct rlk_pg *c, const struct rlk_table *t,
                        const char *prefix);
/* " WHERE" of the primary key whose values are given, in key order. */
int rlk_pg_sql_is_key(struct rlk_pg *c, const struct rlk_table *t,
                      const rowlock_value *pk, rowlock_error *err);
int rlk_pg_sql_where(struct rlk_pg *c, const struct rlk_select *q,
                     rowlock_error *err);
void rlk_pg_sql_order(struct rlk_pg *c, const struct rlk_select *q);
void rlk_pg_sql_lock(struct rlk_pg *c, enum rowlock_mode mode, int32_t wait_ms);
/* A parameter: its "$n" in the text, and its value. */
int rlk_pg_sql_value(struct rlk_pg *c, const struct rlk_table *t,
                     uint32_t column, rowlock_value v, rowlock_error *err);
/* Adds one to an array's text, whose end the caller writes: {"a","b" */
void rlk_pg_array_add(struct rlk_buf *list, const char *text);
void rlk_pg_sql_text(struct rlk_pg *c, const char *text, size_t len);

/* ---- values: values.c ---- */

/* v as text for the server, with a NUL behind it, in arena. */
const char *rlk_pg_text(struct rlk_arena *arena, rowlock_value v);
/* 22xxx, or 0A000: what the column would change silently, or cannot take. */
int rlk_pg_check(const struct rlk_table *t, uint32_t column, rowlock_value v,
                 rowlock_error *err);
/* Adds one of the result's rows, whose first columns are the table's. */
int rlk_pg_row_add(const struct rlk_table *t, const struct rlk_pg *c,
                   const PGresult *r, int row, struct rlk_rows *ret,
                   rowlock_error *err);
/* One cell of a kind; its text is in arena. false: out of memory. */
bool rlk_pg_value(struct rlk_arena *arena, enum rlk_pg_kind kind,
                  const char *text, size_t len, rowlock_value *ret);
/* A number as a hash sees it, and its like: for names of keys. */
uint64_t rlk_pg_hash(uint64_t seed, const void *bytes, size_t len);

/* ---- which records this block holds: held.c ---- */

struct rlk_pg_held {
    uint64_t name; /* 0: free */
    enum rowlock_mode mode;
};

struct rlk_pg_locks {
    struct rlk_pg_held *slots; /* a hash, a power of two */
    size_t n_slots, n_used;
    struct rlk_pg_held *log; /* what was before, for savepoints */
    size_t n_log, cap_log;
};

/* pk in key order. false: out of memory. */
bool rlk_pg_hold(struct rlk_pg *c, const struct rlk_table *t,
                 const rowlock_value *pk, enum rowlock_mode mode);
bool rlk_pg_hold_row(struct rlk_pg *c, const struct rlk_table *t,
                     const struct rlk_row *row, enum rowlock_mode mode);
enum rowlock_mode rlk_pg_held(struct rlk_conn *conn, const struct rlk_table *t,
                              const rowlock_value *pk);
void rlk_pg_held_back_to(struct rlk_pg_locks *l, size_t mark);
void rlk_pg_held_done(struct rlk_pg_locks *l);

/* ---- the block: transaction.c ---- */

struct rlk_pg_level {
    size_t held;
    bool issued; /* the server has its savepoint (of level 0: BEGIN) */
};

struct rlk_pg_tx {
    struct rlk_pg_level *levels;
    size_t n_levels, cap_levels;
    bool lost;
};

/* Every call of the driver table starts with it: the connection is this
 * process's, a block is open, not lost, and the server knows of its levels. */
int rlk_pg_ready(struct rlk_pg *c, rowlock_error *err);
int rlk_pg_begin(struct rlk_conn *conn, rowlock_error *err);
int rlk_pg_savepoint(struct rlk_conn *conn, size_t level, rowlock_error *err);
void rlk_pg_rollback_to(struct rlk_conn *conn, size_t level);
int rlk_pg_release(struct rlk_conn *conn, size_t level, rowlock_error *err);
int rlk_pg_commit(struct rlk_conn *conn, rowlock_error *err);
void rlk_pg_rollback(struct rlk_conn *conn);
bool rlk_pg_transaction_lost(struct rlk_conn *conn);
int rlk_pg_check_deferred(struct rlk_conn *conn, rowlock_error *err);

/* ---- calls: select.c, lookup.c, keys.c, write.c, batch.c, sql.c ---- */

int rlk_pg_select(struct rlk_conn *conn, const struct rlk_select *q,
                  struct rlk_rows *ret, rowlock_error *err);
int rlk_pg_lock_row(struct rlk_conn *conn, const struct rlk_table *t,
                    const rowlock_value *pk, enum rowlock_mode mode,
                    int32_t wait_ms, rowlock_error *err);
int rlk_pg_scan(struct rlk_conn *conn, const struct rlk_scan *scan,
                rowlock_error *err);
int rlk_pg_lookup(struct rlk_conn *conn, const struct rlk_table *t,
                  const struct rlk_match *keys, size_t n_keys,
                  struct rlk_rows *ret, int *ret_found, rowlock_error *err);
int rlk_pg_lock_keys(struct rlk_conn *conn, const struct rlk_table *t,
                     const struct rlk_match *keys, size_t n_keys,
                     int32_t wait_ms, rowlock_error *err);
int rlk_pg_start_write(struct rlk_conn *conn, int32_t wait_ms,
                       rowlock_error *err);
int rlk_pg_insert(struct rlk_conn *conn, const struct rlk_table *t,
                  const struct rlk_set *set, size_t n_set, int32_t wait_ms,
                  struct rlk_rows *ret_row, rowlock_error *err);
int rlk_pg_update(struct rlk_conn *conn, const struct rlk_table *t,
                  const struct rlk_row *old, const struct rlk_set *set,
                  size_t n_set, int32_t wait_ms, struct rlk_rows *ret_row,
                  rowlock_error *err);
int rlk_pg_remove(struct rlk_conn *conn, const struct rlk_table *t,
                  const struct rlk_row *old, int32_t wait_ms,
                  rowlock_error *err);
int rlk_pg_put_all(struct rlk_conn *conn, const struct rlk_table *t,
                   const struct rlk_write *writes, size_t n,
                   enum rlk_put_state *ret_states, struct rlk_rows *ret_made,
                   size_t *ret_made_of, rowlock_error *err);
int rlk_pg_read_sql(struct rlk_conn *conn, const char *sql,
                    const rowlock_value *params, size_t n_params,
                    struct rlk_rows *ret, rowlock_error *err);

/* ---- errors.c ---- */

/* The server's error in the contract's words; answers the code. */
int rlk_pg_fail(struct rlk_pg *c, const PGresult *r, rowlock_error *err);
/* The connection is gone: fails every level. */
int rlk_pg_lost(struct rlk_pg *c, rowlock_error *err);
/* That libpq itself failed; never repeats what may hold a password. */
int rlk_pg_connect_failed(const struct rlk_libpq *pq, PGconn *db,
                          rowlock_error *err);
int rlk_pg_not_available(rowlock_error *err);

/* ---- the connection: connection.c ---- */

struct rlk_pg {
    struct rlk_conn base; /* first */
    const struct rlk_libpq *pq;
    PGconn *db;
    pid_t pid;         /* whose it is */
    char *url, *label; /* url may hold a password: it is never shown */
    char *schema;      /* SQL for each new session, or NULL */
    char where[160];   /* "app at db.example.com:5432", for messages */
    void (*on_wait)(const rowlock_wait_notice *notice, void *arg);
    void *on_wait_arg;
    bool look_only; /* the server itself refuses to lock or write */
    int wake;       /* an eventfd: cancel() writes to it */
    atomic_int cancelled;
    int32_t wait_ms; /* the server's lock_timeout; -1: not known */
    char prelude[RLK_PG_PRELUDE][64]; /* to go ahead of the next statement */
    int n_prelude;
    int n_piped; /* so many went ahead of the statement under way */
    struct rlk_buf sql;
    struct rlk_pg_params params;
    struct rlk_arena scratch;                                  /* of one call */
    struct rlk_pg_statement statements[2 * RLK_PG_STATEMENTS]; /* a hash */
    size_t n_statements;
    bool begin_is_prepared;
    bool forget_statements; /* their tables have changed */
    struct rlk_pg_catalogue catalogue;
    struct rlk_pg_locks held;
    struct rlk_pg_tx tx;
};

static inline struct rlk_pg *
rlk_pg_of(struct rlk_conn *conn)
{
    return (struct rlk_pg *)conn;
}

/* url.c: what is wrong with it shows nothing of it. */
int rlk_pg_check_url(const struct rlk_libpq *pq, const char *url,
                     rowlock_error *err);
/* A connection, open or not: the caller's. */
PGconn *rlk_pg_dial(const struct rlk_libpq *pq, const char *url,
                    const char *label);
/* holder.c: calls on_wait, if there is one. */
void rlk_pg_tell_holder(struct rlk_pg *c, int64_t waited_ms);
/* Connects anew when the connection is gone. */
int rlk_pg_reconnect(struct rlk_pg *c, rowlock_error *err);

#endif
