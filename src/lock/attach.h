/* SPDX-License-Identifier: MIT
 * One process's hold on one lock table: the file, its mapping, and which owner
 * slots are its own. Counted: sessions of a process share it, so that there is
 * one file description, whose byte locks are all this process's. */
#ifndef RLK_LOCK_ATTACH_H
#define RLK_LOCK_ATTACH_H

#include <stdbool.h>

#include "base/error.h"
#include "latch.h"
#include "platform.h"

struct rlk_attachment;

/* How to attach: making the table if need be; not making it (42P01); or while
 * nobody else has it, and keeping others out (55P03). */
enum rlk_attaching { RLK_MAY_MAKE, RLK_EXISTING_ONLY, RLK_ALONE };
/* Attach to the lock table of the database at path. Given back by rlk_detach().
 */
int rlk_attach(const char *path, enum rlk_attaching how,
               struct rlk_attachment **ret, rowlock_error *err);
/* NULL allowed. In a forked child it touches nothing of the parent's. */
void rlk_detach(struct rlk_attachment *a);

/* Are we a fork of the process that attached? */
bool rlk_attachment_is_forked(const struct rlk_attachment *a);
/* 08006 when the file was deleted or replaced since we opened it. */
int rlk_attachment_check(const struct rlk_attachment *a, rowlock_error *err);
/* Let executed programs inherit the file description. */
int rlk_attachment_inherit(struct rlk_attachment *a, rowlock_error *err);

/* A session's own view of the table. */
void rlk_attachment_view(struct rlk_attachment *a, struct rlk_table *ret);
/* Make room for more locks, outside the latch; then publish it under it, as
 * self. 53200 when the table is as large as it gets. */
int rlk_attachment_grow(struct rlk_attachment *a, struct rlk_table *t,
                        const struct rlk_self *self, rowlock_error *err);

/* ---- owners ---- */

/* How long those bear a latch that is held who have no timeout of their own:
 * who opens, lists, or closes. */
enum { RLK_PATIENCE_MS = 2000 };

/* Become an owner. *ret: slot and incarnation; its locks are none. */
int rlk_claim(struct rlk_attachment *a, struct rlk_table *t, const char *label,
              bool byte_only, struct rlk_self *ret, rowlock_error *err);
/* Give back the slot and all its locks; while the latch is stuck they are left
 * to who finds this owner dead. */
void rlk_unclaim(struct rlk_attachment *a, struct rlk_table *t,
                 const struct rlk_self *self);
/* Give back the locks of an owner found dead, in pieces, as far as patience
 * with the latch goes. */
void rlk_bury(struct rlk_table *t, const struct rlk_self *self, uint32_t slot,
              uint32_t incarnation, const struct rlk_patience *patience);

#endif
