/* SPDX-License-Identifier: MIT
 * What table.c and table_keys.c share while they read one table. Everything is
 * copied into the catalogue's arena. */
#ifndef RLK_DB_SQLITE_READER_H
#define RLK_DB_SQLITE_READER_H

#include "conn.h"

struct rlk_reader {
    struct rlk_sqlite *c;
    struct rlk_sqlite_table *t; /* being filled */
    rowlock_error *err;
    bool strict;
};

typedef int rlk_take_row(struct rlk_reader *r, sqlite3_stmt *s, void *arg);

/* Runs sql, with name bound to ?1, and hands each row to take. */
int rlk_reader_query(struct rlk_reader *r, const char *sql, const char *name,
                     rlk_take_row *take, void *arg);
/* A rlk_take_row that counts into a size_t. */
int rlk_reader_count(struct rlk_reader *r, sqlite3_stmt *s, void *arg);
const char *rlk_reader_text(struct rlk_reader *r, sqlite3_stmt *s, int column);
void *rlk_reader_alloc(struct rlk_reader *r, size_t n, size_t size);
/* The array of n elements that array becomes, for filling. */
#define RLK_READER_ALLOC(r, array, n) \
    ((array) = rlk_reader_alloc((r), (n), sizeof *(array)))

/* A foreign key whose end does something to the child. */
#define RLK_DOES_SOMETHING                                     \
    "(on_delete IN ('CASCADE', 'SET NULL', 'SET DEFAULT') OR " \
    "on_update IN ('CASCADE', 'SET NULL', 'SET DEFAULT'))"

/* table_keys.c */
int rlk_read_primary_key(struct rlk_reader *r);
int rlk_read_indexes(struct rlk_reader *r);
int rlk_read_foreign_keys(struct rlk_reader *r);

#endif
