/* SPDX-License-Identifier: MIT
 * A session: one driver connection, its defaults and its memory. After fork()
 * a child's copy may only be closed; a counter that pthread_atfork() raises
 * tells, so that no call pays for getpid(). Read next: block.c. */
#include "block.h"

#include <pthread.h>
#include <string.h>

#include "base/text.h"
#include "declared.h"
#include "query.h"

static atomic_uint forks;
static pthread_once_t watch_once = PTHREAD_ONCE_INIT;

static void
count_fork(void)
{
    atomic_fetch_add(&forks, 1);
}

static void
watch_forks(void)
{
    pthread_atfork(NULL, NULL, count_fork);
}

bool
rlk_session_forked(const rowlock_db *db)
{
    return db->forks != atomic_load_explicit(&forks, memory_order_relaxed);
}

struct rlk_conn *
rlk_session_conn(rowlock_db *db)
{
    return db->conn;
}

int
rlk_options_read(const rowlock_options *o, rowlock_options *ret,
                 rowlock_error *err)
{
    *ret = (rowlock_options)ROWLOCK_OPTIONS_INIT;
    if (o)
        RLK_TRY(rlk_read_sized(o, o->size, ret, sizeof *ret, "rowlock_options",
                               err));
    if (ret->durability != ROWLOCK_FLUSH && ret->durability != ROWLOCK_RELAXED)
        return rlk_fail(err, ROWLOCK_MISUSE,
                        "rowlock_options.durability is not one of its values");
    if (ret->wait_ms < 0)
        return rlk_fail(err, ROWLOCK_MISUSE,
                        "rowlock_options.wait_ms cannot be negative");
    return 0;
}

int
rlk_session_new(struct rlk_conn *conn, const rowlock_options *o,
                rowlock_db **ret, rowlock_error *err)
{
    rowlock_options options;
    RLK_TRY(rlk_options_read(o, &options, err));
    rowlock_db *db = rlk_calloc(1, sizeof *db);
    if (!db)
        return rlk_out_of_memory(err);
    pthread_once(&watch_once, watch_forks);
    db->forks = atomic_load(&forks);
    db->conn = conn;
    db->driver = conn->driver;
    db->wait_ms = options.wait_ms;
    db->retries = options.retries ? options.retries : 10;
    sem_init(&db->woken, 0, 0);
    *ret = db;
    return 0;
}

void
rowlock_close(rowlock_db *db)
{
    if (!db)
        return;
    if (!rlk_session_forked(db) && db->depth)
        rlk_block_rollback(db->levels[0]);
    db->driver->close(db->conn);
    rlk_results_free(&db->results);
    rlk_results_free(&db->buried);
    rlk_undo_done(&db->undo);
    rlk_writes_done(&db->writes);
    rlk_arena_done(&db->scratch);
    rlk_declared_free(&db->declared);
    for (size_t i = 0; i < db->n_levels; i++)
        rlk_free(db->levels[i]);
    rlk_free(db->levels);
    rlk_free(db->hooks);
    sem_destroy(&db->woken);
    rlk_free(db);
}

int
rowlock_durable(rowlock_db *db, rowlock_error *err)
{
    if (!db || rlk_session_forked(db))
        return rlk_fail(err, ROWLOCK_MISUSE, "not a session of this process");
    return db->driver->durable ? db->driver->durable(db->conn, err) : 0;
}

int32_t
rlk_session_wait(const rowlock_db *db, int32_t wait_ms)
{
    return wait_ms == ROWLOCK_WAIT ? db->wait_ms : wait_ms;
}

struct rlk_scratch
rlk_scratch_take(rowlock_db *db)
{
    struct rlk_scratch s = {db->scratch, db};
    memset(&db->scratch, 0, sizeof db->scratch);
    return s;
}

/* A call inside a call (a callback's) finds none and makes its own; the one
 * that ends last leaves its memory. */
void
rlk_scratch_done(struct rlk_scratch *s)
{
    rlk_arena_reset(&s->arena);
    rlk_arena_done(&s->db->scratch);
    s->db->scratch = s->arena;
}

/* ---- tables ---- */

int
rlk_session_table(rowlock_db *db, const char *name,
                  const struct rlk_table **ret, rowlock_error *err)
{
    if (!name)
        return rlk_fail(err, ROWLOCK_MISUSE, "no table given");
    if (db->depth && db->table && strcmp(db->table->name, name) == 0) {
        *ret = db->table;
        return 0;
    }
    const struct rlk_table *table;
    RLK_TRY(db->driver->table(db->conn, name, &table, err));
    if (db->depth)
        db->table = table;
    *ret = table;
    return 0;
}

static bool
is_among(const uint32_t *columns, size_t n_columns, uint32_t column)
{
    for (size_t i = 0; i < n_columns; i++)
        if (columns[i] == column)
            return true;
    return false;
}

int
rlk_session_scans(rowlock_db *db, const struct rlk_table *table,
                  const uint32_t *columns, size_t n_columns, bool *ret,
                  rowlock_error *err)
{
    if (db->driver->scans)
        return db->driver->scans(db->conn, table, columns, n_columns, ret, err);
    *ret = !is_among(columns, n_columns, table->primary_key[0]);
    for (size_t i = 0; i < table->n_indexes; i++) {
        const struct rlk_index *index = &table->indexes[i];
        if (!index->partial && index->n_columns &&
            is_among(columns, n_columns, index->columns[0]))
            *ret = false;
    }
    return 0;
}

static int
no_such_column(const struct rlk_table *table, const char *name,
               rowlock_error *err)
{
    int code = rlk_fail(err, ROWLOCK_UNDEFINED, "%s has no column \"%s\"",
                        table->name, name);
    rlk_sqlstate(err, "42703");
    const char **names = rlk_calloc(table->n_columns + 1, sizeof *names);
    if (!names)
        return code;
    for (size_t i = 0; i < table->n_columns; i++)
        names[i] = table->columns[i].name;
    const char *meant = rlk_nearest(name, names);
    if (meant)
        rlk_hint(err, "Did you mean \"%s\"?", meant);
    rlk_free(names);
    return code;
}

/* As it is spelled; else in any case, as SQL's own names. */
int
rlk_table_column(const struct rlk_table *table, const char *name, uint32_t *ret,
                 rowlock_error *err)
{
    if (!name)
        return rlk_fail(err, ROWLOCK_MISUSE, "no column given");
    for (size_t i = 0; i < table->n_columns; i++)
        if (strcmp(table->columns[i].name, name) == 0) {
            *ret = (uint32_t)i;
            return 0;
        }
    for (size_t i = 0; i < table->n_columns; i++)
        if (strcasecmp(table->columns[i].name, name) == 0) {
            *ret = (uint32_t)i;
            return 0;
        }
    return no_such_column(table, name, err);
}

/* ---- guards ---- */

int
rlk_session_guard(rowlock_db *db, rlk_guard *guard, void *arg,
                  rowlock_error *err)
{
    if (db->n_guards == RLK_GUARDS)
        return rlk_fail(err, ROWLOCK_MISUSE, "a session has %d guards at most",
                        RLK_GUARDS);
    db->guards[db->n_guards].guard = guard;
    db->guards[db->n_guards++].arg = arg;
    return 0;
}

int
rlk_session_ask_guards(rowlock_db *db, const struct rlk_write *write,
                       rowlock_error *err)
{
    for (size_t i = 0; i < db->n_guards; i++)
        RLK_TRY(db->guards[i].guard(db, write, db->guards[i].arg, err));
    return 0;
}
