/* SPDX-License-Identifier: MIT
 * The undo log. An entry shares the row's memory with the record (images are
 * counted), so keeping a state copies only what was set and not saved. */
#include "undo.h"

#include <string.h>

bool
rlk_undo_keep(struct rlk_undo *undo, rowlock_record *r)
{
    if (undo->n == undo->cap) {
        size_t cap = undo->cap ? undo->cap * 2 : 16;
        struct rlk_undo_entry *more =
            rlk_reallocarray(undo->entries, cap, sizeof *more);
        if (!more)
            return false;
        undo->entries = more;
        undo->cap = cap;
    }
    struct rlk_undo_entry *entry = &undo->entries[undo->n];
    if (!rlk_state_copy(&r->now, &entry->state))
        return false;
    entry->record = r;
    undo->n++;
    return true;
}

void
rlk_undo_back_to(struct rlk_undo *undo, size_t mark)
{
    while (undo->n > mark) {
        struct rlk_undo_entry *entry = &undo->entries[--undo->n];
        if (!entry->record || entry->record->rows->dead) {
            rlk_state_done(&entry->state);
            continue;
        }
        rlk_state_done(&entry->record->now);
        entry->record->now = entry->state;
    }
}

void
rlk_undo_forget(struct rlk_undo *undo, size_t mark)
{
    while (undo->n > mark)
        rlk_state_done(&undo->entries[--undo->n].state);
}

void
rlk_undo_drop(struct rlk_undo *undo, const rowlock_rows *rows)
{
    for (size_t i = 0; i < undo->n; i++)
        if (undo->entries[i].record && undo->entries[i].record->rows == rows)
            undo->entries[i].record = NULL;
}

void
rlk_undo_done(struct rlk_undo *undo)
{
    rlk_undo_forget(undo, 0);
    rlk_free(undo->entries);
    memset(undo, 0, sizeof *undo);
}
