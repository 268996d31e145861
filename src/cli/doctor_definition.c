/* SPDX-License-Identifier: MIT
 * rowlock doctor DEFINITION: joins what the room sync knows of the definition
 * and its table with what the engine knows of it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "cli/database.h"
#include "cli/doctor.h"
#include "cli/target.h"
#include "front/front.h"
#include "sync/check.h"

/* ---- which of the two it is ---- */

static bool
ends_in(const char *path, const char *end)
{
    size_t len = strlen(path), n = strlen(end);
    return len > n && strcasecmp(path + len - n, end) == 0;
}

static const char magic[16] = "SQLite format 3";

/* A file that can be read, is not empty and does not begin as a database. */
static bool
has_other_content(const char *path)
{
    char bytes[sizeof magic];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    ssize_t n = fd < 0 ? 0 : read(fd, bytes, sizeof bytes);
    if (fd >= 0)
        close(fd);
    return n > 0 &&
           (n < (ssize_t)sizeof bytes || memcmp(bytes, magic, sizeof magic));
}

static bool
reads_as_map(const char *path)
{
    struct rlk_arena RLK_AUTOARENA arena = {0};
    struct rlk_yaml *root;
    char *RLK_AUTOFREE bytes = NULL;
    size_t len;
    return rlk_yaml_load(path, &bytes, &len, NULL) == 0 &&
           rlk_yaml_parse(path, bytes, len, &arena, &root, NULL) == 0 &&
           root->kind == RLK_YAML_MAP;
}

bool
rlk_doctor_is_definition(const char *path)
{
    bool named = ends_in(path, ".yaml") || ends_in(path, ".yml");
    if (strncmp(path, "sqlite:", 7) == 0 || strstr(path, "://"))
        return false;
    if (access(path, F_OK))
        return named;
    return has_other_content(path) && (named || reads_as_map(path));
}

/* ---- both together ---- */

struct examination {
    const struct rlk_definition *d;
    struct rlk_doctor doctor;
    struct rlk_new_table table; /* as create_table would make it */
    struct rlk_target target;
};

static void
tell(struct examination *e, enum rlk_grade grade, const rowlock_error *why)
{
    struct rlk_finding finding = {grade, why->message, why->detail, why->hint};
    rlk_doctor_print(&finding, e->doctor.arg);
}

static void
print(const struct rlk_finding *finding, void *arg)
{
    struct examination *e = arg;
    rlk_doctor_print(finding, e->doctor.arg);
}

static void
add_index(struct rlk_buf *buf, size_t k, void *arg)
{
    struct examination *e = arg;
    rlk_front_add_index_sql(e->d->database.text, buf, &e->table, k);
}

static int
count_duplicates(size_t k, void *arg, rowlock_error *err)
{
    struct examination *e = arg;
    struct rlk_server_doctor server = {e->d->database.text, print, e};
    if (e->target.is_new)
        return 0;
    return rlk_front_is_server(e->d->database.text)
               ? rlk_postgres_duplicates(&server, &e->table, k, err)
               : rlk_doctor_duplicates(&e->doctor, &e->table, k, err);
}

static int
examine_table(struct examination *e, rowlock_error *err)
{
    struct rlk_check check = {e->d,      e->target.db,     print,
                              add_index, count_duplicates, e};
    bool fits;
    RLK_TRY(rlk_check_definition(&check, err));
    if (e->target.is_new) {
        char what[320];
        snprintf(what, sizeof what,
                 "table %.255s is not there: the first run makes it",
                 e->d->table.text);
        struct rlk_finding finding = {RLK_GRADE_OK, what, "", ""};
        print(&finding, e);
    }
    RLK_TRY(rlk_check_table(&check, &fits, err));
    return fits && !e->target.is_new &&
                   !rlk_front_is_server(e->d->database.text)
               ? rlk_doctor_target(&e->doctor, &e->table, err)
               : 0;
}

/* A database that is there is examined; one that is not may be made. */
static int
examine_database(struct examination *e, const struct rlk_args *args,
                 rowlock_error *err)
{
    struct rlk_finding made = {RLK_GRADE_OK,
                               "the database is not there: the first run makes "
                               "it, in WAL mode",
                               "", ""};
    const char **path = &e->doctor.path;
    if (rlk_front_is_server(e->d->database.text)) {
        struct rlk_server_doctor server = {e->d->database.text, print, e};
        return rlk_doctor_server(&server, args, err);
    }
    RLK_TRY(rlk_front_path(e->d->database.text, path, err));
    if (access(*path, F_OK) && e->d->create_table) {
        print(&made, e);
        return 0;
    }
    RLK_TRY(rlk_database_path(e->d->database.text, path, err));
    return rlk_doctor_database(&e->doctor, args, err);
}

static int
examine(struct examination *e, const struct rlk_args *args, rowlock_error *err)
{
    rowlock_error why = {0};
    int failed = examine_database(e, args, &why);
    if (failed == ROWLOCK_CONNECTION) {
        tell(e, RLK_GRADE_BAD, &why);
        return 0;
    }
    if (failed && err)
        *err = why;
    RLK_TRY(failed);
    e->target.unfit = true;
    if (rlk_target_look(&e->target, e->d, true, &why)) {
        tell(e, RLK_GRADE_BAD, &why);
        return 0;
    }
    int rc = examine_table(e, err);
    rlk_target_close(&e->target);
    return rc;
}

int
rlk_doctor_definition(const char *path, const struct rlk_args *args,
                      struct rlk_doctor_report *report, rowlock_error *err)
{
    struct rlk_definition *d;
    struct rlk_arena RLK_AUTOARENA arena = {0};
    struct examination e = {.doctor = {NULL, path, rlk_doctor_print, report}};
    rowlock_error why = {0};
    int rc = rlk_definition_read(path, &d, &why);
    if (rc == ROWLOCK_NO_MEMORY)
        return rlk_out_of_memory(err);
    if (rc) {
        tell(&e, RLK_GRADE_BAD, &why);
        return 0;
    }
    e.d = d;
    rc = rlk_target_describe(d, &arena, &e.table, err);
    if (!rc)
        rc = examine(&e, args, err);
    rlk_definition_free(d);
    return rc;
}
