/* SPDX-License-Identifier: MIT
 * Tables as the database's catalogue spells them, each read once and kept until
 * the schema changes. The schema's version is asked for once a block, and at
 * every call outside one.
 *
 * Tables of an older schema stay in memory until the session closes: a block
 * may still point to them. Read next: table.c. */
#include "conn.h"

#include <string.h>

static int
forget_if_changed(struct rlk_sqlite *c, rowlock_error *err)
{
    struct rlk_sqlite_catalogue *cat = &c->catalogue;
    int64_t version;
    if (cat->checked)
        return 0;
    const struct rlk_sqlite_moment now = rlk_sqlite_moment(c);
    if (cat->known && rlk_sqlite_same_moment(&now, &cat->checked_at)) {
        cat->checked = c->open_block;
        return 0;
    }
    RLK_TRY(rlk_sqlite_ask(c, RLK_OP_SCHEMA_VERSION, &version, err));
    if (cat->known && cat->schema_version != version) {
        cat->tables = NULL;
        cat->whole = false;
        rlk_sqlite_cache_clear(c);
    }
    cat->known = true;
    cat->schema_version = version;
    cat->checked_at = now;
    cat->checked = c->open_block;
    return 0;
}

static struct rlk_sqlite_table *
find(const struct rlk_sqlite *c, const char *name)
{
    for (struct rlk_sqlite_table *t = c->catalogue.tables; t; t = t->next)
        if (sqlite3_stricmp(t->base.name, name) == 0)
            return t;
    return NULL;
}

static int
load(struct rlk_sqlite *c, const char *name, struct rlk_sqlite_table **ret,
     rowlock_error *err)
{
    struct rlk_sqlite_catalogue *cat = &c->catalogue;
    RLK_TRY(rlk_sqlite_read_table(c, name, ret, err));
    (*ret)->id = ++cat->last_id;
    (*ret)->base.made = cat->schema_version; /* no table has one of its own */
    (*ret)->next = cat->tables;
    cat->tables = *ret;
    return 0;
}

int
rlk_sqlite_table(struct rlk_conn *conn, const char *name,
                 const struct rlk_table **ret, rowlock_error *err)
{
    struct rlk_sqlite *c = rlk_sqlite_of(conn);
    if (!rlk_sqlite_is_ours(c))
        return rlk_sqlite_ready(c, err);
    if (!c->tx.lost) /* else nothing is sent */
        RLK_TRY(forget_if_changed(c, err));
    struct rlk_sqlite_table *t = find(c, name);
    if (!t)
        RLK_TRY(c->tx.lost ? rlk_sqlite_ready(c, err) : 0);
    if (!t)
        RLK_TRY(load(c, name, &t, err));
    *ret = &t->base;
    return 0;
}

const struct rlk_sqlite_table *
rlk_sqlite_loaded(const struct rlk_sqlite *c, const char *name)
{
    /* The hook spells it as the catalogue does. */
    for (const struct rlk_sqlite_table *t = c->catalogue.tables; t; t = t->next)
        if (strcmp(t->base.name, name) == 0)
            return t;
    return NULL;
}

static int
load_each(struct rlk_sqlite *c, sqlite3_stmt *s, rowlock_error *err)
{
    int step;
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(s, 0);
        struct rlk_sqlite_table *t;
        if (!name || find(c, name))
            continue;
        int rc = load(c, name, &t, err);
        if (rc && rc != ROWLOCK_UNSUPPORTED) /* no primary key: no names */
            return rc;
    }
    if (step != SQLITE_DONE)
        return rlk_sqlite_fail(c, "cannot read the catalogue", err);
    return 0;
}

int
rlk_sqlite_know_reach(struct rlk_sqlite *c, const struct rlk_sqlite_table *t,
                      rowlock_error *err)
{
    /* Type "table" leaves out the shadows of virtual tables, which every
     * change of such a table writes. */
    static const char all[] = "SELECT name FROM pragma_table_list "
                              "WHERE schema = 'main' AND type = 'table' AND "
                              "name NOT LIKE 'sqlite!_%' "
                              "ESCAPE '!'";
    sqlite3_stmt *s;
    if (!t->base.reaches_others || c->catalogue.whole)
        return 0;
    if (sqlite3_prepare_v2(c->db, all, -1, &s, NULL))
        return rlk_sqlite_fail(c, "cannot read the catalogue", err);
    int rc = load_each(c, s, err);
    sqlite3_finalize(s);
    c->catalogue.whole = !rc;
    return rc;
}
