/* SPDX-License-Identifier: MIT
 * The log of record states that a nested block's rollback brings back. */
#ifndef RLK_RECORD_UNDO_H
#define RLK_RECORD_UNDO_H

#include "result.h"

struct rlk_undo_entry {
    rowlock_record *record; /* NULL: freed meanwhile */
    struct rlk_state state;
};

struct rlk_undo {
    struct rlk_undo_entry *entries;
    size_t n, cap;
};

/* Keeps r's state as it is now; false when out of memory. */
bool rlk_undo_keep(struct rlk_undo *undo, rowlock_record *r);
/* Brings back, newest first, what was kept since mark. */
void rlk_undo_back_to(struct rlk_undo *undo, size_t mark);
/* Forgets what was kept since mark: it is committed, or its records died. */
void rlk_undo_forget(struct rlk_undo *undo, size_t mark);
/* Rows are about to be freed: nothing of theirs is to be brought back. */
void rlk_undo_drop(struct rlk_undo *undo, const rowlock_rows *rows);
void rlk_undo_done(struct rlk_undo *undo);

#endif
