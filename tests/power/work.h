/* SPDX-License-Identifier: MIT
 * Commits that tell afterwards which of them are there. Commit number n, n
 * counted under the lock of the one record of `counter`, sets that to n, makes
 * line n, sets one of the records of `side` to n, and empties line n -
 * WORK_WINDOW. So a database in which commits 1 .. m happened and no others is
 * known to the byte. */
#ifndef POWER_WORK_H
#define POWER_WORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sqlite3;

enum { WORK_WINDOW = 12, WORK_SIDES = 7, WORK_FILLER = 1 << 16 };

extern const char work_schema[];

struct work {
    uint64_t seed;    /* of the fillers, one for all */
    const char *path; /* of the database */
    int writer;       /* who commits, from 1 */
    int commits;      /* how many */
    int session;      /* commits between two openings; 0: all */
    size_t filler;    /* bytes of a line, at most; WORK_FILLER at most */
    bool goes_on;     /* after an error too */

    /* Plainly: */
    const char *synchronous; /* the PRAGMA's word */
    bool flushes;            /* the -wal, itself, before it tells */
    bool checkpoints;        /* at times, too */
    bool silent;             /* tells nobody */
};

/* By Rowlock's record API. Acknowledged is what it said is committed. */
void work_with_rowlock(const struct work *w);
/* The same by SQLite alone. */
void work_plainly(const struct work *w);
/* Its parts, for those who do them in a wrong order. */
struct sqlite3 *work_open(const struct work *w);
int64_t work_commit(struct sqlite3 *db, const struct work *w); /* its number */
bool work_flush(struct sqlite3 *db);

/* What line n holds at first: its bytes (as many as are answered) to ret. */
size_t work_filler(uint64_t seed, int64_t n, size_t most,
                   unsigned char ret[WORK_FILLER]);

#endif
