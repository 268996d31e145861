/* SPDX-License-Identifier: MIT
 * From a name to its hash and its short text. */
#ifndef RLK_LOCK_NAME_H
#define RLK_LOCK_NAME_H

#include "table.h"

/* A name that a lock can have: kind, table and values fit together. */
bool rlk_name_is_whole(const rowlock_name *name);
/* 128 bits of XXH3 over a canonical form: equal names give equal hashes. */
void rlk_name_hash(const rowlock_name *name, uint32_t ret_hash[4]);
/* "table", NUL, "key", shortened so that both say something. */
void rlk_name_label(const rowlock_name *name, char ret_label[RLK_LABEL]);
/* The label's two parts, without controls, each ended by a NUL: RLK_LABEL + 1
 * bytes suffice. */
void rlk_label_split(const char label[RLK_LABEL], char *ret_table,
                     char *ret_key);

#endif
