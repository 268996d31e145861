/* SPDX-License-Identifier: MIT
 * The bare lock API (librowlock, libc only), for those who bring their own
 * SQLite.
 *
 * A lock table is a file beside the database, shared by every process that
 * opens it. A rowlock_locks is one session in it: an owner of locks. Locks
 * belong to owners, never to threads or processes; one thread at a time per
 * session. They are conflicts among owners only: an owner never conflicts with
 * itself. When the process dies, however it dies, its locks are free.
 *
 * After fork() the child may only close its copy of a session; every other call
 * answers ROWLOCK_MISUSE there, and nothing of the parent's is freed. */
#ifndef ROWLOCK_LOCK_H
#define ROWLOCK_LOCK_H

#include "error.h"
#include "value.h"

#ifdef __cplusplus
extern "C" {
#endif

/** PostgreSQL's four row lock modes, weakest first, with its conflict table;
 * READ takes no lock at all. */
enum rowlock_mode {
    ROWLOCK_READ,
    ROWLOCK_KEY_SHARE,
    ROWLOCK_SHARE,
    ROWLOCK_NO_KEY_UPDATE,
    ROWLOCK_UPDATE
};

/** Wait policy of a request: one of these, or a positive number of milliseconds
 * at most (then 55P03). */
enum { ROWLOCK_WAIT = 0, ROWLOCK_NOWAIT = -1, ROWLOCK_SKIP_LOCKED = -2 };

/** What a lock is on. */
enum rowlock_kind {
    /** One record: (table, primary key). */
    ROWLOCK_RECORD,
    /** One value of a key, whether or not a record has it. */
    ROWLOCK_KEY,
    /** A whole table; each record lock implies KEY SHARE on it. */
    ROWLOCK_TABLE,
    /** The writer slot of the database. */
    ROWLOCK_WRITER
};

/** A lock's name, borrowed for the call. Two names are one lock when kind,
 * table, column and values are equal by type and bytes: give the table as the
 * catalogue spells it and the values as the database gives them back. */
typedef struct rowlock_name {
    enum rowlock_kind kind;
    const char *table; /**< NULL for the writer slot */
    /** Of a key: its columns, joined by commas; else NULL. */
    const char *column;
    /** Of a record or key, in the key's column order. */
    const rowlock_value *values;
    size_t n_values;
} rowlock_name;

typedef struct rowlock_locks rowlock_locks;

/** For whom one waits, told after notice_ms of waiting. Texts are shortened for
 * display. */
typedef struct rowlock_wait_notice {
    enum rowlock_kind kind;
    const char *table, *key;
    uint32_t owner;          /**< the holder's slot */
    int64_t pid;             /**< the holder's process; 0: not known */
    const char *owner_label; /**< what the holder called itself, maybe "" */
    int64_t held_ms;         /**< how long the holder has had it */
    int64_t waited_ms;       /**< how long this request waits already */
} rowlock_wait_notice;

typedef struct rowlock_locks_options {
    size_t size;       /**< sizeof(rowlock_locks_options): see
                          ROWLOCK_LOCKS_OPTIONS_INIT */
    const char *label; /**< shown to others as the owner's name, 31 bytes at
                          most; NULL: the program's name */
    int existing_only; /**< 1: answer 42P01 rather than create the lock table */
    int byte_only; /**< 1: the owner lives as long as any process holds the file
                      description (see _inherit) */
    int32_t notice_ms; /**< call on_wait after so long a wait, once a wait; 0:
                          1,000 ms */
    void (*on_wait)(const rowlock_wait_notice *notice,
                    void *arg); /**< may be NULL; must not use the session */
    void *on_wait_arg;
    int alone; /**< 1: answer 55P03 unless nobody else has the table open; who
                  comes later waits until this session is closed */
    /** For languages whose own signal handlers cannot run in C's: asked before
     * a call sleeps, after a signal handler ran in its thread, and every 50 ms.
     * Non-zero ends the wait, as rowlock_locks_cancel() does; it must then
     * answer so until the call is back. May be NULL; must not use the session.
     */
    int (*interrupted)(void *arg);
    void *interrupted_arg;
} rowlock_locks_options;
#define ROWLOCK_LOCKS_OPTIONS_INIT                                         \
    {                                                                      \
        sizeof(rowlock_locks_options), NULL, 0, 0, 0, NULL, NULL, 0, NULL, \
            NULL                                                           \
    }

/** Open the lock table of the database at path (the table is path + "-rowlock",
 * by the real path; created with the database's mode and group) and become an
 * owner in it. *ret is the caller's, to be closed. Errors: 58030 (cannot open,
 * damaged), 0A000 (network file system, another layout or boot), 53200 (no
 * owner slot), 55P03 (a process is stopped inside the table). */
ROWLOCK_API ROWLOCK_MUST_CHECK int rowlock_locks_open(
    const char *path, const rowlock_locks_options *o, rowlock_locks **ret,
    rowlock_error *err);
/** Give back every lock and the owner slot. NULL allowed; in a forked child it
 * frees nothing of the parent's. */
ROWLOCK_API void rowlock_locks_close(rowlock_locks *s);

/** Take name in mode, or strengthen the mode already held; to ask for less than
 * is held does nothing. A record lock also takes KEY SHARE on its table.
 * wait_ms: see the wait policies. Errors: 55P03 (NOWAIT or SKIP LOCKED met a
 * holder, timeout; with SKIP LOCKED *err is not filled), 40P01, 57014, 53200,
 * 58030, 08006 (this owner was declared dead, or the file was replaced, which
 * is noticed after 10 ms at most, and by rowlock_locks_check() at once). On
 * failure nothing is held that was not held before (while another process is
 * stopped inside the lock table: as soon as it goes on and s is used again). */
ROWLOCK_API ROWLOCK_MUST_CHECK int rowlock_locks_take(rowlock_locks *s,
                                                      const rowlock_name *name,
                                                      enum rowlock_mode mode,
                                                      int32_t wait_ms,
                                                      rowlock_error *err);
/** The mode in which s holds name; ROWLOCK_READ when it does not. */
ROWLOCK_API enum rowlock_mode rowlock_locks_held(const rowlock_locks *s,
                                                 const rowlock_name *name);

/** A mark for a savepoint: how far the session's log of locks has come. */
ROWLOCK_API size_t rowlock_locks_mark(const rowlock_locks *s);
/** Give back the locks taken since mark, or lower them to what was held then,
 * and wake who waited. Mark 0 gives back everything. Never fails: a lock table
 * that is gone holds nothing. */
ROWLOCK_API void rowlock_locks_release_to(rowlock_locks *s, size_t mark);

/** Give back this one lock, wherever it stands in the log. Never fails.
 * The writer slot is not in the log: it stays over rowlock_locks_release_to(),
 * but for mark 0, and goes back by this call. */
ROWLOCK_API void rowlock_locks_drop(rowlock_locks *s, const rowlock_name *name);

/** Wake s from its wait, now or when it next waits: that call answers 57014.
 * Safe in a signal handler. */
ROWLOCK_API void rowlock_locks_cancel(rowlock_locks *s);
/** Answers 08006 when this owner was declared dead or the lock table's file was
 * replaced under it. */
ROWLOCK_API ROWLOCK_MUST_CHECK int rowlock_locks_check(rowlock_locks *s,
                                                       rowlock_error *err);
/** Let programs that this process executes inherit the lock table's file
 * description: with byte_only set, the owner then lives until the last of them
 * ends, as with flock(1). */
ROWLOCK_API ROWLOCK_MUST_CHECK int rowlock_locks_inherit(rowlock_locks *s,
                                                         rowlock_error *err);

/** One lock held or waited for. */
typedef struct rowlock_lock_info {
    enum rowlock_kind kind;
    enum rowlock_mode mode; /**< held, or wanted when waiting */
    int waiting; /**< 1: waits for it (an upgrade shows as one held and one
                    waiting line) */
    uint32_t owner;
    int64_t pid;
    int64_t age_ms;          /**< since it was granted, or since it waits */
    char label[32];          /**< the owner's label */
    char table[40], key[64]; /**< shortened for display */
    uint32_t n_blocked_by;   /**< owners it waits for */
    uint32_t *blocked_by;    /**< in the same allocation as the list */
} rowlock_lock_info;

/** Everyone's locks, by name, holders before waiters, waiters in the order in
 * which they will be served. One moment's view of each lock, not of the whole
 * table: of a lock that changes hands meanwhile both owners may show. *ret is
 * the caller's: free it with rowlock_locks_list_free(). */
ROWLOCK_API ROWLOCK_MUST_CHECK int rowlock_locks_list(rowlock_locks *s,
                                                      rowlock_lock_info **ret,
                                                      size_t *ret_n,
                                                      rowlock_error *err);
ROWLOCK_API void rowlock_locks_list_free(rowlock_lock_info *list);

/** How often, and how long, since since_s (seconds of Unix time): since the
 * lock table was first used in this boot. Of all sessions of all processes. */
typedef struct rowlock_lock_counters {
    size_t size;      /**< sizeof(rowlock_lock_counters): see
                         ROWLOCK_LOCK_COUNTERS_INIT */
    uint64_t grants;  /**< locks that were taken, or strengthened */
    uint64_t waits;   /**< of them, and of those in vain, that had to wait */
    uint64_t in_vain; /**< waits that ended without the lock: timeouts, cancels,
                         deadlocks */
    uint64_t deadlocks; /**< cycles of waiters, each with its victim */
    uint64_t bypasses;  /**< grants past a waiter in their way */
    uint64_t replays;   /**< transactions given up for a wait, and done again */
    uint64_t reaps;     /**< owners that died without closing */
    uint64_t rebuilds;  /**< of the table, since a process died inside it */
    uint64_t waited_ms, longest_ms; /**< all waits that are over; the longest */
    int64_t since_s;
    uint64_t flushes; /**< each for all whose commits waited */
} rowlock_lock_counters;
#define ROWLOCK_LOCK_COUNTERS_INIT                                        \
    {                                                                     \
        sizeof(rowlock_lock_counters), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 \
    }

/** ret->size must be set. Fills as much of it as this version knows. */
ROWLOCK_API ROWLOCK_MUST_CHECK int rowlock_locks_counters(
    rowlock_locks *s, rowlock_lock_counters *ret, rowlock_error *err);
enum { ROWLOCK_CYCLES = 8 };

/** A deadlock that was resolved. */
typedef struct rowlock_lock_cycle {
    int64_t at_s;   /**< seconds of Unix time */
    int64_t victim; /**< the process that was told 40P01 */
    char text[232]; /**< who waited for what held by whom; shortened */
} rowlock_lock_cycle;

/** The last of them in this boot, the newest first; answers how many.
 * A text that is overwritten in that very moment may be mixed up. */
ROWLOCK_API size_t rowlock_locks_cycles(rowlock_locks *s,
                                        rowlock_lock_cycle ret[ROWLOCK_CYCLES]);
/** For who brings an engine to the lock table: a transaction of s was given up
 * for a wait, and is done again. */
ROWLOCK_API void rowlock_locks_count_replay(rowlock_locks *s);

/* ---- for who brings an engine: when commits are on disk ---- */

/** The number of a commit, in the order of commits, or of what was seen. Take
 * it after the commit is written and before the writer slot goes back; or after
 * a read, to learn when what it saw is durable. */
ROWLOCK_API uint64_t rowlock_locks_ticket(rowlock_locks *s);
/** Brings to disk all that was written when it is called, by whomever. It
 * answers 0, or the code of an error. */
typedef int rowlock_flush(void *arg, rowlock_error *err);
/** Wait until all up to ticket is on disk: the first to come flushes for all,
 * the others sleep. Give the writer slot and locks back before. Not ended by a
 * cancel. Errors: what flush answered; 58030 (another's flush failed). */
ROWLOCK_API ROWLOCK_MUST_CHECK int rowlock_locks_make_durable(
    rowlock_locks *s, uint64_t ticket, rowlock_flush *flush, void *arg,
    rowlock_error *err);
/** Something failed that may have lost what was committed: from now on nothing
 * is called durable, by no session, until the next boot or
 * rowlock_locks_cure(). */
ROWLOCK_API void rowlock_locks_poison(rowlock_locks *s);
/** The database is well again: it was saved from what could still be read. For
 * a session that is alone. */
ROWLOCK_API ROWLOCK_MUST_CHECK int rowlock_locks_cure(rowlock_locks *s,
                                                      rowlock_error *err);
/** Answers 58030 after a failed flush, or rowlock_locks_poison(). */
ROWLOCK_API ROWLOCK_MUST_CHECK int rowlock_locks_poisoned(rowlock_locks *s,
                                                          rowlock_error *err);

/** "KEY SHARE" and so on. */
ROWLOCK_API const char *rowlock_mode_name(enum rowlock_mode mode);

#ifdef __cplusplus
}
#endif
#endif
