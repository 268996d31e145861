/* SPDX-License-Identifier: MIT
 * What the driver's tests share: a database in a temporary folder, sessions on
 * it, a plain SQLite connection that takes no locks, and short ways to say what
 * a test does. Fails through check(), so it works in children too. */
#ifndef RLK_DB_SQLITE_FIXTURE_H
#define RLK_DB_SQLITE_FIXTURE_H

#include "base/text.h"
#include "db/driver.h"
#include "support/support.h"

struct fixture {
    struct folder folder;
    struct path path;
};

/* A database in WAL mode with schema in it. */
void fixture_init(struct fixture *f, const char *schema);
void fixture_done(struct fixture *f);

/* A program that takes no locks: runs sql. */
void stranger(const struct fixture *f, const char *sql);
/* What sql answers it: columns joined by '|', rows by ' '. */
const char *look(const struct fixture *f, const char *sql);

struct rlk_conn *connect_to(const struct fixture *f);
void hang_up(struct rlk_conn *c);
const struct rlk_table *table_of(struct rlk_conn *c, const char *name);
uint32_t column_of(const struct rlk_table *t, const char *name);
void begin(struct rlk_conn *c);
void commit(struct rlk_conn *c);
void rollback(struct rlk_conn *c);
void savepoint(struct rlk_conn *c, size_t level);

/* Locks (or only reads) the record whose first key column is id. The row is
 * kept until the next call for this slot (0 to 9). Answers the code. */
int fetch(struct rlk_conn *c, const char *table, rowlock_value id,
          enum rowlock_mode mode, int32_t wait_ms, int slot);
struct rlk_rows *kept(int slot);
/* "1|x|NULL" of slot's rows, joined by ' '. */
const char *seen(int slot);

/* Writes value into the record in slot, which becomes as it is stored. */
int save(struct rlk_conn *c, const char *table, int slot, const char *column,
         rowlock_value value, int32_t wait_ms);
/* Into slot. Values for the columns named by names, joined by commas. */
int create(struct rlk_conn *c, const char *table, const char *names,
           const rowlock_value *values, int32_t wait_ms, int slot);
int drop(struct rlk_conn *c, const char *table, int slot, int32_t wait_ms);
int lock_key(struct rlk_conn *c, const char *table, const char *column,
             rowlock_value value, int32_t wait_ms);
enum rowlock_mode mode_of(struct rlk_conn *c, const char *table,
                          rowlock_value id);

/* The error of the last call above that can fail. */
extern rowlock_error last;

#define TEST(name) cmocka_unit_test(name)

#endif
