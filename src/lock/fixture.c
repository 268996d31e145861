/* SPDX-License-Identifier: MIT
 * What the tests of sessions share. */
#include "fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct folder folder;
char database[1024];

int
set_up(void **state)
{
    (void)state;
    folder_init(&folder);
    snprintf(database, sizeof database, "%s",
             folder_file(&folder, "app.db").text);
    int fd = open(database, O_CREAT | O_WRONLY, 0640);
    check(fd != -1);
    close(fd);
    return 0;
}

int
tear_down(void **state)
{
    (void)state;
    folder_done(&folder);
    return 0;
}

/* ---- small words ---- */

rowlock_locks *
open_session(void)
{
    rowlock_locks *s = NULL;
    rowlock_error err;
    int rc = rowlock_locks_open(database, NULL, &s, &err);
    if (rc)
        support_fail("%s: %s", err.message, err.detail);
    return s;
}

int
take_for(rowlock_locks *s, int64_t key, enum rowlock_mode mode, int32_t wait_ms,
         rowlock_error *err)
{
    const rowlock_value value = rowlock_int(key);
    const rowlock_name name = {ROWLOCK_RECORD, "t", NULL, &value, 1};
    return rowlock_locks_take(s, &name, mode, wait_ms, err);
}

int
take_mode(rowlock_locks *s, int64_t key, enum rowlock_mode mode,
          int32_t wait_ms)
{
    return take_for(s, key, mode, wait_ms, NULL);
}

int
take(rowlock_locks *s, int64_t key, int32_t wait_ms)
{
    return take_for(s, key, ROWLOCK_UPDATE, wait_ms, NULL);
}

enum rowlock_mode
held(rowlock_locks *s, int64_t key)
{
    const rowlock_value value = rowlock_int(key);
    const rowlock_name name = {ROWLOCK_RECORD, "t", NULL, &value, 1};
    return rowlock_locks_held(s, &name);
}

/* A child that holds record 1 until it is told to end. */
static void
hold_one(void *arg)
{
    (void)arg;
    rowlock_locks *s = open_session();
    check(take(s, 1, ROWLOCK_WAIT) == 0);
    parent_tell("held");
    parent_expect("end");
    rowlock_locks_close(s);
}

/* A child that waits for record 1. */
static void
wait_for_one(void *arg)
{
    (void)arg;
    rowlock_locks *s = open_session();
    parent_tell("waiting");
    check(take(s, 1, ROWLOCK_WAIT) == 0);
    parent_tell("granted");
    parent_expect("end");
    rowlock_locks_close(s);
}

void
start_holder(struct child *c)
{
    child_start(c, hold_one, NULL);
    child_expect(c, "held");
}

void
start_waiter(struct child *c)
{
    child_start(c, wait_for_one, NULL);
    child_expect(c, "waiting");
    child_wait_asleep(c);
    check(!child_has_said(c));
}

void
end(struct child *c)
{
    child_tell(c, "end");
    child_end(c);
}

int
count_locks(rowlock_locks *s)
{
    rowlock_lock_info *list;
    size_t n;
    check(rowlock_locks_list(s, &list, &n, NULL) == 0);
    rowlock_locks_list_free(list);
    return (int)n;
}
