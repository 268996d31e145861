/* SPDX-License-Identifier: MIT
 * Sessions: the public face of the room. A session asks the core under the
 * latch, sleeps outside it (wait.c), and keeps a private log of what it took.
 *
 * Invariant: the log names exactly the locks that the table says this owner
 * holds, but for the writer slot, which follows no savepoint. */
#include "session.h"

#include <stdio.h>

#include "base/memory.h"
#include "name.h"

enum {
    HURRY_MS = 100, /* how long NOWAIT bears a latch that is held */
    CHECKED_MS = 10 /* how long the file is taken to be in its place */
};
static const struct rlk_patience for_ever = {RLK_NO_DEADLINE, NULL};

const char *
rowlock_mode_name(enum rowlock_mode mode)
{
    static const char *const names[] = {"READ", "KEY SHARE", "SHARE",
                                        "NO KEY UPDATE", "UPDATE"};
    return (unsigned)mode <= ROWLOCK_UPDATE ? names[mode] : "?";
}

/* ---- the latch, as this session ---- */

static bool
is_over(const rowlock_locks *s)
{
    return RLK_LOOK(s->table.owners[s->self.slot].incarnation) !=
           s->self.incarnation;
}

static int
declared_dead(rowlock_error *err)
{
    rlk_fail(err, ROWLOCK_CONNECTION, "the lock table gave up this session");
    rlk_detail(err, "Its process was taken for dead: its locks are gone.");
    return ROWLOCK_CONNECTION;
}

int
rlk_exit(rowlock_locks *s, rowlock_error *err)
{
    rlk_latch_give(&s->table);
    if (!s->table.damaged)
        return 0;
    rlk_fail(err, ROWLOCK_IO, "the lock table is damaged");
    rlk_hint(err, "Stop all programs that use the database: the next one to "
                  "start writes it anew.");
    return ROWLOCK_IO;
}

/* What a wait left behind when it could not get the latch at its end. */
static void
clean_up(rowlock_locks *s)
{
    uint32_t lock = s->left_lock;
    s->left_lock = 0;
    rlk_lower(&s->table, lock, s->left_mode);
}

int
rlk_enter(rowlock_locks *s, const struct rlk_patience *patience,
          rowlock_error *err)
{
    switch (rlk_latch_take(&s->table, &s->self, patience)) {
    case RLK_LATCHED:
        break;
    case RLK_LATCH_DEADLINE:
        return rlk_latch_is_stuck(&s->table, err);
    case RLK_LATCH_CANCELLED:
        return rlk_fail(err, ROWLOCK_CANCELLED, "cancelled on request");
    }
    if (is_over(s)) {
        rlk_latch_give(&s->table);
        return declared_dead(err);
    }
    if (s->table.damaged)
        return rlk_exit(s, err);
    if (s->left_lock)
        clean_up(s);
    return 0;
}

/* ---- opening and closing ---- */

static void
free_session(rowlock_locks *s)
{
    rlk_search_free(s->search);
    rlk_log_done(&s->log);
    rlk_detach(s->attachment);
    rlk_free(s);
}

static int
copy_options(rowlock_locks *s, const rowlock_locks_options *o,
             rowlock_error *err)
{
    if (o && o->size > sizeof *o)
        return rlk_fail(err, ROWLOCK_MISUSE,
                        "options of a newer version of the library");
    if (o)
        memcpy(&s->options, o, o->size);
    if (s->options.notice_ms <= 0)
        s->options.notice_ms = 1000;
    s->stop.interrupted = s->options.interrupted;
    s->stop.arg = s->options.interrupted_arg;
    return 0;
}

static enum rlk_attaching
how(const rowlock_locks_options *o)
{
    if (o->alone)
        return RLK_ALONE;
    return o->existing_only ? RLK_EXISTING_ONLY : RLK_MAY_MAKE;
}

int
rowlock_locks_open(const char *path, const rowlock_locks_options *o,
                   rowlock_locks **ret, rowlock_error *err)
{
    if (!path || !ret)
        return rlk_fail(err, ROWLOCK_MISUSE, "null argument");
    rowlock_locks *s = rlk_calloc(1, sizeof *s);
    if (!s)
        return rlk_out_of_memory(err);
    int rc = copy_options(s, o, err);
    if (rc == 0)
        rc = rlk_attach(path, how(&s->options), &s->attachment, err);
    if (rc == 0) {
        rlk_attachment_view(s->attachment, &s->table);
        rc = rlk_claim(s->attachment, &s->table, s->options.label,
                       s->options.byte_only, &s->self, err);
    }
    s->options.label = NULL; /* borrowed for the call */
    if (rc) {
        free_session(s);
        return rc;
    }
    *ret = s;
    return 0;
}

void
rowlock_locks_close(rowlock_locks *s)
{
    if (!s)
        return;
    if (!rlk_attachment_is_forked(s->attachment))
        rlk_unclaim(s->attachment, &s->table, &s->self);
    free_session(s);
}

int
rowlock_locks_check(rowlock_locks *s, rowlock_error *err)
{
    if (!s || rlk_attachment_is_forked(s->attachment))
        return rlk_fail(err, ROWLOCK_MISUSE,
                        "a session of the process that forked this one");
    if (is_over(s))
        return declared_dead(err);
    return rlk_attachment_check(s->attachment, err);
}

/* A block's first lock: is the file still the one that others use? The look
 * costs as much as the lock, so one serves for a while. */
static int
check_now_and_then(rowlock_locks *s, rowlock_error *err)
{
    int64_t now = rlk_clock_ms();
    if (now - s->checked_ms < CHECKED_MS)
        return 0;
    RLK_TRY(rowlock_locks_check(s, err));
    s->checked_ms = now;
    return 0;
}

int
rowlock_locks_inherit(rowlock_locks *s, rowlock_error *err)
{
    RLK_TRY(rowlock_locks_check(s, err));
    return rlk_attachment_inherit(s->attachment, err);
}

void
rowlock_locks_cancel(rowlock_locks *s)
{
    if (!s || rlk_attachment_is_forked(s->attachment))
        return;
    __atomic_store_n(&s->stop.cancelled, 1, __ATOMIC_RELEASE);
    rlk_wake(&s->table.owners[s->self.slot].wake);
}

/* ---- what this session holds ---- */

struct looking_for {
    struct rlk_table *table;
    const uint32_t *hash;
};

static bool
has_name(void *arg, uint32_t lock)
{
    const struct looking_for *wanted = arg;
    struct rlk_table *t = wanted->table;
    const struct rlk_name *name = rlk_name_at(t, rlk_lock_at(t, lock)->name);
    return memcmp(name->hash, wanted->hash, sizeof name->hash) == 0;
}

static uint32_t
find_held(const rowlock_locks *s, enum rowlock_kind kind,
          const uint32_t hash[4])
{
    struct looking_for wanted = {(struct rlk_table *)&s->table, hash};
    if (kind == ROWLOCK_WRITER)
        return s->writer;
    return rlk_log_find(&s->log, hash[0], has_name, &wanted);
}

static enum rowlock_mode
mode_of(const rowlock_locks *s, uint32_t lock)
{
    struct rlk_table *t = (struct rlk_table *)&s->table;
    if (lock && lock == s->left_lock)
        return s->left_mode;
    return lock ? rlk_held(RLK_LOOK(rlk_lock_at(t, lock)->word)) : ROWLOCK_READ;
}

enum rowlock_mode
rowlock_locks_held(const rowlock_locks *s, const rowlock_name *name)
{
    uint32_t hash[4];
    if (!s || rlk_attachment_is_forked(s->attachment) || is_over(s) ||
        !rlk_name_is_whole(name))
        return ROWLOCK_READ;
    rlk_name_hash(name, hash);
    return mode_of(s, find_held(s, name->kind, hash));
}

size_t
rowlock_locks_mark(const rowlock_locks *s)
{
    return s ? s->log.n : 0;
}

/* ---- taking ---- */

static void release(rowlock_locks *s, size_t mark, uint32_t writer,
                    const struct rlk_patience *patience);

static void
remember(rowlock_locks *s, const struct rlk_asking *asking, uint32_t lock,
         enum rowlock_mode before)
{
    if (asking->name->kind == ROWLOCK_WRITER)
        s->writer = lock;
    else
        rlk_log_add(&s->log, lock, before, asking->id.hash[0]);
}

/* The table answered "must wait" and did not queue us. */
static int
refused(rowlock_locks *s, const struct rlk_asking *asking, bool *ret_again,
        rowlock_error *err)
{
    struct rlk_blocker blockers[32];
    struct rlk_table *t = &s->table;
    uint32_t name = rlk_name_find(t, asking->id.hash);
    uint32_t n =
        name ? rlk_blockers(t, name, s->self.slot, asking->mode, blockers, 32)
             : 0;
    RLK_TRY(rlk_exit(s, err));
    *ret_again = rlk_bury_dead_blockers(s, blockers, n, &asking->patience);
    if (*ret_again)
        return 0;
    if (asking->wait_ms == ROWLOCK_SKIP_LOCKED)
        err = NULL;
    return rlk_not_available(asking, "could not obtain lock", n ? blockers : 0,
                             err);
}

/* One try: ask under the latch, then wait, grow or give up outside it. */
static int
ask(rowlock_locks *s, const struct rlk_asking *asking, uint32_t held,
    bool *ret_again, rowlock_error *err)
{
    const struct rlk_request request = {
        .owner = s->self.slot,
        .lock = held,
        .id = &asking->id,
        .mode = asking->mode,
        .may_wait = asking->wait_ms >= 0,
    };
    uint32_t lock = 0;
    enum rowlock_mode before = mode_of(s, held);
    *ret_again = false;
    RLK_TRY(rlk_enter(s, &asking->patience, err));
    enum rlk_answer answer = rlk_request(&s->table, &request, &lock);
    if (answer == RLK_MUST_WAIT && !request.may_wait)
        return refused(s, asking, ret_again, err);
    RLK_TRY(rlk_exit(s, err));
    if (answer == RLK_NO_ROOM) {
        *ret_again = true;
        return rlk_attachment_grow(s->attachment, &s->table, &s->self, err);
    }
    if (answer == RLK_MUST_WAIT)
        RLK_TRY(rlk_wait_for_grant(s, lock, before, asking, err));
    remember(s, asking, lock, before);
    return 0;
}

/* Who does not wait for the record needs a limit for the latch alone, and asks
 * for so many locks that the cheaper clock counts. */
static int64_t
deadline(int32_t wait_ms)
{
    if (wait_ms < 0)
        return (rlk_clock_ms() + HURRY_MS) * RLK_MS;
    return wait_ms ? rlk_clock_ns() + wait_ms * RLK_MS : RLK_NO_DEADLINE;
}

/* asking: all but the id. */
static int
take(rowlock_locks *s, struct rlk_asking *asking, rowlock_error *err)
{
    const rowlock_name *name = asking->name;
    rlk_name_hash(name, asking->id.hash);
    rlk_name_prefetch(&s->table, asking->id.hash);
    uint32_t held = find_held(s, name->kind, asking->id.hash);
    if (mode_of(s, held) >= asking->mode)
        return 0;
    if (!rlk_log_reserve(&s->log))
        return rlk_out_of_memory(err);
    asking->id.kind = (uint8_t)name->kind;
    rlk_name_label(name, asking->id.label);
    for (;;) { /* each turn buried a dead owner or made room */
        bool again;
        RLK_TRY(ask(s, asking, held, &again, err));
        if (!again)
            return 0;
    }
}

/* A record lock implies KEY SHARE on its table: first, so that who takes the
 * whole table is not overtaken for ever by who has records of it. */
static int
take_with_table(rowlock_locks *s, struct rlk_asking *asking, rowlock_error *err)
{
    if (asking->name->kind == ROWLOCK_RECORD &&
        strcmp(s->table_held, asking->name->table) != 0) {
        const rowlock_name table = {.kind = ROWLOCK_TABLE,
                                    .table = asking->name->table};
        struct rlk_asking for_table = *asking;
        for_table.name = &table;
        for_table.mode = ROWLOCK_KEY_SHARE;
        RLK_TRY(take(s, &for_table, err));
        if (strlen(table.table) < sizeof s->table_held)
            strcpy(s->table_held, table.table);
    }
    return take(s, asking, err);
}

int
rowlock_locks_take(rowlock_locks *s, const rowlock_name *name,
                   enum rowlock_mode mode, int32_t wait_ms, rowlock_error *err)
{
    if (!s || !rlk_name_is_whole(name) || mode < ROWLOCK_KEY_SHARE ||
        mode > ROWLOCK_UPDATE || wait_ms < ROWLOCK_SKIP_LOCKED)
        return rlk_fail(err, ROWLOCK_MISUSE, "not a lock that can be taken");
    size_t mark = s->log.n;
    if (rlk_attachment_is_forked(s->attachment) || is_over(s))
        return rowlock_locks_check(s, err);
    if (mark == 0 && s->writer == 0)
        RLK_TRY(check_now_and_then(s, err));
    struct rlk_asking asking = {.name = name, .mode = mode, .wait_ms = wait_ms};
    asking.patience = (struct rlk_patience){deadline(wait_ms), &s->stop};
    int rc = take_with_table(s, &asking, err);
    if (rc && s->log.n > mark)
        release(s, mark, 0,
                &(struct rlk_patience){deadline(ROWLOCK_NOWAIT), NULL});
    if (rc == ROWLOCK_CANCELLED)
        __atomic_store_n(&s->stop.cancelled, 0, __ATOMIC_RELEASE);
    return rc;
}

/* ---- giving back ---- */

/* The table is gone, and everything in it that was ours. */
static void
forget_everything(rowlock_locks *s)
{
    rlk_log_done(&s->log);
    s->writer = 0;
    s->left_lock = 0;
}

/* When patience with the latch ends, the rest stays in the log, for later. */
static void
release(rowlock_locks *s, size_t mark, uint32_t writer,
        const struct rlk_patience *patience)
{
    int rc;
    s->table_held[0] = 0;
    do {
        rc = rlk_enter(s, patience, NULL);
        if (rc == 0) {
            if (writer)
                rlk_lower(&s->table, writer, ROWLOCK_READ);
            writer = 0;
            rlk_log_walk_back(&s->log, &s->table, mark);
            rc = rlk_exit(s, NULL);
        }
    } while (rc == 0 && s->log.n > mark);
    if (rc && rc != ROWLOCK_NOT_AVAILABLE)
        forget_everything(s);
}

void
rowlock_locks_release_to(rowlock_locks *s, size_t mark)
{
    if (!s || rlk_attachment_is_forked(s->attachment))
        return;
    uint32_t writer = mark == 0 ? s->writer : 0;
    if (writer)
        s->writer = 0;
    if (s->log.n > mark || writer || s->left_lock)
        release(s, mark, writer, &for_ever);
}

void
rowlock_locks_drop(rowlock_locks *s, const rowlock_name *name)
{
    uint32_t hash[4];
    if (!s || rlk_attachment_is_forked(s->attachment) ||
        !rlk_name_is_whole(name))
        return;
    rlk_name_hash(name, hash);
    uint32_t lock = find_held(s, name->kind, hash);
    if (lock == 0)
        return;
    s->table_held[0] = 0;
    if (lock == s->writer)
        s->writer = 0;
    else
        rlk_log_strike(&s->log, lock, hash[0]);
    if (rlk_enter(s, &for_ever, NULL) == 0) {
        rlk_lower(&s->table, lock, ROWLOCK_READ);
        rlk_exit(s, NULL);
    }
}
