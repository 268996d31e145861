/* SPDX-License-Identifier: MIT
 * Looking a SQLite file over: what is well, what is not, what follows from it
 * and what to do. It opens the file by itself, read-only; call it in a process
 * that has no session on the file. */
#ifndef RLK_DB_SQLITE_DOCTOR_H
#define RLK_DB_SQLITE_DOCTOR_H

#include "base/error.h"
#include "base/finding.h"
#include "base/text.h"
#include "db/create.h"

struct rlk_doctor {
    const char *path;
    const char *named; /* what to type behind --fix; NULL: path */
    rlk_tell *tell;
    void *arg;
};

/* Tells what it finds: library, file, file system, journal mode, tables.
 * Errors: 58030 when the file cannot be opened or is no database. */
int rlk_doctor_examine(const struct rlk_doctor *doctor, rowlock_error *err);
/* Tells what only SQLite knows of a table that is imported into: triggers and
 * collations. t->indexes are the match keys. */
int rlk_doctor_target(const struct rlk_doctor *doctor,
                      const struct rlk_new_table *t, rowlock_error *err);
/* Tells whether several records have the same match key; reads them all. */
int rlk_doctor_duplicates(const struct rlk_doctor *doctor,
                          const struct rlk_new_table *t, size_t key,
                          rowlock_error *err);
/* Switches the file to WAL if it is in another mode. *ret_switched: it was.
 * Errors: 55P03 with the holder in the detail, 0A000 on a file system that
 * cannot carry it, 58030. */
int rlk_doctor_switch_to_wal(const char *path, int *ret_switched,
                             rowlock_error *err);
/* After a failed flush, or a repair that was cut short (*ret_repaired: it was
 * so): saves what can be read into a new file, in place of the old one. Errors:
 * 55P03 while other programs use it, 58030; nothing is lost then, and the next
 * repair goes on. path need not be there: the old file is moved away before the
 * copy takes its place (repaired.h). */
int rlk_doctor_repair(const char *path, int *ret_repaired, rowlock_error *err);
/* The version of the SQLite that is linked. */
const char *rlk_doctor_sqlite_version(void);

/* Adds a word as a shell takes it. */
void rlk_doctor_add_word(struct rlk_buf *buf, const char *word);

/* ---- among the files of the doctor ---- */

struct sqlite3;
int rlk_doctor_tables(const struct rlk_doctor *doctor, struct sqlite3 *db,
                      rowlock_error *err);
/* The name of the file system that holds path, and its grade. */
enum rlk_grade rlk_doctor_file_system(const char *path, const char **ret_name);
void rlk_doctor_tell(const struct rlk_doctor *doctor, enum rlk_grade grade,
                     const char *follows, const char *todo, const char *format,
                     ...) RLK_PRINTF(5, 6);
/* Opens the file read-only, closed by sqlite3_close() on failure too. */
int rlk_doctor_open(const char *path, struct sqlite3 **ret, rowlock_error *err);
int rlk_doctor_fail(struct sqlite3 *db, const char *path, rowlock_error *err);

#endif
