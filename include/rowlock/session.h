/* SPDX-License-Identifier: MIT
 * Sessions and blocks.
 *
 * Any failure but ROWLOCK_MISUSE fails its innermost block: its data is rolled
 * back and its locks go back at once, and until it ends every call on it
 * answers 25P02; a swallowed error cannot commit. Where the engine itself ended
 * the whole transaction, every level is failed. One thread at a time per
 * session; no thread-locals. */
#ifndef ROWLOCK_SESSION_H
#define ROWLOCK_SESSION_H

#include "error.h"
#include "lock.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rowlock_db
    rowlock_db; /**< a session, an owner of locks; the caller's */
typedef struct rowlock_block
    rowlock_block; /**< the library's; dead once committed or rolled back */

/** When a commit is answered. */
enum rowlock_durability {
    ROWLOCK_FLUSH, /**< once it is on disk, with all commits before it */
    /** Once it is written: a power cut may lose the last commits, never one
     * without those after it. On a server as the server is set up. */
    ROWLOCK_RELAXED
};

typedef struct rowlock_options {
    size_t size;     /**< sizeof(rowlock_options): see ROWLOCK_OPTIONS_INIT */
    int32_t wait_ms; /**< how long calls with ROWLOCK_WAIT wait for one lock at
                        most; 0: for ever */
    int32_t retries; /**< how often rowlock_atomic() runs its body again; 0: 10;
                        negative: never */
    const char *
        label; /**< shown to others who wait for us; NULL: the program's name */
    void (*on_wait)(const rowlock_wait_notice *notice,
                    void *arg); /**< after a second of waiting; may be NULL */
    void *on_wait_arg;
    int32_t durability; /**< enum rowlock_durability */
} rowlock_options;
#define ROWLOCK_OPTIONS_INIT                               \
    {                                                      \
        sizeof(rowlock_options), 0, 0, NULL, NULL, NULL, 0 \
    }

/** Open a session on the database at url: a path, or "sqlite:PATH" (verbatim),
 * or a postgresql:// URL as libpq takes it. It must exist. *ret is the
 * caller's. Errors: 08006 (28P01, 3D000: what the server said), 0A000 (journal
 * mode, locking mode, in-memory; no client library, a server that is too old),
 * 58030. */
ROWLOCK_API ROWLOCK_MUST_CHECK int rowlock_open(const char *url,
                                                const rowlock_options *o,
                                                rowlock_db **ret,
                                                rowlock_error *err);
/** Rolls back what is open. NULL allowed. */
ROWLOCK_API void rowlock_close(rowlock_db *db);
/** The call that runs on db, or the next that could wait, answers 57014. Safe
 * in a signal handler and from other threads. */
ROWLOCK_API void rowlock_cancel(rowlock_db *db);

/** The body of a block: 0 commits; anything else rolls back and is returned. */
typedef int rowlock_body(rowlock_block *b, void *arg, rowlock_error *err);

/** Run body in an outermost block. After 40P01 and 40001 it is run again, with
 * jitter, a bounded number of times, so it computes everything afresh and acts
 * on the outside world only from on_commit. */
ROWLOCK_API ROWLOCK_MUST_CHECK int rowlock_atomic(rowlock_db *db,
                                                  rowlock_body *body, void *arg,
                                                  rowlock_error *err);
/** Run body in a savepoint of b. Never runs it again: the outermost block is
 * the unit of retry. */
ROWLOCK_API ROWLOCK_MUST_CHECK int rowlock_nested(rowlock_block *b,
                                                  rowlock_body *body, void *arg,
                                                  rowlock_error *err);
/** Call fn once b and all blocks around it have committed and are durable, in
 * the order of registration; not at all when one of them is rolled back. */
ROWLOCK_API ROWLOCK_MUST_CHECK int rowlock_on_commit(rowlock_block *b,
                                                     void (*fn)(void *arg),
                                                     void *arg,
                                                     rowlock_error *err);

/** Wait until what this session has read or committed is on disk: on SQLite a
 * commit is seen, and its locks are free, a moment before it is. For who acts
 * on the outside world on what was read. Errors: 58030. */
ROWLOCK_API ROWLOCK_MUST_CHECK int rowlock_durable(rowlock_db *db,
                                                   rowlock_error *err);

/** The same in pieces, for bindings; no retry. A session has one outermost
 * block at a time. */
ROWLOCK_API ROWLOCK_MUST_CHECK int rowlock_begin(rowlock_db *db,
                                                 rowlock_block **ret,
                                                 rowlock_error *err);
ROWLOCK_API ROWLOCK_MUST_CHECK int rowlock_savepoint(rowlock_block *b,
                                                     rowlock_block **ret,
                                                     rowlock_error *err);
/** b is dead after it, also on failure. Only the innermost block can be ended
 * (else ROWLOCK_MISUSE). 58030 with "committed, but ...": it is done and the
 * locks are free, but the disk failed; nothing more is written then. */
ROWLOCK_API ROWLOCK_MUST_CHECK int rowlock_commit(rowlock_block *b,
                                                  rowlock_error *err);
/** Rolls b back, with the blocks inside it. NULL allowed. A block that
 * rowlock_atomic() or rowlock_nested() began stays open, failed, until its body
 * returns. */
ROWLOCK_API void rowlock_rollback(rowlock_block *b);

#ifdef __cplusplus
}
#endif
#endif
