/* SPDX-License-Identifier: MIT
 * A program that uses Rowlock beside those that are tested, on a table
 * t(id, code, name, n, ...):
 *
 *     colleague DATABASE add RECORDS SEED
 *         adds one to n of the record with code c0 ... at random, which it
 *         creates where there is none, until its input ends; prints how often
 *     colleague DATABASE edit ID COLUMN=TEXT ...
 *         locks the record, prints "held", waits for a line, saves the columns
 *     colleague DATABASE both ID OTHER
 *         locks the record, prints "held", waits for a line, locks the other
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rowlock/rowlock.h"

enum { MOST = 1000000 };

static int
fail(const rowlock_error *err)
{
    fprintf(stderr, "colleague: %s %s: %s\n", err->sqlstate, err->message,
            err->detail);
    return 1;
}

/* ---- add ---- */

static int
add_one(rowlock_record *r, int created, void *arg, rowlock_error *err)
{
    rowlock_value n;
    (void)created;
    (void)arg;
    int rc = rowlock_record_get(r, "n", &n, err);
    return rc ? rc : rowlock_record_set(r, "n", rowlock_int(n.u.i + 1), err);
}

static int
add_in_block(rowlock_block *b, void *arg, rowlock_error *err)
{
    const rowlock_pair code = {"code", rowlock_text(arg)};
    const rowlock_key key = {&code, 1};
    rowlock_upsert u = ROWLOCK_UPSERT_INIT;
    u.table = "t";
    u.match = &key;
    u.n_match = 1;
    u.change = add_one;
    return rowlock_update_or_create(b, &u, NULL, NULL, err);
}

static int
is_told_to_end(void)
{
    struct pollfd input = {0, POLLIN, 0};
    return poll(&input, 1, 0) != 0;
}

static int
add(rowlock_db *db, char **words)
{
    int records = atoi(words[0]), n = 0;
    unsigned seed = (unsigned)atoi(words[1]);
    char code[16];
    rowlock_error err;
    for (; n < MOST && !is_told_to_end(); n++) {
        snprintf(code, sizeof code, "c%d", rand_r(&seed) % records);
        if (rowlock_atomic(db, add_in_block, code, &err))
            return fail(&err);
    }
    printf("%d\n", n);
    return 0;
}

/* ---- edit ---- */

static int
set_columns(rowlock_record *r, char **words, rowlock_error *err)
{
    for (; *words; words++) {
        char *value = strchr(*words, '=');
        if (!value)
            return 1;
        char column[64];
        snprintf(column, sizeof column, "%.*s", (int)(value - *words), *words);
        int rc = rowlock_record_set(r, column, rowlock_text(value + 1), err);
        if (rc)
            return rc;
    }
    return rowlock_record_save(r, err);
}

static int
lock_record(rowlock_block *b, const char *word, rowlock_record **ret,
            rowlock_error *err)
{
    rowlock_value id = rowlock_int(atoi(word));
    rowlock_term where = {"id", ROWLOCK_EQ, &id, 1};
    rowlock_query q = ROWLOCK_QUERY_INIT;
    q.table = "t";
    q.where = &where;
    q.n_where = 1;
    q.lock = ROWLOCK_NO_KEY_UPDATE;
    return rowlock_query_first(b, &q, ret, err);
}

static int
lock_and_wait(rowlock_block *b, const char *word, rowlock_record **ret,
              rowlock_error *err)
{
    char line[16];
    int rc = lock_record(b, word, ret, err);
    if (rc)
        return rc;
    puts("held");
    fflush(stdout);
    return fgets(line, sizeof line, stdin) ? 0 : 1;
}

static int
edit_in_block(rowlock_block *b, void *arg, rowlock_error *err)
{
    char **words = arg;
    rowlock_record *r;
    int rc = lock_and_wait(b, words[0], &r, err);
    return rc ? rc : set_columns(r, words + 1, err);
}

static int
edit(rowlock_db *db, char **words)
{
    rowlock_error err = {0};
    return rowlock_atomic(db, edit_in_block, words, &err) ? fail(&err) : 0;
}

/* ---- both ---- */

/* Not run again: who gives way says so. */
static int
both(rowlock_db *db, char **words)
{
    rowlock_block *b;
    rowlock_record *r;
    rowlock_error err = {0};
    int rc = rowlock_begin(db, &b, &err);
    if (!rc)
        rc = lock_and_wait(b, words[0], &r, &err);
    if (!rc)
        rc = lock_record(b, words[1], &r, &err);
    return rc ? fail(&err) : 0;
}

int
main(int argc, char **argv)
{
    rowlock_db *db;
    rowlock_error err;
    if (argc < 5)
        return 2;
    if (rowlock_open(argv[1], NULL, &db, &err))
        return fail(&err);
    int status = strcmp(argv[2], "add") == 0    ? add(db, argv + 3)
                 : strcmp(argv[2], "both") == 0 ? both(db, argv + 3)
                                                : edit(db, argv + 3);
    rowlock_close(db);
    return status;
}
