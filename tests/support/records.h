/* SPDX-License-Identifier: MIT
 * What tests of the record API share: sessions on the test's database, and what
 * must hold once all of them are gone. */
#ifndef SUPPORT_RECORDS_H
#define SUPPORT_RECORDS_H

#include "rowlock/rowlock.h"
#include "support/engine.h"

/* The caller's; fails the test when it cannot be had. label may be NULL. Its
 * blocks run again as often as it takes. */
rowlock_db *records_open(const struct database *d, const char *label);

/* On SQLite: nothing is held or waited for in the lock table beside path. */
void records_check_no_locks(const char *path);

/* Table ledger has lines (life, number) of the processes 0 .. lives - 1: from 0
 * to done[life] - 1, each once; and maybe one more of a life that ended before
 * it was told. */
void records_check_ledger(const struct database *d, int lives,
                          const int64_t *done);

#endif
