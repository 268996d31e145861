/* SPDX-License-Identifier: MIT
 * Records and what became of them. Values are shortened for people and whole in
 * JSON; a generated one of a dry run is named and not shown, since the run
 * makes another. */
#include "cli/told.h"

#include <stdio.h>
#include <string.h>

#include "cli/grid.h"
#include "cli/json.h"
#include "cli/key.h"
#include "cli/speak.h"
#include "record/value.h"

static const char *const generated[] = {
    [RLK_GENERATE_NOTHING] = NULL,
    [RLK_GENERATE_NOW] = "now",
    [RLK_GENERATE_UUID] = "uuid",
};

char
rlk_fate_symbol(enum rlk_fate fate)
{
    static const char symbols[] = {
        [RLK_FATE_OPEN] = ' ',     [RLK_FATE_CREATED] = '+',
        [RLK_FATE_UPDATED] = '*',  [RLK_FATE_UNCHANGED] = '=',
        [RLK_FATE_CONFLICT] = '^', [RLK_FATE_DEFERRED] = '~',
        [RLK_FATE_REJECTED] = '!',
    };
    return symbols[fate];
}

/* ---- for people ---- */

static void
show_head(const struct rlk_sync_told *c)
{
    struct rlk_buf RLK_AUTOBUF text = {0}, visible = {0};
    rlk_buf_text(&text, c->table->name);
    if (c->key) {
        rlk_buf_char(&text, '/');
        rlk_buf_key(&text, c->table, c->key);
    }
    if (!text.failed)
        rlk_buf_visible(&visible, text.ptr);
    printf("%c %s  (record %llu", rlk_fate_symbol(c->fate),
           visible.ptr ? visible.ptr : "", (unsigned long long)c->number);
    if (c->line)
        printf(", line %llu", (unsigned long long)c->line);
    printf(")\n");
}

static void
add_new(struct rlk_grid *grid, const struct rlk_sync_set *set, const char *old)
{
    char shown[RLK_SHOWN], cell[RLK_SHOWN + 32];
    rlk_value_show(set->new, shown);
    bool same = old && strcmp(old, shown) == 0;
    snprintf(cell, sizeof cell, "%s%s%s", old ? "-> " : "",
             set->generated ? generated[set->generated] : shown,
             same && !set->generated ? " (differs further on)" : "");
    rlk_grid_add(grid, cell);
}

void
rlk_told_show(const struct rlk_sync_told *c)
{
    struct rlk_grid grid = {.n_columns = c->key ? 3 : 2};
    show_head(c);
    for (size_t i = 0; i < c->n_sets; i++) {
        char old[RLK_SHOWN];
        struct rlk_buf RLK_AUTOBUF name = {0};
        rlk_buf_format(&name, "    %s", c->sets[i].column);
        rlk_grid_add(&grid, name.ptr ? name.ptr : "");
        rlk_value_show(c->sets[i].old, old);
        if (c->key)
            rlk_grid_add(&grid, old);
        add_new(&grid, &c->sets[i], c->key ? old : NULL);
    }
    rlk_grid_print(&grid, stdout);
    rlk_grid_done(&grid);
}

static const char *
fate_name(enum rlk_fate fate)
{
    static const char *const names[] = {
        [RLK_FATE_OPEN] = "",
        [RLK_FATE_CREATED] = "created",
        [RLK_FATE_UPDATED] = "updated",
        [RLK_FATE_UNCHANGED] = "unchanged",
        [RLK_FATE_CONFLICT] = "conflict",
        [RLK_FATE_DEFERRED] = "deferred",
        [RLK_FATE_REJECTED] = "rejected",
    };
    return names[fate];
}

/* A conflict and a deferral are explained by their detail. */
void
rlk_told_say(const struct rlk_sync_told *l)
{
    bool more = l->fate != RLK_FATE_REJECTED && l->reason->detail[0];
    rlk_speak("%c record %llu (%s) %s: %s%s%s", rlk_fate_symbol(l->fate),
              (unsigned long long)l->number, l->reason->context,
              fate_name(l->fate), l->reason->message, more ? ": " : "",
              more ? l->reason->detail : "");
}

/* ---- for programs ---- */

static void
add_text(struct rlk_buf *line, const char *name, const char *text)
{
    rlk_buf_format(line, ", \"%s\": ", name);
    rlk_buf_json(line, text, strlen(text));
}

static void
add_set(struct rlk_buf *line, const struct rlk_sync_set *set, bool dry)
{
    int example = dry ? set->generated : RLK_GENERATE_NOTHING;
    rlk_buf_text(line, "{\"column\": ");
    rlk_buf_json(line, set->column, strlen(set->column));
    rlk_buf_text(line, ", \"old\": ");
    rlk_buf_json_value(line, set->old);
    rlk_buf_text(line, ", \"new\": ");
    rlk_buf_json_value(line, example ? rowlock_null() : set->new);
    if (example)
        rlk_buf_format(line, ", \"generated\": \"%s\"", generated[example]);
    rlk_buf_char(line, '}');
}

static void
add_changes(struct rlk_buf *line, const struct rlk_sync_told *c, bool dry)
{
    rlk_buf_text(line, ", \"changes\": [");
    for (size_t i = 0; i < c->n_sets; i++) {
        rlk_buf_text(line, i ? ", " : "");
        add_set(line, &c->sets[i], dry);
    }
    rlk_buf_char(line, ']');
}

static void
add_reason(struct rlk_buf *line, const rowlock_error *reason)
{
    rlk_buf_format(line, ", \"sqlstate\": \"%s\"", reason->sqlstate);
    add_text(line, "reason", reason->message);
    add_text(line, "detail", reason->detail);
    add_text(line, "place", reason->context);
}

void
rlk_told_json(struct rlk_buf *buf, const struct rlk_sync_told *c, bool dry)
{
    const char *name = fate_name(c->fate);
    if (dry && c->fate == RLK_FATE_CREATED)
        name = "would-create";
    if (dry && c->fate == RLK_FATE_UPDATED)
        name = "would-update";
    rlk_buf_format(buf,
                   "{\"outcome\": \"%s\", \"record\": %llu, \"line\": %llu, "
                   "\"byte\": %llu",
                   name, (unsigned long long)c->number,
                   (unsigned long long)c->line, (unsigned long long)c->byte);
    add_text(buf, "table", c->table->name);
    rlk_buf_text(buf, ", \"key\": ");
    if (c->key)
        rlk_buf_json_key(buf, c->table, c->key);
    else
        rlk_buf_text(buf, "null");
    if (c->reason)
        add_reason(buf, c->reason);
    else
        add_changes(buf, c, dry);
    rlk_buf_text(buf, "}\n");
}
