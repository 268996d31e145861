/* SPDX-License-Identifier: MIT
 * The one list of engines that tests run on. A test makes its database here and
 * runs on each: on SQLite as it is, on PostgreSQL under
 * tests/servers/postgres.py, which says in ROWLOCK_POSTGRES where its server
 * is.
 *
 * SQL in tests is SQLite's; what PostgreSQL spells differently is put in its
 * words. What a stranger runs takes no record locks of ours. */
#ifndef SUPPORT_ENGINE_H
#define SUPPORT_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "support/support.h"

enum engine { SQLITE, POSTGRES };
enum engine engine(void);

struct database {
    struct folder folder; /* of SQLite's file */
    char url[2 * SUPPORT_TEXT];
};

/* Empty; on SQLite in WAL mode. One at a time on a server. */
void database_init(struct database *ret);
/* The same where a flush costs nothing, if there is such a place: for tests in
 * which processes die, and not the disk. */
void database_init_in_memory(struct database *ret);
void database_done(struct database *d);
/* A program that takes no locks runs sql, waiting for whom it must. */
void database_run(const struct database *d, const char *sql);
/* What sql answers it: columns joined by '|', rows by ' '; until the next
 * call. */
const char *database_look(const struct database *d, const char *sql);
int64_t database_number(const struct database *d, const char *sql);
/* Waits until a session of pid waits for another's lock: asked of the lock
 * table by the kernel's word on SQLite, of the server on PostgreSQL. */
void database_wait_blocked(const struct database *d, struct child *c);

#endif
