/* SPDX-License-Identifier: MIT
 * A field's value out of a remote record: found at the pointer, made what the
 * definition asks for, in a form that loses nothing on its way to the column.
 * Whether the column can hold it is for the record API to say. */
#ifndef RLK_SYNC_VALUE_H
#define RLK_SYNC_VALUE_H

#include "record/record.h"
#include "sync/definition.h"

/* Where a field goes. */
struct rlk_goal {
    enum rlk_column_type type;
    uint32_t length; /* declared, in characters; 0: none */
    bool is_key;     /* text is stripped, as match does it; blank is NULL */
};

/* *ret_present: there is something to write (absent is not null). Bytes of *ret
 * are in arena or the definition's. ROWLOCK_BAD_VALUE rejects the record. */
int rlk_field_value(const struct rlk_field *f, struct rlk_goal goal,
                    const struct rlk_json *record, struct rlk_arena *arena,
                    rowlock_value *ret, bool *ret_present, rowlock_error *err);

/* An integer, however it is written (7, 7.0, 70e-1); false when it is none or
 * does not fit. */
bool rlk_number_to_integer(const char *text, size_t len, int64_t *ret);

#endif
