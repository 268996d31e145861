/* SPDX-License-Identifier: MIT
 * The statements of a step, over the record API; README.md has their grammar.
 * Text is cut into tokens, and each statement takes the tokens it wants. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "spec.h"

enum { MOST_TOKENS = 200, MOST_PAIRS = 12, MOST_TERMS = 6, MOST_VALUES = 24 };

#define TRY(call)         \
    do {                  \
        int rc_ = (call); \
        if (rc_)          \
            return rc_;   \
    } while (0)

enum kind { END, WORD, VALUE, SYMBOL };

struct token {
    enum kind kind;
    const char *text; /* NUL-terminated; of a VALUE its spelling */
    const char *from; /* in the statement */
    rowlock_value value;
};

struct statement {
    struct spec_state *s;
    char memory[4096];
    size_t n_memory;
    struct token tokens[MOST_TOKENS];
    int n, at;
    bool wrong;
    rowlock_term terms[MOST_TERMS];
    rowlock_value values[MOST_VALUES];
    int n_terms, n_values;
};

/* ---- tokens ---- */

static const char *
keep(struct statement *st, const char *text, size_t len)
{
    if (st->n_memory + len + 1 > sizeof st->memory) {
        st->wrong = true;
        return "";
    }
    char *copy = st->memory + st->n_memory;
    memcpy(copy, text, len);
    copy[len] = 0;
    st->n_memory += len + 1;
    return copy;
}

static size_t
length_of_token(const char *p)
{
    if (*p == '\'') {
        const char *end = strchr(p + 1, '\'');
        return end ? (size_t)(end - p) + 1 : strlen(p);
    }
    if (isdigit((unsigned char)*p) ||
        (*p == '-' && isdigit((unsigned char)p[1])))
        return 1 + strspn(p + 1, "0123456789.");
    size_t n = 0;
    while (isalnum((unsigned char)p[n]) || p[n] == '_')
        n++;
    if (n)
        return n;
    return p[1] && strchr("=>", p[1]) && strchr("<>", p[0]) ? 2 : 1;
}

static void
add_token(struct statement *st, const char *p, size_t len)
{
    struct token *t = &st->tokens[st->n++];
    *t = (struct token){WORD, keep(st, p, len), p, rowlock_null()};
    if (*p == '\'') {
        t->kind = VALUE;
        t->value = rowlock_text(keep(st, p + 1, len > 1 ? len - 2 : 0));
    } else if (isdigit((unsigned char)t->text[t->text[0] == '-'])) {
        t->kind = VALUE;
        t->value = strchr(t->text, '.')
                       ? rowlock_double(strtod(t->text, NULL))
                       : rowlock_int(strtoll(t->text, NULL, 10));
    } else if (strcmp(t->text, "null") == 0) {
        t->kind = VALUE;
    } else if (!isalpha((unsigned char)*p) && *p != '_') {
        t->kind = SYMBOL;
    }
}

static void
cut(struct statement *st, const char *text, size_t len)
{
    const char *p = text;
    while (st->n < MOST_TOKENS - 1) {
        p += strspn(p, " \t\n");
        if (p >= text + len)
            break;
        size_t n = length_of_token(p);
        add_token(st, p, n);
        p += n;
    }
    st->tokens[st->n] = (struct token){END, "", text + len, rowlock_null()};
}

static struct token *
now(struct statement *st)
{
    return &st->tokens[st->at];
}

/* Is it this word or symbol? Then it is taken. */
static bool
got(struct statement *st, const char *text)
{
    bool it_is = now(st)->kind != VALUE && now(st)->kind != END &&
                 strcmp(now(st)->text, text) == 0;
    st->at += it_is;
    return it_is;
}

static void
want(struct statement *st, const char *text)
{
    if (!got(st, text))
        st->wrong = true;
}

static const char *
name(struct statement *st)
{
    if (now(st)->kind != WORD) {
        st->wrong = true;
        return "";
    }
    return st->tokens[st->at++].text;
}

static rowlock_value
value(struct statement *st)
{
    if (now(st)->kind != VALUE) {
        st->wrong = true;
        return rowlock_null();
    }
    return st->tokens[st->at++].value;
}

static int64_t
number(struct statement *st)
{
    rowlock_value v = value(st);
    if (v.type != ROWLOCK_INT)
        st->wrong = true;
    return v.u.i;
}

/* Nothing is left of the statement, and all of it was understood. */
static bool
is_whole(struct statement *st)
{
    st->wrong |= now(st)->kind != END;
    return !st->wrong;
}

/* ---- clauses ---- */

static enum rowlock_op
op(struct statement *st)
{
    static const struct {
        const char *text;
        enum rowlock_op op;
    } ops[] = {{"=", ROWLOCK_EQ},  {"<>", ROWLOCK_NE},
               {"<", ROWLOCK_LT},  {"<=", ROWLOCK_LE},
               {">", ROWLOCK_GT},  {">=", ROWLOCK_GE},
               {"in", ROWLOCK_IN}, {"prefix", ROWLOCK_PREFIX}};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        if (got(st, ops[i].text))
            return ops[i].op;
    st->wrong = true;
    return ROWLOCK_EQ;
}

static void
term(struct statement *st)
{
    if (st->n_terms == MOST_TERMS || st->n_values + 8 > MOST_VALUES) {
        st->wrong = true;
        return;
    }
    rowlock_term *t = &st->terms[st->n_terms++];
    *t =
        (rowlock_term){.column = name(st), .values = &st->values[st->n_values]};
    if (got(st, "is")) {
        t->op = ROWLOCK_IS_NULL;
        value(st);
        return;
    }
    t->op = op(st);
    if (t->op == ROWLOCK_IN)
        want(st, "(");
    do
        st->values[st->n_values + (int)t->n_values++] = value(st);
    while (t->op == ROWLOCK_IN && t->n_values < 8 && got(st, ","));
    if (t->op == ROWLOCK_IN)
        want(st, ")");
    st->n_values += (int)t->n_values;
}

static int32_t
policy(struct statement *st)
{
    if (got(st, "nowait"))
        return ROWLOCK_NOWAIT;
    if (got(st, "skip")) {
        want(st, "locked");
        return ROWLOCK_SKIP_LOCKED;
    }
    return got(st, "wait") ? (int32_t)number(st) : ROWLOCK_WAIT;
}

static enum rowlock_mode
mode(struct statement *st)
{
    if (!got(st, "for"))
        return ROWLOCK_UPDATE;
    if (got(st, "key")) {
        want(st, "share");
        return ROWLOCK_KEY_SHARE;
    }
    if (got(st, "share"))
        return ROWLOCK_SHARE;
    if (got(st, "no")) {
        want(st, "key");
        want(st, "update");
        return ROWLOCK_NO_KEY_UPDATE;
    }
    want(st, "update");
    return ROWLOCK_UPDATE;
}

/* "-a, b" as the API wants it: "-a,b". */
static const char *
order(struct statement *st)
{
    char text[128];
    size_t len = 0;
    do {
        bool down = got(st, "-");
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s%s",
                                len ? "," : "", down ? "-" : "", name(st));
    } while (len < sizeof text && got(st, ","));
    return keep(st, text, len < sizeof text ? len : 0);
}

/* WHERE, ORDER, LIMIT, OFFSET, FOR and the policy, in this order. */
static void
query(struct statement *st, const char *table, bool locks, rowlock_query *ret)
{
    *ret = (rowlock_query)ROWLOCK_QUERY_INIT;
    ret->table = table;
    if (got(st, "where"))
        do
            term(st);
        while (got(st, "and"));
    ret->where = st->terms;
    ret->n_where = (size_t)st->n_terms;
    if (got(st, "order"))
        ret->order = order(st);
    if (got(st, "limit"))
        ret->limit = number(st);
    if (got(st, "offset"))
        ret->offset = number(st);
    if (locks) {
        ret->lock = mode(st);
        ret->wait_ms = policy(st);
    }
}

static int
pairs(struct statement *st, const char *between, rowlock_pair ret[MOST_PAIRS])
{
    int n = 0;
    do {
        ret[n].column = name(st);
        want(st, "=");
        ret[n++].value = value(st);
    } while (n < MOST_PAIRS && got(st, between));
    return n;
}

/* ---- what is said ---- */

static void
say_value(struct spec_state *s, const rowlock_value *v)
{
    switch (v->type) {
    case ROWLOCK_NULL:
        spec_say(s, "null");
        break;
    case ROWLOCK_INT:
        spec_say(s, "%lld", (long long)v->u.i);
        break;
    case ROWLOCK_DOUBLE:
        spec_say(s, "%g", v->u.d);
        break;
    default:
        spec_say(s, "%.*s", (int)v->u.s.len, v->u.s.ptr);
    }
}

static void
say_record(struct spec_state *s, const rowlock_record *r,
           const char *const *columns, int n)
{
    for (int i = 0; i < n; i++) {
        rowlock_value v;
        rowlock_error err;
        spec_say(s, i ? " | " : "  ");
        if (rowlock_record_get(r, columns[i], &v, &err))
            spec_say(s, "%s", err.message);
        else
            say_value(s, &v);
    }
    spec_say(s, "\n");
}

static const struct spec_table *
table_of(struct statement *st, const char *table)
{
    for (int i = 0; i < st->s->spec->n_tables; i++)
        if (strcmp(st->s->spec->tables[i].name, table) == 0)
            return &st->s->spec->tables[i];
    st->wrong = true;
    return NULL;
}

/* In hand from now on. */
static void
hold(struct statement *st, rowlock_record *r, const char *table)
{
    st->s->record = r;
    st->s->table = table_of(st, table);
    if (st->s->table && r)
        say_record(st->s, r, st->s->table->columns, st->s->table->n_columns);
}

/* ---- statements; each in the innermost block ---- */

struct job {
    struct statement *st;
    rowlock_block *block;
};

static int
fetch(struct job *j, bool locks, rowlock_error *err)
{
    rowlock_query q;
    rowlock_rows *rows;
    struct statement *st = j->st;
    const char *table = name(st);
    query(st, table, locks, &q);
    if (!is_whole(st))
        return 0;
    TRY(rowlock_query_all(j->block, &q, &rows, err));
    if (rowlock_rows_count(rows) == 0)
        spec_say(st->s, "  (none)\n");
    for (size_t i = 0; i < rowlock_rows_count(rows); i++)
        hold(st, rowlock_rows_at(rows, i), table);
    st->s->record = rowlock_rows_at(rows, 0);
    return 0;
}

static int
set(struct job *j, rowlock_error *err)
{
    rowlock_pair p[MOST_PAIRS];
    int n = pairs(j->st, ",", p);
    if (!j->st->s->record)
        j->st->wrong = true;
    for (int i = 0; i < n && is_whole(j->st); i++)
        TRY(rowlock_record_set(j->st->s->record, p[i].column, p[i].value, err));
    return 0;
}

static int
create(struct job *j, rowlock_error *err)
{
    rowlock_pair p[MOST_PAIRS];
    rowlock_record *r = NULL;
    const char *table = name(j->st);
    int n = pairs(j->st, ",", p);
    if (!is_whole(j->st))
        return 0;
    TRY(rowlock_record_create(j->block, table, p, (size_t)n, &r, err));
    hold(j->st, r, table);
    return 0;
}

static int
update(struct job *j, rowlock_error *err)
{
    rowlock_pair p[MOST_PAIRS];
    rowlock_query q;
    int64_t changed;
    const char *table = name(j->st);
    want(j->st, "set");
    int n = pairs(j->st, ",", p);
    query(j->st, table, false, &q);
    q.wait_ms = policy(j->st);
    if (!is_whole(j->st))
        return 0;
    TRY(rowlock_update_where(j->block, &q, p, (size_t)n, &changed, err));
    spec_say(j->st->s, "  %lld changed\n", (long long)changed);
    return 0;
}

static int
remove_where(struct job *j, rowlock_error *err)
{
    rowlock_query q;
    int64_t removed;
    const char *table = name(j->st);
    query(j->st, table, false, &q);
    q.wait_ms = policy(j->st);
    if (!is_whole(j->st))
        return 0;
    TRY(rowlock_delete_where(j->block, &q, &removed, err));
    spec_say(j->st->s, "  %lld removed\n", (long long)removed);
    return 0;
}

static int
upsert(struct job *j, rowlock_error *err)
{
    static const char *const outcomes[] = {"?", "created", "updated",
                                           "unchanged"};
    rowlock_pair keys[3][MOST_PAIRS], updating[MOST_PAIRS];
    rowlock_key match[3];
    rowlock_upsert u = ROWLOCK_UPSERT_INIT;
    rowlock_record *r = NULL;
    enum rowlock_outcome outcome;
    struct statement *st = j->st;
    u.table = name(st);
    want(st, "by");
    do {
        int n = pairs(st, "+", keys[u.n_match]);
        match[u.n_match] = (rowlock_key){keys[u.n_match], (size_t)n};
        u.n_match++;
    } while (u.n_match < 3 && got(st, "or"));
    u.match = match;
    want(st, "set");
    u.n_updating = (size_t)pairs(st, ",", updating);
    u.updating = updating;
    u.wait_ms = policy(st);
    if (!is_whole(st))
        return 0;
    TRY(rowlock_update_or_create(j->block, &u, &r, &outcome, err));
    spec_say(st->s, "  %s\n", outcomes[outcome]);
    hold(st, r, u.table);
    return 0;
}

/* sql (a, b) SELECT ... */
static int
sql(struct job *j, rowlock_error *err)
{
    const char *columns[SPEC_COLUMNS];
    rowlock_rows *rows;
    struct statement *st = j->st;
    int n = 0;
    want(st, "(");
    do
        columns[n++] = name(st);
    while (n < SPEC_COLUMNS && got(st, ","));
    want(st, ")");
    const char *from = now(st)->from;
    const char *text = keep(st, from, (size_t)(st->tokens[st->n].from - from));
    st->at = st->n;
    if (!is_whole(st))
        return 0;
    TRY(rowlock_sql(j->block, text, NULL, 0, &rows, err));
    for (size_t i = 0; i < rowlock_rows_count(rows); i++)
        say_record(st->s, rowlock_rows_at(rows, i), columns, n);
    return 0;
}

static int
save(struct job *j, rowlock_error *err)
{
    if (!j->st->s->record)
        j->st->wrong = true;
    return !is_whole(j->st) ? 0 : rowlock_record_save(j->st->s->record, err);
}

static int delete (struct job *j, rowlock_error *err)
{
    if (!j->st->s->record)
        j->st->wrong = true;
    return !is_whole(j->st) ? 0 : rowlock_record_delete(j->st->s->record, err);
}

/* What works on data; the others work on blocks. */
static int
work(rowlock_block *block, void *arg, rowlock_error *err)
{
    struct job j = {arg, block};
    struct statement *st = arg;
    if (got(st, "lock"))
        return fetch(&j, true, err);
    if (got(st, "read"))
        return fetch(&j, false, err);
    if (got(st, "set"))
        return set(&j, err);
    if (got(st, "save"))
        return save(&j, err);
    if (got(st, "delete"))
        return delete (&j, err);
    if (got(st, "create"))
        return create(&j, err);
    if (got(st, "update"))
        return update(&j, err);
    if (got(st, "remove"))
        return remove_where(&j, err);
    if (got(st, "upsert"))
        return upsert(&j, err);
    if (got(st, "sql"))
        return sql(&j, err);
    st->wrong = true;
    return 0;
}

/* ---- blocks ---- */

static rowlock_block *
innermost(struct spec_state *s)
{
    return s->n_blocks ? s->blocks[s->n_blocks - 1] : NULL;
}

static int
savepoint(struct statement *st, const char *called, rowlock_error *err)
{
    struct spec_state *s = st->s;
    if (s->n_blocks == 0 || s->n_blocks == SPEC_BLOCKS) {
        st->wrong = true;
        return 0;
    }
    TRY(rowlock_savepoint(innermost(s), &s->blocks[s->n_blocks], err));
    snprintf(s->names[s->n_blocks++], sizeof *s->names, "%s", called);
    return 0;
}

/* The savepoint's place among the blocks; 0: there is none. */
static int
find_savepoint(struct statement *st, const char *called)
{
    for (int i = st->s->n_blocks - 1; i > 0; i--)
        if (strcmp(st->s->names[i], called) == 0)
            return i;
    st->wrong = true;
    return 0;
}

/* As SQL has it, the savepoint stays. */
static int
roll_back(struct statement *st, rowlock_error *err)
{
    struct spec_state *s = st->s;
    const char *called = NULL;
    int to = 0;
    if (got(st, "to"))
        to = find_savepoint(st, called = name(st));
    s->record = NULL;
    if (s->n_blocks == 0 || st->wrong)
        return 0;
    rowlock_rollback(s->blocks[to]);
    s->n_blocks = to;
    return called ? savepoint(st, called, err) : 0;
}

static int
release(struct statement *st, rowlock_error *err)
{
    struct spec_state *s = st->s;
    int from = find_savepoint(st, name(st)), rc = 0;
    while (!st->wrong && s->n_blocks > from && !rc)
        rc = rowlock_commit(s->blocks[--s->n_blocks], err);
    return rc;
}

static int
commit(struct spec_state *s, rowlock_error *err)
{
    int rc = 0;
    s->record = NULL;
    while (s->n_blocks && !rc)
        rc = rowlock_commit(s->blocks[--s->n_blocks], err);
    if (rc && s->n_blocks)
        rowlock_rollback(s->blocks[0]);
    s->n_blocks = 0;
    return rc;
}

static int
execute(struct statement *st, rowlock_error *err)
{
    struct spec_state *s = st->s;
    if (got(st, "begin")) {
        if (s->n_blocks)
            st->wrong = true;
        else
            TRY(rowlock_begin(s->db, &s->blocks[0], err));
        s->n_blocks = 1;
        return 0;
    }
    if (got(st, "commit"))
        return commit(s, err);
    if (got(st, "rollback"))
        return roll_back(st, err);
    if (got(st, "savepoint"))
        return savepoint(st, name(st), err);
    if (got(st, "release"))
        return release(st, err);
    if (innermost(s))
        return work(innermost(s), st, err);
    /* Alone it is a block of its own, that is not run again. */
    TRY(rowlock_begin(s->db, &s->blocks[0], err));
    s->n_blocks = 1;
    int rc = work(s->blocks[0], st, err);
    if (rc)
        rowlock_rollback(s->blocks[0]);
    s->n_blocks = rc ? 0 : 1;
    return rc ? rc : commit(s, err);
}

static size_t
length_of_statement(const char *text)
{
    bool quoted = false;
    size_t n = 0;
    for (; text[n] && (quoted || text[n] != ';'); n++)
        quoted ^= text[n] == '\'';
    return n;
}

bool
spec_execute(struct spec_state *s, const char *text)
{
    static struct statement st;
    while (*(text += strspn(text, " \t\n;"))) {
        size_t len = length_of_statement(text);
        rowlock_error err = {0};
        memset(&st, 0, sizeof st);
        st.s = s;
        cut(&st, text, len);
        int rc = execute(&st, &err);
        if (!rc && (st.wrong || now(&st)->kind != END)) {
            fprintf(stderr, "rowlock-spec: cannot understand \"%.*s\"\n",
                    (int)len, text);
            return false;
        }
        if (rc) { /* the rest of the step is not tried */
            spec_say(s, "  error %s\n", err.sqlstate);
            return true;
        }
        text += len;
    }
    return true;
}
