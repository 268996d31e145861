/* SPDX-License-Identifier: MIT
 * Prepared statements, kept by shape: what is done, to which table, with which
 * columns. A shape is a list of words, so that finding a statement builds no
 * text and allocates nothing. The cache is a set-associative table; of a full
 * set the statement used longest ago goes.
 *
 * Invariant: a statement is reset before its caller returns, so nothing here
 * pins a snapshot. */
#include "conn.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static void
add_word(struct rlk_sqlite_cache *cache, uint32_t word)
{
    if (cache->n_shape == cache->cap_shape) {
        size_t cap = cache->cap_shape ? cache->cap_shape * 2 : 64;
        uint32_t *more = rlk_reallocarray(cache->shape, cap, sizeof *more);
        if (!more) {
            cache->sql.failed = true;
            return;
        }
        cache->shape = more;
        cache->cap_shape = cap;
    }
    cache->shape[cache->n_shape++] = word;
}

void
rlk_shape_start(struct rlk_sqlite *c, enum rlk_sqlite_op op,
                const struct rlk_sqlite_table *t)
{
    c->cache.n_shape = 0;
    rlk_buf_clear(&c->cache.sql);
    c->cache.sql.failed = false;
    add_word(&c->cache, (uint32_t)op);
    add_word(&c->cache, t ? t->id : 0);
}

void
rlk_shape_add(struct rlk_sqlite *c, uint32_t word)
{
    add_word(&c->cache, word);
}

static uint64_t
shape_hash(const struct rlk_sqlite_cache *cache)
{
    return XXH3_64bits(cache->shape, cache->n_shape * sizeof *cache->shape);
}

static bool
is_shape(const struct rlk_sqlite_stmt *s, const struct rlk_sqlite_cache *cache,
         uint64_t hash)
{
    return s->stmt && s->hash == hash && s->n_shape == cache->n_shape &&
           memcmp(s->shape, cache->shape,
                  cache->n_shape * sizeof *cache->shape) == 0;
}

sqlite3_stmt *
rlk_shape_find(struct rlk_sqlite *c)
{
    struct rlk_sqlite_cache *cache = &c->cache;
    if (cache->sql.failed)
        return NULL;
    uint64_t hash = shape_hash(cache);
    struct rlk_sqlite_stmt *set = cache->sets[hash % RLK_CACHE_SETS];
    for (size_t i = 0; i < RLK_CACHE_WAYS; i++) {
        if (is_shape(&set[i], cache, hash)) {
            set[i].used = ++cache->clock;
            return set[i].stmt;
        }
    }
    return NULL;
}

static void
forget(struct rlk_sqlite_stmt *s)
{
    sqlite3_finalize(s->stmt);
    rlk_free(s->shape);
    memset(s, 0, sizeof *s);
}

/* The place of the set that is free or was used longest ago; never one whose
 * statement is still being read. */
static struct rlk_sqlite_stmt *
choose_place(struct rlk_sqlite_stmt *set)
{
    struct rlk_sqlite_stmt *best = NULL;
    for (size_t i = 0; i < RLK_CACHE_WAYS; i++) {
        if (set[i].stmt && sqlite3_stmt_busy(set[i].stmt))
            continue;
        if (!best || set[i].used < best->used)
            best = &set[i];
    }
    return best;
}

int
rlk_shape_make(struct rlk_sqlite *c, sqlite3_stmt **ret, rowlock_error *err)
{
    struct rlk_sqlite_cache *cache = &c->cache;
    if (cache->sql.failed)
        return rlk_out_of_memory(err);
    sqlite3_stmt *stmt;
    if (sqlite3_prepare_v3(c->db, cache->sql.ptr, (int)cache->sql.len + 1,
                           SQLITE_PREPARE_PERSISTENT, &stmt, NULL))
        return rlk_sqlite_fail(c, "cannot prepare a statement", err);
    uint64_t hash = shape_hash(cache);
    struct rlk_sqlite_stmt *place =
        choose_place(cache->sets[hash % RLK_CACHE_SETS]);
    size_t size = cache->n_shape * sizeof *cache->shape;
    uint32_t *shape = rlk_reallocarray(NULL, size, 1);
    if (!place || !shape) {
        sqlite3_finalize(stmt);
        rlk_free(shape);
        return rlk_out_of_memory(err);
    }
    forget(place);
    memcpy(shape, cache->shape, size);
    place->stmt = stmt;
    place->hash = hash;
    place->shape = shape;
    place->n_shape = cache->n_shape;
    place->used = ++cache->clock;
    *ret = stmt;
    return 0;
}

void
rlk_sqlite_cache_clear(struct rlk_sqlite *c)
{
    for (size_t i = 0; i < RLK_CACHE_SETS; i++)
        for (size_t j = 0; j < RLK_CACHE_WAYS; j++)
            forget(&c->cache.sets[i][j]);
}

static const char *const plain_sql[] = {
    [RLK_OP_BEGIN] = "BEGIN",
    [RLK_OP_BEGIN_IMMEDIATE] = "BEGIN IMMEDIATE",
    [RLK_OP_COMMIT] = "COMMIT",
    [RLK_OP_SAVEPOINT] = "SAVEPOINT rowlock_%u",
    [RLK_OP_ROLLBACK_TO] = "ROLLBACK TO rowlock_%u",
    [RLK_OP_RELEASE] = "RELEASE rowlock_%u",
    [RLK_OP_DATA_VERSION] = "PRAGMA main.data_version",
    [RLK_OP_SCHEMA_VERSION] = "PRAGMA main.schema_version",
    [RLK_OP_PAGE_SIZE] = "PRAGMA main.page_size",
};

/* plain_sql's templates have at most the one number. */
static void
write_plain(struct rlk_sqlite *c, enum rlk_sqlite_op op, uint32_t n)
{
    const char *sql = plain_sql[op];
    const char *number = strstr(sql, "%u");
    rlk_buf_add(&c->cache.sql, sql,
                number ? (size_t)(number - sql) : strlen(sql));
    if (number)
        rlk_buf_format(&c->cache.sql, "%u", n);
}

static int
find_plain(struct rlk_sqlite *c, enum rlk_sqlite_op op, uint32_t n,
           sqlite3_stmt **ret, rowlock_error *err)
{
    rlk_shape_start(c, op, NULL);
    rlk_shape_add(c, n);
    *ret = rlk_shape_find(c);
    if (*ret)
        return 0;
    write_plain(c, op, n);
    return rlk_shape_make(c, ret, err);
}

int
rlk_sqlite_run(struct rlk_sqlite *c, enum rlk_sqlite_op op, uint32_t n,
               rowlock_error *err)
{
    sqlite3_stmt *s;
    RLK_TRY(find_plain(c, op, n, &s, err));
    int rc = sqlite3_step(s);
    if (rc != SQLITE_DONE)
        rc = rlk_sqlite_fail(
            c, op == RLK_OP_COMMIT ? "could not commit" : plain_sql[op], err);
    else
        rc = 0;
    sqlite3_reset(s);
    return rc;
}

int
rlk_sqlite_ask(struct rlk_sqlite *c, enum rlk_sqlite_op op, int64_t *ret,
               rowlock_error *err)
{
    sqlite3_stmt *s;
    RLK_TRY(find_plain(c, op, 0, &s, err));
    int rc = 0;
    if (sqlite3_step(s) == SQLITE_ROW)
        *ret = sqlite3_column_int64(s, 0);
    else
        rc = rlk_sqlite_fail(
            c, op == RLK_OP_COMMIT ? "could not commit" : plain_sql[op], err);
    sqlite3_reset(s);
    return rc;
}
