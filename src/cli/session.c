/* SPDX-License-Identifier: MIT
 * One session, one block. */
#include "cli/session.h"

#include <stdio.h>

#include "cli/interrupt.h"
#include "cli/speak.h"

void
rlk_session_label(const struct rlk_args *args, char ret[RLK_LABEL_SIZE])
{
    snprintf(ret, RLK_LABEL_SIZE, "rowlock %s", rlk_args_command(args)->name);
}

int
rlk_session_open(const struct rlk_args *args, rowlock_db **ret,
                 rowlock_error *err)
{
    char label[RLK_LABEL_SIZE];
    rlk_session_label(args, label);
    rowlock_options o = ROWLOCK_OPTIONS_INIT;
    o.label = label;
    o.on_wait = rlk_speak_wait;
    return rowlock_open(rlk_args_operand(args, 0), &o, ret, err);
}

static void
cancel(void *db)
{
    rowlock_cancel(db);
}

int
rlk_session_atomic(rowlock_db *db, rowlock_body *body, void *arg,
                   rowlock_error *err)
{
    rlk_interrupt_watch(cancel, db);
    int rc = rowlock_atomic(db, body, arg, err);
    rlk_interrupt_unwatch();
    return rc;
}
