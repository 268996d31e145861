/* SPDX-License-Identifier: MIT
 * From a history to its dependencies, and from them to a cycle, if there is
 * one. */
#include "checker.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum edge_kind { WW = 1, WR = 2, RW = 4, TIME = 8 };

struct edge {
    int to, next; /* next: of the same node; -1: none */
    enum edge_kind kind;
};

/* Who appended a value, and as which of its appends to that list. */
struct writer {
    int txn, key;
    bool last; /* of its appends to that list */
};

struct check {
    const struct history_txn *txns;
    int n, n_keys;
    struct writer *writers; /* by value */
    int32_t n_values;
    const struct history_op **order; /* by key: the longest that was seen */
    bool *counts;                    /* committed, or seen to have happened */
    struct edge *edges;
    int *first_edge; /* by node; nodes: transactions, then moments */
    int n_nodes, n_edges, room;
    char *detail;
    size_t size;
};

static enum history_anomaly found(const struct check *c, enum history_anomaly a,
                                  const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum history_anomaly
found(const struct check *c, enum history_anomaly a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(c->detail, c->size, format, args);
    va_end(args);
    return a;
}

static void *
need(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

/* ---- values and lists ---- */

static int32_t
highest_value(const struct check *c)
{
    int32_t highest = 0;
    for (int i = 0; i < c->n; i++)
        for (int o = 0; o < c->txns[i].n_ops; o++)
            if (c->txns[i].ops[o].append > highest)
                highest = c->txns[i].ops[o].append;
    return highest;
}

static enum history_anomaly
note_appends(struct check *c, int i)
{
    const struct history_txn *t = &c->txns[i];
    for (int o = 0; o < t->n_ops; o++) {
        int32_t value = t->ops[o].append;
        if (t->ops[o].key < 0 || t->ops[o].key >= c->n_keys ||
            t->ops[o].n_seen > HISTORY_LIST)
            return found(c, HISTORY_BAD_INPUT, "T%d: no such list", i);
        if (value == 0)
            continue;
        if (c->writers[value].txn >= 0)
            return found(c, HISTORY_BAD_INPUT, "%d is appended twice", value);
        bool last = true;
        for (int later = o + 1; later < t->n_ops; later++)
            last &=
                t->ops[later].key != t->ops[o].key || t->ops[later].append == 0;
        c->writers[value] = (struct writer){i, t->ops[o].key, last};
    }
    return HISTORY_CLEAN;
}

static enum history_anomaly
note_writers(struct check *c)
{
    c->n_values = highest_value(c) + 1;
    c->writers = need(calloc((size_t)c->n_values, sizeof *c->writers));
    for (int32_t v = 0; v < c->n_values; v++)
        c->writers[v].txn = -1;
    for (int i = 0; i < c->n; i++) {
        enum history_anomaly a = note_appends(c, i);
        if (a)
            return a;
    }
    return HISTORY_CLEAN;
}

static void
note_orders(struct check *c)
{
    c->order = need(calloc((size_t)c->n_keys, sizeof *c->order));
    for (int i = 0; i < c->n; i++)
        for (int o = 0; o < c->txns[i].n_ops; o++) {
            const struct history_op *op = &c->txns[i].ops[o];
            const struct history_op *longest = c->order[op->key];
            if (c->txns[i].outcome == HISTORY_COMMITTED &&
                (!longest || longest->n_seen < op->n_seen))
                c->order[op->key] = op;
        }
}

static enum history_anomaly
check_order(struct check *c, int key)
{
    const struct history_op *order = c->order[key];
    for (int i = 0; order && i < order->n_seen; i++) {
        int32_t v = order->seen[i];
        if (v <= 0 || v >= c->n_values || c->writers[v].txn < 0 ||
            c->writers[v].key != key)
            return found(c, HISTORY_INVENTED, "nobody appended %d to list %d",
                         v, key);
        for (int j = 0; j < i; j++)
            if (order->seen[j] == v)
                return found(c, HISTORY_DOUBLED, "%d is in list %d twice", v,
                             key);
        const struct history_txn *t = &c->txns[c->writers[v].txn];
        if (t->outcome == HISTORY_ABORTED)
            return found(c, HISTORY_G1A, "%d in list %d is of the aborted T%d",
                         v, key, c->writers[v].txn);
        c->counts[c->writers[v].txn] = true;
    }
    return HISTORY_CLEAN;
}

/* ---- what one transaction saw ---- */

static enum history_anomaly
check_prefix(struct check *c, int i, const struct history_op *op)
{
    const struct history_op *order = c->order[op->key];
    for (int at = 0; at < op->n_seen; at++)
        if (op->seen[at] != order->seen[at])
            return found(c, HISTORY_FORKED,
                         "T%d saw %d at %d of list %d, where others saw %d", i,
                         op->seen[at], at, op->key, order->seen[at]);
    return HISTORY_CLEAN;
}

static enum history_anomaly
check_seen(struct check *c, int i, const struct history_op *op)
{
    if (op->n_seen == 0)
        return HISTORY_CLEAN;
    int32_t newest = op->seen[op->n_seen - 1];
    const struct writer *w = &c->writers[newest];
    if (w->txn != i && !w->last)
        return found(c, HISTORY_G1B,
                     "T%d saw %d, which T%d appended before it was done with "
                     "list %d",
                     i, newest, w->txn, op->key);
    return HISTORY_CLEAN;
}

static bool
saw(const struct history_op *op, int32_t value)
{
    for (int at = 0; at < op->n_seen; at++)
        if (op->seen[at] == value)
            return true;
    return false;
}

static enum history_anomaly
check_own(struct check *c, int i, int o)
{
    const struct history_txn *t = &c->txns[i];
    for (int later = o + 1; later < t->n_ops; later++)
        if (t->ops[o].append && t->ops[later].key == t->ops[o].key &&
            !saw(&t->ops[later], t->ops[o].append))
            return found(c, HISTORY_OWN, "T%d does not see its own %d", i,
                         t->ops[o].append);
    return HISTORY_CLEAN;
}

static enum history_anomaly
check_txn(struct check *c, int i)
{
    const struct history_txn *t = &c->txns[i];
    enum history_anomaly a = HISTORY_CLEAN;
    for (int o = 0; o < t->n_ops && !a; o++) {
        const struct history_op *op = &t->ops[o];
        a = check_prefix(c, i, op);
        if (!a)
            a = check_seen(c, i, op);
        if (!a)
            a = check_own(c, i, o);
        if (!a && op->append && !saw(c->order[op->key], op->append))
            a = found(c, HISTORY_LOST,
                      "T%d was told that %d is in list %d, and it is not", i,
                      op->append, op->key);
    }
    return a;
}

/* ---- dependencies ---- */

static void
add_edge(struct check *c, int from, int to, enum edge_kind kind)
{
    if (from == to || from < 0 || to < 0)
        return;
    if (c->n_edges == c->room) {
        c->room = c->room ? c->room * 2 : 1024;
        c->edges = need(realloc(c->edges, (size_t)c->room * sizeof *c->edges));
    }
    c->edges[c->n_edges] = (struct edge){to, c->first_edge[from], kind};
    c->first_edge[from] = c->n_edges++;
}

/* Who appended the element at of list key; -1: there is none. */
static int
writer_at(const struct check *c, int key, int at)
{
    const struct history_op *order = c->order[key];
    if (!order || at < 0 || at >= order->n_seen)
        return -1;
    return c->writers[order->seen[at]].txn;
}

static void
add_dependencies(struct check *c)
{
    for (int key = 0; key < c->n_keys; key++)
        for (int at = 1; c->order[key] && at < c->order[key]->n_seen; at++)
            add_edge(c, writer_at(c, key, at - 1), writer_at(c, key, at), WW);
    for (int i = 0; i < c->n; i++)
        for (int o = 0; c->counts[i] && o < c->txns[i].n_ops; o++) {
            const struct history_op *op = &c->txns[i].ops[o];
            if (c->txns[i].outcome != HISTORY_COMMITTED)
                continue; /* what it saw last, nobody knows */
            add_edge(c, writer_at(c, op->key, op->n_seen - 1), i, WR);
            add_edge(c, i, writer_at(c, op->key, op->n_seen), RW);
        }
}

struct moment {
    int64_t ns;
    int txn;
    bool completed;
};

static int
by_time(const void *a, const void *b)
{
    const struct moment *x = a, *y = b;
    if (x->ns != y->ns)
        return x->ns < y->ns ? -1 : 1;
    return x->completed - y->completed; /* at one moment: concurrent */
}

/* A chain of moments at which something was completed: from the transaction to
 * its moment, from each moment to the next, from the last one before it was
 * invoked to a transaction. So many edges as there are moments, not pairs. */
static void
add_real_time(struct check *c)
{
    struct moment *moments =
        need(calloc(2 * (size_t)c->n + 1, sizeof *moments));
    int n = 0, node = -1;
    for (int i = 0; i < c->n; i++) {
        const struct history_txn *t = &c->txns[i];
        if (c->counts[i])
            moments[n++] = (struct moment){t->invoked_ns, i, false};
        if (c->counts[i] && t->outcome == HISTORY_COMMITTED)
            moments[n++] = (struct moment){t->completed_ns, i, true};
    }
    qsort(moments, (size_t)n, sizeof *moments, by_time);
    for (int m = 0; m < n; m++) {
        if (!moments[m].completed) {
            add_edge(c, node, moments[m].txn, TIME);
            continue;
        }
        int next = c->n_nodes++;
        add_edge(c, moments[m].txn, next, TIME);
        add_edge(c, node, next, TIME);
        node = next;
    }
    free(moments);
}

/* ---- a cycle ---- */

struct walk {
    int *path;  /* nodes on it */
    int *at;    /* of each node on the path: its edge to be tried next */
    char *seen; /* 0: not, 1: on the path, 2: done */
    int depth;
};

static const char *
kind_name(enum edge_kind kind)
{
    return kind == WW ? "ww" : kind == WR ? "wr" : kind == RW ? "rw" : "time";
}

/* The cycle is the path from the second place of its last node on. */
static void
tell_cycle(const struct check *c, const struct walk *w, int closing)
{
    size_t len = 0;
    int from = 0;
    while (w->path[from] != closing)
        from++;
    c->detail[0] = 0;
    for (int i = from; i < w->depth && len < c->size; i++) {
        int n = 0;
        if (w->path[i] < c->n)
            n = snprintf(c->detail + len, c->size - len, "T%d -%s-> ",
                         w->path[i], kind_name(c->edges[w->at[i]].kind));
        len += n > 0 ? (size_t)n : 0;
    }
    if (len < c->size && closing < c->n)
        snprintf(c->detail + len, c->size - len, "T%d", closing);
}

static void
enter_node(const struct check *c, struct walk *w, int node)
{
    w->seen[node] = 1;
    w->path[w->depth] = node;
    w->at[w->depth++] = c->first_edge[node];
}

static bool
walk_from(const struct check *c, struct walk *w, int start, unsigned kinds)
{
    enter_node(c, w, start);
    while (w->depth) {
        int e = w->at[w->depth - 1];
        while (e >= 0 && !(c->edges[e].kind & kinds))
            e = c->edges[e].next;
        w->at[w->depth - 1] = e;
        if (e < 0) {
            w->seen[w->path[--w->depth]] = 2;
            if (w->depth)
                w->at[w->depth - 1] = c->edges[w->at[w->depth - 1]].next;
            continue;
        }
        int to = c->edges[e].to;
        if (w->seen[to] == 1) {
            tell_cycle(c, w, to);
            return true;
        }
        if (w->seen[to] == 0)
            enter_node(c, w, to);
        else
            w->at[w->depth - 1] = c->edges[e].next;
    }
    return false;
}

static bool
has_cycle(const struct check *c, unsigned kinds)
{
    size_t n = (size_t)c->n_nodes;
    struct walk w = {need(calloc(n, sizeof(int))), need(calloc(n, sizeof(int))),
                     need(calloc(n, 1)), 0};
    bool cycle = false;
    for (int i = 0; i < c->n_nodes && !cycle; i++)
        if (w.seen[i] == 0)
            cycle = walk_from(c, &w, i, kinds);
    free(w.path);
    free(w.at);
    free(w.seen);
    return cycle;
}

static enum history_anomaly
check_cycles(struct check *c, enum history_level level)
{
    c->n_nodes = c->n;
    c->first_edge = need(malloc(3 * (size_t)c->n * sizeof(int) + sizeof(int)));
    for (int i = 0; i < 3 * c->n; i++)
        c->first_edge[i] = -1;
    add_dependencies(c);
    if (has_cycle(c, WW))
        return HISTORY_G0;
    if (has_cycle(c, WW | WR))
        return HISTORY_G1C;
    if (level == HISTORY_READ_COMMITTED)
        return HISTORY_CLEAN;
    if (has_cycle(c, WW | WR | RW))
        return HISTORY_G2;
    add_real_time(c);
    return has_cycle(c, WW | WR | RW | TIME) ? HISTORY_TIME : HISTORY_CLEAN;
}

/* ---- all of it ---- */

static enum history_anomaly
check_all(struct check *c, enum history_level level)
{
    enum history_anomaly a = note_writers(c);
    if (a)
        return a;
    note_orders(c);
    for (int i = 0; i < c->n; i++)
        c->counts[i] = c->txns[i].outcome == HISTORY_COMMITTED;
    for (int key = 0; key < c->n_keys && !a; key++)
        a = check_order(c, key);
    for (int i = 0; i < c->n && !a; i++)
        if (c->txns[i].outcome == HISTORY_COMMITTED)
            a = check_txn(c, i);
    return a ? a : check_cycles(c, level);
}

enum history_anomaly
history_check(const struct history_txn *txns, size_t n, int n_keys,
              enum history_level level, char *ret_detail, size_t size)
{
    struct check c = {.txns = txns,
                      .n = (int)n,
                      .n_keys = n_keys,
                      .counts = need(calloc(n + 1, sizeof(bool))),
                      .detail = ret_detail,
                      .size = size};
    ret_detail[0] = 0;
    enum history_anomaly a = check_all(&c, level);
    free(c.writers);
    free(c.order);
    free(c.counts);
    free(c.edges);
    free(c.first_edge);
    return a;
}

const char *
history_anomaly_name(enum history_anomaly a)
{
    static const char *const names[] = {
        "clean",
        "not a history",
        "invented value",
        "doubled value",
        "forked list",
        "lost append",
        "G1a (aborted read)",
        "G1b (intermediate read)",
        "own append not seen",
        "G0 (write cycle)",
        "G1c (circular information flow)",
        "G2 (anti-dependency cycle)",
        "against the order of real time",
    };
    return names[a];
}
