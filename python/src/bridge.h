/* SPDX-License-Identifier: MIT
 * Between Python and the lock room: each call of lock.h, refused when the
 * session is closed, of another process, or in use by another thread. Python
 * calls all of it without its global lock.
 *
 * cffi reads this header too (build_bridge.py): plain declarations only. */
#ifndef RLK_PYTHON_BRIDGE_H
#define RLK_PYTHON_BRIDGE_H

#include <stddef.h>
#include <stdint.h>

#include <rowlock/lock.h>

/* Asks Python: 1 to end the wait. They take the global lock. */
typedef int bridge_ask(void *handle);
typedef int bridge_tell(const rowlock_wait_notice *notice, void *handle);

/* One session; zeroed it is closed. Its memory is Python's, and stays until
 * nothing uses it. */
struct bridge {
    rowlock_locks *locks; /* atomic; NULL: closed */
    uint32_t busy;        /* atomic; 1: a call is under way */
    uint32_t cancelling;  /* atomic; threads in bridge_cancel() */
    int pid;              /* of the process that opened it */
    int stop;             /* ask or tell answered 1 in this call */
    bridge_ask *ask;
    bridge_tell *tell;
    void *handle; /* for both */
};

/* What a session held before it took a lock, and what it gives back after. */
struct bridge_taken {
    enum rowlock_mode before, table_before;
    size_t mark_before, mark_after;
};

const char *bridge_version(void);

/* b: zeroed, but for ask, tell and handle. */
int bridge_open(struct bridge *b, const char *path, const char *label,
                int existing_only, int32_t notice_ms, rowlock_error *err);
/* Answers 0 also when it is closed already, and in a forked child. */
int bridge_close(struct bridge *b, rowlock_error *err);

int bridge_take(struct bridge *b, const rowlock_name *name,
                enum rowlock_mode mode, int32_t wait_ms,
                struct bridge_taken *ret, rowlock_error *err);
/* Undo one bridge_take(), and nothing else. in_order: 0 when the session gave
 * something back since by a mark. Does nothing in a forked child. */
int bridge_give_back(struct bridge *b, const rowlock_name *name,
                     const struct bridge_taken *taken, int in_order,
                     rowlock_error *err);
int bridge_held(struct bridge *b, const rowlock_name *name,
                enum rowlock_mode *ret, rowlock_error *err);
int bridge_mark(struct bridge *b, size_t *ret, rowlock_error *err);
int bridge_release_to(struct bridge *b, size_t mark, rowlock_error *err);
int bridge_drop(struct bridge *b, const rowlock_name *name, rowlock_error *err);

/* From any thread, at any time. */
void bridge_cancel(struct bridge *b);

int bridge_check(struct bridge *b, rowlock_error *err);
int bridge_list(struct bridge *b, rowlock_lock_info **ret, size_t *ret_n,
                rowlock_error *err);
int bridge_counters(struct bridge *b, rowlock_lock_counters *ret,
                    rowlock_error *err);
int bridge_cycles(struct bridge *b, rowlock_lock_cycle *ret, size_t *ret_n,
                  rowlock_error *err);
int bridge_ticket(struct bridge *b, uint64_t *ret, rowlock_error *err);
/* The flush is fdatasync(wal_fd). */
int bridge_make_durable(struct bridge *b, uint64_t ticket, int wal_fd,
                        rowlock_error *err);
int bridge_poisoned(struct bridge *b, rowlock_error *err);

#endif
