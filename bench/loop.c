/* SPDX-License-Identifier: MIT
 * What `rowlock sync` is measured against: the plainest fast import there is.
 * One prepared INSERT ... ON CONFLICT DO UPDATE ... WHERE ... IS NOT ..., one
 * transaction, no locks, no checks, no second key: whoever writes at the same
 * time waits until it ends. It reads the lines that bench/import.py writes, and
 * knows their form: `"member": "text"` in a known order.
 *
 *     loop DATABASE LINES
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS = 4 };

static const char schema[] =
    "PRAGMA journal_mode=WAL;"
    "CREATE TABLE IF NOT EXISTS term(id INTEGER PRIMARY KEY, remote_id TEXT, "
    "slug TEXT, name TEXT, kind TEXT, parent TEXT);"
    "CREATE UNIQUE INDEX IF NOT EXISTS term_remote_id ON term(remote_id);"
    "CREATE UNIQUE INDEX IF NOT EXISTS term_slug ON term(slug);"
    "BEGIN IMMEDIATE;";

static const char upsert[] =
    "INSERT INTO term(remote_id, slug, name, kind, parent) "
    "VALUES(?1, lower(?1), ?2, ?3, ?4) "
    "ON CONFLICT(remote_id) DO UPDATE SET name=excluded.name, "
    "kind=excluded.kind, parent=excluded.parent WHERE name IS NOT "
    "excluded.name OR kind IS NOT excluded.kind OR parent IS NOT "
    "excluded.parent";

static void
must(sqlite3 *db, int ok)
{
    if (ok)
        return;
    fprintf(stderr, "loop: %s\n", db ? sqlite3_errmsg(db) : "no database");
    exit(1);
}

/* The texts of a line, bound where they stand. */
static void
bind_line(sqlite3 *db, sqlite3_stmt *s, const char *line)
{
    for (int i = 1; i <= FIELDS; i++) {
        const char *text = strstr(line, "\": \"");
        must(db, text != NULL);
        text += 4;
        const char *end = strchr(text, '"');
        must(db, end != NULL);
        must(db, sqlite3_bind_text(s, i, text, (int)(end - text),
                                   SQLITE_STATIC) == SQLITE_OK);
        line = end + 1;
    }
}

int
main(int argc, char **argv)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *s;
    char line[4096];
    FILE *lines = argc == 3 ? fopen(argv[2], "r") : NULL;
    if (!lines) {
        fprintf(stderr, "usage: loop DATABASE LINES\n");
        return 2;
    }
    must(db, sqlite3_open(argv[1], &db) == SQLITE_OK);
    must(db, sqlite3_exec(db, schema, NULL, NULL, NULL) == SQLITE_OK);
    must(db, sqlite3_prepare_v2(db, upsert, -1, &s, NULL) == SQLITE_OK);
    while (fgets(line, sizeof line, lines)) {
        bind_line(db, s, line);
        must(db, sqlite3_step(s) == SQLITE_DONE);
        sqlite3_reset(s);
    }
    sqlite3_finalize(s);
    must(db, sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK);
    must(db, sqlite3_close(db) == SQLITE_OK);
    return fclose(lines);
}
