/* SPDX-License-Identifier: MIT
 * rowlock_open(): from a URL to a driver, and a session on it.
 *
 * A URL is a path, or "sqlite:" and a path, verbatim: a path may hold any
 * character, so nothing in it is decoded. Whatever starts with letters and
 * "://" is meant as a server's address; it is never repeated in a message,
 * since it may hold a password. */
#include <string.h>
#include <strings.h>

#include "front/front.h"
#include "record/record.h"

static const struct {
    const char *name, *engine;
    const struct rlk_driver *driver; /* NULL: none yet */
} servers[] = {
    {"postgresql", "PostgreSQL", &rlk_postgres_driver},
    {"postgres", "PostgreSQL", &rlk_postgres_driver},
    {"mariadb", "MariaDB", NULL},
    {"mysql", "MariaDB", NULL},
};
enum { SERVERS = sizeof servers / sizeof servers[0] };

/* The length of the scheme when url is one with "://", else 0. */
static size_t
scheme_length(const char *url)
{
    size_t len = strspn(url, "abcdefghijklmnopqrstuvwxyz"
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
    return strncmp(url + len, "://", 3) == 0 ? len : 0;
}

/* Its place in servers; SERVERS: none of them. */
static size_t
server_of(const char *url, size_t len)
{
    size_t i = 0;
    while (i < SERVERS && (strlen(servers[i].name) != len ||
                           strncmp(url, servers[i].name, len) != 0))
        i++;
    return i;
}

static int
refuse(const char *url, size_t len, rowlock_error *err)
{
    int code = ROWLOCK_UNSUPPORTED;
    size_t server = server_of(url, len);
    if (len == 6 && strncmp(url, "sqlite", 6) == 0) {
        rlk_fail(err, code, "\"sqlite://\" names no database");
        rlk_hint(err, "Write sqlite:PATH; the path is taken as it stands.");
        return code;
    }
    if (server < SERVERS && servers[server].driver) {
        rlk_fail(err, code, "this needs a SQLite database, not one of %s",
                 servers[server].engine);
        return code;
    }
    if (server < SERVERS)
        rlk_fail(err, code, "the driver for %s is not built in",
                 servers[server].engine);
    else
        rlk_fail(err, code, "no driver for \"%.*s://\"",
                 len < 32 ? (int)len : 32, url);
    rlk_hint(err, "Write a path, sqlite:PATH or postgresql://HOST/DATABASE.");
    return code;
}

/* An address that was not typed well: as a path it would be told. */
static bool
is_nearly_server(const char *url)
{
    for (size_t i = 0; i < SERVERS; i++) {
        size_t len = strlen(servers[i].name);
        if (strncasecmp(url, servers[i].name, len) == 0 && url[len] == ':')
            return true;
    }
    const char *password = strstr(url, "password");
    if (password && password[8 + strspn(password + 8, " ")] == '=')
        return true;
    const char *colon = strchr(url, ':');
    return colon && strchr(colon, '@');
}

static int
refuse_nearly(rowlock_error *err)
{
    rlk_fail(err, ROWLOCK_UNSUPPORTED, "this is no database's name");
    rlk_hint(err, "Write a path, sqlite:PATH or postgresql://HOST/DATABASE; a "
                  "file of such a name as sqlite:PATH.");
    return ROWLOCK_UNSUPPORTED;
}

int
rlk_front_path(const char *url, const char **ret, rowlock_error *err)
{
    if (!url)
        return rlk_fail(err, ROWLOCK_MISUSE, "no database given");
    size_t len = scheme_length(url);
    if (len)
        return refuse(url, len, err);
    bool named = strncmp(url, "sqlite:", 7) == 0;
    const char *path = named ? url + 7 : url;
    if (!named && is_nearly_server(url))
        return refuse_nearly(err);
    if (!*path)
        return rlk_fail(err, ROWLOCK_MISUSE, "the database's path is empty");
    *ret = path;
    return 0;
}

bool
rlk_front_is_server(const char *url)
{
    size_t server = server_of(url, scheme_length(url));
    return server < SERVERS && servers[server].driver;
}

/* A server's driver gets the whole URL, SQLite's the path. */
static int
choose(const char *url, const struct rlk_driver **ret, const char **ret_target,
       rowlock_error *err)
{
    if (!url)
        return rlk_fail(err, ROWLOCK_MISUSE, "no database given");
    size_t server = server_of(url, scheme_length(url));
    if (server == SERVERS || !servers[server].driver) {
        *ret = &rlk_sqlite_driver;
        return rlk_front_path(url, ret_target, err);
    }
    *ret = servers[server].driver;
    *ret_target = url;
    return 0;
}

static int
open_session(const char *url, struct rlk_open *request,
             const rowlock_options *options, rowlock_db **ret,
             rowlock_error *err)
{
    struct rlk_conn *conn;
    const struct rlk_driver *driver;
    RLK_TRY(choose(url, &driver, &request->target, err));
    RLK_TRY(driver->open(request, &conn, err));
    int rc = rlk_session_new(conn, options, ret, err);
    if (rc)
        conn->driver->close(conn);
    return rc;
}

int
rlk_front_look(const char *url, const struct rlk_look *how, rowlock_db **ret,
               rowlock_error *err)
{
    struct rlk_open request = {.look_only = true,
                               .unfit = how && how->unfit,
                               .schema = how ? how->schema : NULL};
    return open_session(url, &request, NULL, ret, err);
}

int
rowlock_open(const char *url, const rowlock_options *o, rowlock_db **ret,
             rowlock_error *err)
{
    rowlock_options options;
    struct rlk_open request = {0};
    if (!ret)
        return rlk_fail(err, ROWLOCK_MISUSE, "nowhere to put the session");
    RLK_TRY(rlk_options_read(o, &options, err));
    request.label = options.label;
    request.on_wait = options.on_wait;
    request.on_wait_arg = options.on_wait_arg;
    request.relaxed = options.durability == ROWLOCK_RELAXED;
    return open_session(url, &request, &options, ret, err);
}
