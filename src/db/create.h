/* SPDX-License-Identifier: MIT
 * Making a database and a table: for the quick start of an import, and for the
 * history of its runs. The record API writes no DDL; this is done beside it. */
#ifndef RLK_DB_CREATE_H
#define RLK_DB_CREATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/text.h"

struct rlk_new_column {
    const char *name, *type;
};

struct rlk_new_index { /* unique; positions in the table's columns */
    const size_t *columns;
    size_t n_columns;
};

/* The table has a primary key of its own: id INTEGER PRIMARY KEY. */
struct rlk_new_table {
    const char *name;
    const struct rlk_new_column *columns;
    size_t n_columns;
    const struct rlk_new_index *indexes;
    size_t n_indexes;
};

/* Creates what is missing of the database file at path (in WAL mode) and the
 * table; a table that is there stays as it is, whatever it looks like. Any
 * number of processes may do this at once. Errors: 58030 (cannot be opened or
 * written, no database), 0A000 (an existing database in another journal mode
 * lacks the table). On failure no table was made. */
int rlk_sqlite_create(const char *path, const struct rlk_new_table *t,
                      rowlock_error *err);

/* Adds the statement that makes one of the table's indexes. */
void rlk_sqlite_add_index_sql(struct rlk_buf *buf,
                              const struct rlk_new_table *t, size_t index);

/* What rlk_sqlite_create() would do: *ret is NULL when the table is there,
 * else the SQL that would make it, for rlk_free(). Nothing is written.
 * Errors as above. */
int rlk_sqlite_create_look(const char *path, const struct rlk_new_table *t,
                           char **ret, rowlock_error *err);

/* Both on PostgreSQL, in an existing database: ret_sql is NULL to make it, else
 * only looks; the SQL makes it for one session. Errors: 08006, the server's. */
int rlk_postgres_create(const char *url, const struct rlk_new_table *t,
                        char **ret_sql, rowlock_error *err);

/* Adds the statement that makes one of the table's indexes. */
void rlk_postgres_add_index_sql(struct rlk_buf *buf,
                                const struct rlk_new_table *t, size_t index);

/* A claim of a name that lasts as long as its connection. Errors: 55P03 (the
 * detail says who has it), 08006. */
struct rlk_conn;
int rlk_postgres_claim(const char *url, const char *label, const char *name,
                       struct rlk_conn **ret, rowlock_error *err);
void rlk_postgres_unclaim(struct rlk_conn *claim); /* NULL allowed */
/* Has anybody the claim? Also true on a server that keeps none. */
int rlk_postgres_is_claimed(const char *url, const char *name, bool *ret,
                            rowlock_error *err);

#endif
