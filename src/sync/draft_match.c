/* SPDX-License-Identifier: MIT
 * The match keys of a draft: what a table's unique indexes say, as far as the
 * source has these columns; else what told every record apart and is called
 * like an id, then like a slug. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "sync/drafting.h"

bool
rlk_draft_same_name(const char *a, const char *b)
{
    for (;;) {
        while (*a && strchr("_- .@#$", *a))
            a++;
        while (*b && strchr("_- .@#$", *b))
            b++;
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
            return false;
        if (!*a)
            return true;
        a++;
        b++;
    }
}

/* names end with NULL; the first is the best. */
static int
rank(const char *const *names, const char *name)
{
    int n = 0, at = -1;
    for (; names[n]; n++)
        if (at < 0 && rlk_draft_same_name(names[n], name))
            at = n;
    return at < 0 ? 0 : n - at + 1;
}

int
rlk_draft_id_rank(const char *name)
{
    static const char *const names[] = {
        "id",         "remote_id", "external_id", "source_id", "uuid", "guid",
        "identifier", "pk",        "key",         "code",      "sku",  "iri",
        "uri",        "ref",       "number",      NULL};
    size_t len = strlen(name);
    int found = rank(names, name);
    bool tail = len > 3 && (strcasecmp(name + len - 3, "_id") == 0 ||
                            strcmp(name + len - 2, "Id") == 0 ||
                            strcmp(name + len - 2, "ID") == 0 ||
                            strcasecmp(name + len - 3, "tid") == 0);
    return found ? found : tail;
}

int
rlk_draft_slug_rank(const char *name)
{
    static const char *const names[] = {"slug", "handle", "alias", "permalink",
                                        NULL};
    return rank(names, name);
}

/* ---- by the table's indexes ---- */

static bool
find_field(const struct rlk_drafting *g, uint32_t column, size_t *ret)
{
    const struct rlk_table *t = g->o->table;
    for (size_t i = 0; i < g->n_fields; i++)
        if (g->fields[i].from && g->fields[i].goal == &t->columns[column]) {
            *ret = i;
            return true;
        }
    return false;
}

/* All columns come from the source, and a single one told the records apart. */
static bool
make_key(const struct rlk_drafting *g, const uint32_t *columns, size_t n,
         struct rlk_draft_key *ret)
{
    *ret = (struct rlk_draft_key){.n = n, .unique = true};
    if (n > RLK_DRAFT_PARTS)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!find_field(g, columns[i], &ret->fields[i]))
            return false;
    const struct rlk_draft_field *f = &g->fields[ret->fields[0]];
    return (n > 1 || !f->from->repeated) && f->goal->type != RLK_TYPE_JSON;
}

static int
key_rank(const struct rlk_drafting *g, const struct rlk_draft_key *key)
{
    const struct rlk_draft_field *f = &g->fields[key->fields[0]];
    int id = rlk_draft_id_rank(f->column);
    return id ? 100 + id : rlk_draft_slug_rank(f->column) ? 50 : 0;
}

/* In the order of their ranks; the last falls out. */
static void
add_key(struct rlk_drafting *g, const struct rlk_draft_key *key)
{
    size_t at = g->n_keys;
    while (at && key_rank(g, &g->keys[at - 1]) < key_rank(g, key))
        at--;
    if (at == RLK_DRAFT_KEYS)
        return;
    g->n_keys += g->n_keys < RLK_DRAFT_KEYS;
    memmove(&g->keys[at + 1], &g->keys[at],
            (g->n_keys - 1 - at) * sizeof g->keys[0]);
    g->keys[at] = *key;
}

static void
add_indexes(struct rlk_drafting *g)
{
    const struct rlk_table *t = g->o->table;
    struct rlk_draft_key key;
    if (!t->numbers_records &&
        make_key(g, t->primary_key, t->n_primary_key, &key))
        add_key(g, &key);
    for (size_t i = 0; i < t->n_indexes; i++)
        if (t->indexes[i].unique && !t->indexes[i].partial &&
            make_key(g, t->indexes[i].columns, t->indexes[i].n_columns, &key))
            add_key(g, &key);
}

/* ---- by what the records showed ---- */

typedef int ranking(const char *name);

/* The field that told all records apart and has the best name; the least deep
 * of several. name: NULL takes any. */
static bool
find_best(const struct rlk_drafting *g, ranking *name, size_t *ret)
{
    int best = 0;
    for (size_t i = 0; i < g->n_fields; i++) {
        const struct rlk_member *m = g->fields[i].from;
        if (!m || g->fields[i].key || !rlk_survey_identifies(&g->survey, m))
            continue;
        int by_column = name ? name(g->fields[i].column) : 1;
        int by_member = name ? name(m->name) : 1;
        int found = by_column > by_member ? by_column : by_member;
        found = found ? found * 10 - (int)m->depth : 0;
        if (found > best) {
            best = found;
            *ret = i;
        }
    }
    return best > 0;
}

static void
add_guess(struct rlk_drafting *g, ranking *name)
{
    struct rlk_draft_key key = {.n = 1};
    if (!find_best(g, name, &key.fields[0]))
        return;
    g->fields[key.fields[0]].key = true;
    g->keys[g->n_keys++] = key;
}

int
rlk_draft_match(struct rlk_drafting *g)
{
    if (g->o->table)
        add_indexes(g);
    if (!g->n_keys) {
        add_guess(g, rlk_draft_id_rank);
        add_guess(g, rlk_draft_slug_rank);
    }
    if (!g->n_keys)
        add_guess(g, NULL);
    for (size_t k = 0; k < g->n_keys; k++)
        for (size_t i = 0; i < g->keys[k].n; i++)
            g->fields[g->keys[k].fields[i]].key = true;
    if (g->n_keys)
        return 0;
    rlk_fail(g->err, ROWLOCK_BAD_VALUE, "nothing tells the records apart%s",
             g->o->table ? " in what the table takes" : "");
    rlk_detail(g->err,
               "In the %zu records looked at every value is missing in "
               "one, or is there twice.",
               g->survey.records);
    rlk_hint(g->err, "Write the definition by hand, with a key of several "
                     "columns: docs/definition.md, Matching.");
    return ROWLOCK_BAD_VALUE;
}
