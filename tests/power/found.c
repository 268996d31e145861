/* SPDX-License-Identifier: MIT
 * Recovery as an application would do it, by opening the files, and then every
 * row against what work.h says must be there. */
#include "power/found.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "power/record_vfs.h"

static void __attribute__((format(printf, 2, 3)))
complain(struct found *f, const char *format, ...)
{
    va_list args;
    if (!f->sound)
        return; /* the first word counts */
    f->sound = false;
    va_start(args, format);
    vsnprintf(f->why, sizeof f->why, format, args);
    va_end(args);
}

/* ---- the files ---- */

static void
write_file(const char *path, const struct cut_bytes *b)
{
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    check(fd >= 0 && write(fd, b->ptr, b->n) == (ssize_t)b->n);
    close(fd);
}

static struct path
put_files(const struct folder *folder, const struct cut_image *image)
{
    struct path path = folder_file(folder, "cut.db");
    struct path wal = folder_file(folder, "cut.db-wal");
    unlink(folder_file(folder, "cut.db-shm").text);
    unlink(wal.text);
    write_file(path.text, &image->db);
    if (image->has_wal)
        write_file(wal.text, &image->wal);
    return path;
}

/* ---- the rows ---- */

static sqlite3_stmt *
ask(sqlite3 *db, struct found *f, const char *sql)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL))
        complain(f, "%s: %s", sql, sqlite3_errmsg(db));
    return s;
}

static bool
is_row(sqlite3_stmt *s, struct found *f)
{
    int rc = s ? sqlite3_step(s) : SQLITE_DONE;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        complain(f, "reading: %s", sqlite3_errmsg(sqlite3_db_handle(s)));
    return rc == SQLITE_ROW;
}

static void
look_at_pages(sqlite3 *db, struct found *f)
{
    sqlite3_stmt *s = ask(db, f, "PRAGMA integrity_check");
    if (is_row(s, f)) {
        const char *said = (const char *)sqlite3_column_text(s, 0);
        if (!said || strcmp(said, "ok") != 0)
            complain(f, "integrity_check: %s", said ? said : "nothing");
    }
    sqlite3_finalize(s);
}

static void
look_at_counter(sqlite3 *db, struct found *f)
{
    sqlite3_stmt *s = ask(db, f, "SELECT n FROM counter");
    if (is_row(s, f))
        f->n = sqlite3_column_int(s, 0);
    else
        complain(f, "the counter is gone");
    if (f->n < 0 || f->n > FOUND_COMMITS)
        complain(f, "the counter says %d", f->n);
    sqlite3_finalize(s);
}

static void
look_at_line(sqlite3_stmt *s, int n, const struct work *w, struct found *f)
{
    unsigned char filler[WORK_FILLER];
    size_t len = 0;
    if (sqlite3_column_int(s, 0) != n)
        complain(f, "line %d follows line %d", sqlite3_column_int(s, 0), n - 1);
    f->writers[n - 1] = (uint8_t)sqlite3_column_int(s, 1);
    if (n > f->n - WORK_WINDOW)
        len = work_filler(w->seed, n, w->filler, filler);
    const void *there = sqlite3_column_blob(s, 2);
    size_t n_there = (size_t)sqlite3_column_bytes(s, 2);
    if (n_there != len || (len && memcmp(there, filler, len) != 0))
        complain(f, "line %d has other bytes", n);
}

static void
look_at_lines(sqlite3 *db, const struct work *w, struct found *f)
{
    int n = 0;
    sqlite3_stmt *s =
        ask(db, f, "SELECT id, writer, filler FROM line ORDER BY id");
    while (f->sound && is_row(s, f)) {
        if (++n > f->n)
            complain(f, "line %d, but the counter says %d", n, f->n);
        else
            look_at_line(s, n, w, f);
    }
    if (n < f->n)
        complain(f, "%d lines, but the counter says %d", n, f->n);
    sqlite3_finalize(s);
}

static void
look_at_sides(sqlite3 *db, struct found *f)
{
    int sides = 0;
    sqlite3_stmt *s = ask(db, f,
                          "SELECT substr(name, 6), n FROM side INDEXED BY "
                          "sqlite_autoindex_side_1 ORDER BY name");
    for (; f->sound && is_row(s, f); sides++) {
        int side = sqlite3_column_int(s, 0), n = sqlite3_column_int(s, 1);
        if (n % WORK_SIDES != side || n > f->n || n <= f->n - WORK_SIDES)
            complain(f, "side %d says %d, the counter %d", side, n, f->n);
    }
    if (sides != (f->n < WORK_SIDES ? f->n : WORK_SIDES))
        complain(f, "%d sides, the counter says %d", sides, f->n);
    sqlite3_finalize(s);
}

void
found_look(const struct folder *folder, const struct cut_image *image,
           const struct work *w, struct found *ret)
{
    sqlite3 *db = NULL;
    struct path path = put_files(folder, image);
    ret->sound = true;
    ret->n = 0;
    if (sqlite3_open_v2(path.text, &db, SQLITE_OPEN_READWRITE,
                        record_real_vfs()))
        complain(ret, "cannot be opened: %s", sqlite3_errmsg(db));
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    look_at_counter(db, ret);
    look_at_pages(db, ret);
    if (ret->sound)
        look_at_lines(db, w, ret);
    if (ret->sound)
        look_at_sides(db, ret);
    sqlite3_close(db);
}
