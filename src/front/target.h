/* SPDX-License-Identifier: MIT
 * What an import needs of its database beside blocks: the table made, and a
 * claim that it runs alone. */
#ifndef RLK_FRONT_TARGET_H
#define RLK_FRONT_TARGET_H

#include "db/create.h"
#include "rowlock/lock.h"

/* Creates what is missing of database (SQLite only) and table. With ret_sql
 * nothing is made: *ret_sql is NULL when all is there, else what
 * rlk_look.schema wants, for rlk_free(). */
int rlk_front_create(const char *url, const struct rlk_new_table *t,
                     char **ret_sql, rowlock_error *err);

/* Adds the statement that makes one of the table's indexes. */
void rlk_front_add_index_sql(const char *url, struct rlk_buf *buf,
                             const struct rlk_new_table *t, size_t index);

struct rlk_claim { /* zeroed: none */
    rowlock_locks *locks;
    struct rlk_conn *server;
};

/* Until it is given up, or its process or its connection ends, nobody else has
 * the claim of this name. Does not wait: 55P03, with who has it. */
int rlk_front_claim(const char *url, const char *label, const char *name,
                    struct rlk_claim *ret, rowlock_error *err);
void rlk_front_unclaim(struct rlk_claim *c);
/* Has anybody the claim, as far as the engine knows? In a lock table: process
 * pid, which a server does not know. Nothing is made or waited for. */
int rlk_front_is_claimed(const char *url, const char *name, int64_t pid,
                         bool *ret, rowlock_error *err);

#endif
