/* SPDX-License-Identifier: MIT
 * The shared file: what lies where, and which words are the truth.
 *
 *   header | owners | queues | segment 0 | segment 1 | ...
 *   segment: 1,024 locks, then 1,024 names, then 1,024 hash buckets
 *
 * Truth: an owner's identity, a lock's and a name's fields marked T below, and
 * the header's sizes. All else is derived and can be rebuilt from it. Index 0
 * means "none" everywhere; owners link to each other by slot + 1.
 *
 * A lock with its name and its bucket takes 128 bytes. Growth adds segments at
 * the end: nothing moves, so no index and no mapping ever changes. */
#ifndef RLK_LOCK_LAYOUT_H
#define RLK_LOCK_LAYOUT_H

#include <assert.h>
#include <stdint.h>

/* A test makes it smaller, to fill a table. */
#ifndef RLK_MAX_LOCKS_BITS
#define RLK_MAX_LOCKS_BITS 23
#endif

enum {
    RLK_LAYOUT_VERSION = 3,
    RLK_OWNERS = 2048,     /* sessions at one time */
    RLK_MODES = 4,         /* KEY SHARE .. UPDATE */
    RLK_CYCLES = 8,        /* deadlocks remembered */
    RLK_CYCLE_TEXT = 232,  /* of one, with its NUL */
    RLK_LABEL = 37,        /* a name's text for display */
    RLK_OWNER_LABEL = 32,  /* an owner's, with its NUL */
    RLK_SEGMENT = 1 << 10, /* locks in a segment */
    RLK_MAX_LOCKS = 1 << RLK_MAX_LOCKS_BITS,
    RLK_HEADER_BYTES = 4096
};

#define RLK_MAGIC UINT64_C(0x6B636F6C776F72FF) /* "\xFFrowlock" */

/* Bytes of the file locked by open-file-description locks. */
enum { RLK_BYTE_ATTACH = 0, RLK_BYTE_OWNERS = 64 };

/* What an operator asks: how often, how long. Decides nothing, and outlives the
 * programs, in the same boot. */
struct rlk_counters {
    uint64_t grants, waits, bypasses, deadlocks, reaps, rebuilds;
    uint64_t in_vain;               /* waits that ended without the lock */
    uint64_t replays;               /* the driver's */
    uint64_t flushes;               /* of the log, each for all who waited */
    uint64_t waited_ms, longest_ms; /* of waits that are over */
    int64_t since_s;                /* of the clock on the wall */
};

/* A deadlock that was resolved lately, for people. Written in the latch and
 * read without: a text may be of two, and ends within its bytes all the same.
 */
struct rlk_cycle {
    int64_t at_s; /* of the clock on the wall; 0: none yet */
    int64_t pid;  /* the victim's */
    char text[RLK_CYCLE_TEXT];
};

struct rlk_header {
    uint64_t magic; /* T: written last, so a file that has it is whole */
    uint32_t layout_version, n_owners, max_locks, segment_bytes; /* T */
    char boot_id[40]; /* T: locks do not outlive the boot */

    /* The holder's slot and incarnation: see latch.c. */
    _Alignas(64) uint64_t latch;

    _Alignas(64) uint32_t capacity;  /* T: locks that the file has room for */
    uint32_t used_locks, used_names; /* T: once used, counted from 1 */
    uint32_t free_lock, free_name, free_queue;
    uint32_t n_names, n_buckets;
    uint32_t used_owners; /* T: the highest slot ever used, + 1 */
    uint32_t damaged;     /* T: a session met what cannot be: all stop */
    uint64_t next_ticket; /* T: arrivals, in order */

    /* Not of the locks: commits in their order, how far they are known to be on
     * disk, who flushes for all, and the word that ends all acknowledgements
     * after a failed flush. See durable.c. Then a count that dead followers
     * stay in. */
    _Alignas(64) uint64_t ticket, durable, leader, poison; /* T */
    uint64_t followers;
    uint64_t flushing; /* the ticket up to which the running flush reaches */
    uint32_t turn;     /* futex: changes when a flush begins, and ends */

    _Alignas(64) struct rlk_counters counters;
    struct rlk_cycle
        cycles[RLK_CYCLES]; /* the n-th deadlock in n % RLK_CYCLES */
};
static_assert(sizeof(struct rlk_header) <= RLK_HEADER_BYTES, "header");

struct rlk_owner {
    /* T: odd while the slot is owned; each claim and each end adds one. */
    uint32_t incarnation;
    uint32_t wake;               /* futex: changes when there is news */
    int64_t pid;                 /* T */
    uint64_t started;            /* T: the process's start time, in ticks */
    uint64_t pid_namespace;      /* T: 0 when unknown */
    uint32_t byte_only;          /* T: only its byte tells whether it lives */
    uint32_t locks;              /* its locks, a list by own_next */
    uint32_t n_firm;             /* of them held, table locks not counted */
    uint32_t waiting;            /* the lock it waits for */
    uint32_t ahead, behind;      /* its neighbours in the queue, slot + 1 */
    char label[RLK_OWNER_LABEL]; /* T */
    char reserved[40];
};
static_assert(sizeof(struct rlk_owner) == 128, "owner");

/* Who waits for one name: a line for each pair of held and wanted mode, so that
 * what holds for the first of a line holds for all of it. Each line is in order
 * of tickets; lines[0] is of those that hold nothing. An owner waits for one
 * name at most, so there are enough queues. */
enum { RLK_LINES = RLK_MODES * RLK_MODES };
struct rlk_line {
    uint16_t first, last; /* slot + 1 */
};
static_assert(RLK_OWNERS < UINT16_MAX, "slots fit in a line");
struct rlk_queue {
    struct rlk_line lines[RLK_MODES][RLK_MODES]; /* [held][want - 1] */
    uint32_t n_waiting;
    uint32_t next_free;
    char reserved[56];
};
static_assert(sizeof(struct rlk_queue) == 128, "queue");

struct rlk_lock {       /* one owner's claim on one name */
    uint64_t ticket;    /* T: its place among those who wait */
    uint32_t since_low; /* T: milliseconds, 48 bits; held or waiting since */
    uint16_t since_high;
    uint16_t bypassed; /* T: how many went past it */
    uint32_t word;     /* T: held and wanted mode; 0: free. Written last */
    uint32_t name, owner, incarnation; /* T */
    uint32_t peer_next, peer_prev;     /* holders of the name */
    uint32_t own_next, own_prev;       /* locks of the owner; free list */
};
static_assert(sizeof(struct rlk_lock) == 48, "lock");

struct rlk_name {     /* what is locked; exists while locks refer to it */
    uint32_t hash[4]; /* T */
    uint32_t next;    /* in its bucket; free list */
    uint32_t holders; /* a list by peer_next */
    uint32_t queue;   /* index + 1 of its queue; 0: nobody waits */
    uint16_t held[RLK_MODES]; /* how many hold it in each mode */
    uint16_t n_locks;         /* locks that refer to it */
    uint8_t kind;             /* T: enum rowlock_kind */
    char label[RLK_LABEL];    /* T: table, NUL, key; not always terminated,
                                 as given: see rlk_label_split() */
};
static_assert(sizeof(struct rlk_name) == 76, "name");

enum {
    RLK_NAMES_AT = RLK_SEGMENT * sizeof(struct rlk_lock),
    RLK_BUCKETS_AT = RLK_NAMES_AT + RLK_SEGMENT * sizeof(struct rlk_name),
    RLK_SEGMENT_BYTES = RLK_BUCKETS_AT + RLK_SEGMENT * sizeof(uint32_t),
    RLK_OWNERS_AT = RLK_HEADER_BYTES,
    RLK_QUEUES_AT = RLK_OWNERS_AT + RLK_OWNERS * sizeof(struct rlk_owner),
    RLK_SEGMENTS_AT = RLK_QUEUES_AT + RLK_OWNERS * sizeof(struct rlk_queue)
};
static_assert(RLK_SEGMENT_BYTES == 128 * RLK_SEGMENT, "128 bytes a lock");
static_assert(RLK_SEGMENTS_AT % 4096 == 0, "segments start on a page");

/* The file's size with room for so many locks. */
static inline uint64_t
rlk_file_bytes(uint32_t capacity)
{
    return RLK_SEGMENTS_AT +
           (uint64_t)(capacity / RLK_SEGMENT) * RLK_SEGMENT_BYTES;
}

/* The word of a lock: held mode in bits 0-3, wanted mode in bits 4-7, and
 * whether its owner knows that only the gate keeps it waiting. */
enum { RLK_GATED = 1 << 8 };

static inline uint32_t
rlk_word(uint32_t held, uint32_t want)
{
    return held | want << 4;
}

static inline uint32_t
rlk_held(uint32_t word)
{
    return word & 15;
}

static inline uint32_t
rlk_want(uint32_t word)
{
    return word >> 4 & 15;
}

#endif
