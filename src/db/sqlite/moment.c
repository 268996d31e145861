/* SPDX-License-Identifier: MIT
 * Whether anybody has committed, without a read transaction. The WAL-index
 * header, twice at the start of the -shm file, changes with each commit
 * (sqlite.org/walformat.html, 2.2): a writer stores the second copy, then the
 * first. Both are compared, so a moment inside such a store is like no other.
 *
 * It is only ever compared: a header that means something else would cost a
 * read, and no more. */
#include "conn.h"

#include <string.h>

enum { REGION_BYTES = 32768, I_CHANGE = 2, COPY_WORDS = 12 };

static const volatile uint32_t *
header(struct rlk_sqlite *c)
{
    sqlite3_file *file = NULL, *wal = NULL;
    void volatile *region = NULL;
    sqlite3_file_control(c->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
    if (!wal || !wal->pMethods) /* SQLite has not mapped it yet */
        return NULL;
    sqlite3_file_control(c->db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (!file || !file->pMethods || file->pMethods->iVersion < 2 ||
        file->pMethods->xShmMap(file, 0, REGION_BYTES, 0, &region))
        return NULL;
    return region;
}

struct rlk_sqlite_moment
rlk_sqlite_moment(struct rlk_sqlite *c)
{
    struct rlk_sqlite_moment m = {0};
    const volatile uint32_t *from = header(c);
    atomic_thread_fence(memory_order_seq_cst);
    for (size_t i = 0; from && i < sizeof m.words / sizeof *m.words; i++)
        m.words[i] = from[i];
    atomic_thread_fence(memory_order_seq_cst);
    return m;
}

static bool
is_known(const struct rlk_sqlite_moment *m)
{
    return m->words[0] != 0; /* the format's version */
}

bool
rlk_sqlite_same_moment(const struct rlk_sqlite_moment *a,
                       const struct rlk_sqlite_moment *b)
{
    return is_known(a) && memcmp(a, b, sizeof *a) == 0;
}

void
rlk_sqlite_note_own_commit(struct rlk_sqlite *c)
{
    struct rlk_sqlite_moment *at = &c->catalogue.checked_at;
    const struct rlk_sqlite_moment now = rlk_sqlite_moment(c);
    bool ours = c->wal.frames && rlk_sqlite_same_moment(at, &c->tx.begun_at) &&
                now.words[I_CHANGE] == at->words[I_CHANGE] + 1 &&
                now.words[COPY_WORDS + I_CHANGE] == now.words[I_CHANGE];
    *at = ours ? now : (struct rlk_sqlite_moment){0};
}
