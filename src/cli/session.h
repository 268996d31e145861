/* SPDX-License-Identifier: MIT
 * A session on the DATABASE operand for one block: the label that others see,
 * the word when it waits, and a clean way out on Ctrl-C. */
#ifndef RLK_CLI_SESSION_H
#define RLK_CLI_SESSION_H

#include "cli/command.h"
#include "rowlock/session.h"

/* Errors as rowlock_open(). */
int rlk_session_open(const struct rlk_args *args, rowlock_db **ret,
                     rowlock_error *err);
/* rowlock_atomic(); signals cancel what it waits for. */
int rlk_session_atomic(rowlock_db *db, rowlock_body *body, void *arg,
                       rowlock_error *err);
/* "rowlock upsert": the owner's name in the lock table. */
enum { RLK_LABEL_SIZE = 32 };
void rlk_session_label(const struct rlk_args *args, char ret[RLK_LABEL_SIZE]);

#endif
