/* SPDX-License-Identifier: MIT
 * What the tests of sessions share: a database's path, sessions, and children
 * that hold or wait. Include it after cmocka's own headers. */
#ifndef RLK_LOCK_FIXTURE_H
#define RLK_LOCK_FIXTURE_H

#include "rowlock/lock.h"
#include "support/support.h"

extern struct folder folder;
extern char database[1024];

/* A folder with an empty database; for cmocka. */
int set_up(void **state);
int tear_down(void **state);
rowlock_locks *open_session(void);
/* Record `key` of table t. */
int take_for(rowlock_locks *s, int64_t key, enum rowlock_mode mode,
             int32_t wait_ms, rowlock_error *err);
int take_mode(rowlock_locks *s, int64_t key, enum rowlock_mode mode,
              int32_t wait_ms);
/* The same, UPDATE. */
int take(rowlock_locks *s, int64_t key, int32_t wait_ms);
enum rowlock_mode held(rowlock_locks *s, int64_t key);
/* A child that holds record 1 until end(). */
void start_holder(struct child *c);
/* A child that sleeps for record 1, and tells "granted" when it has it. */
void start_waiter(struct child *c);
/* Tells the child to end, and waits for that. */
void end(struct child *c);
/* All that anyone holds or waits for, table locks too. */
int count_locks(rowlock_locks *s);

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
