/* SPDX-License-Identifier: MIT
 * What a program of ours sets in SQLite for its whole process. A library must
 * not: the process is its user's. */
#ifndef RLK_DB_SQLITE_PROGRAM_H
#define RLK_DB_SQLITE_PROGRAM_H

/* Before anything else of SQLite is used: no statistics of memory, which take
 * a mutex around every allocation. */
void rlk_sqlite_set_up_program(void);

#endif
