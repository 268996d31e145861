/* SPDX-License-Identifier: MIT
 * The target of a sync, opened as its definition says: database and table are
 * made first where create_table is set. */
#ifndef RLK_CLI_TARGET_H
#define RLK_CLI_TARGET_H

#include "rowlock/rowlock.h"
#include "sync/definition.h"

struct rlk_target {
    rowlock_db *db; /* NULL until it is open */
    char label[32];
    void (*on_wait)(const rowlock_wait_notice *notice, void *arg);
    void *arg;
};

int rlk_target_open(struct rlk_target *t, const struct rlk_definition *d,
                    rowlock_error *err);
/* Safe in a signal handler once rlk_target_open() has returned. */
void rlk_target_cancel(struct rlk_target *t);
void rlk_target_close(struct rlk_target *t);

#endif
