/* SPDX-License-Identifier: MIT
 * Changes, column by column. Values are shortened for people and whole in JSON;
 * a generated one is named and not shown, since the run makes another. */
#include "cli/dry.h"

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

static void
show_head(const struct rlk_sync_change *c)
{
    struct rlk_buf RLK_AUTOBUF text = {0}, visible = {0};
    rlk_buf_text(&text, c->table->name);
    if (c->key) {
        rlk_buf_char(&text, '/');
        rlk_buf_key(&text, c->table, c->key);
    }
    if (!text.failed)
        rlk_buf_visible(&visible, text.ptr);
    printf("%c %s  (record %llu", c->key ? '*' : '+',
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
rlk_dry_show(const struct rlk_sync_change *c)
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

/* ---- for programs ---- */

static void
add_set(struct rlk_buf *line, const struct rlk_sync_set *set)
{
    rlk_buf_text(line, "{\"column\": ");
    rlk_buf_json(line, set->column, strlen(set->column));
    rlk_buf_text(line, ", \"old\": ");
    rlk_buf_json_value(line, set->old);
    rlk_buf_text(line, ", \"new\": ");
    rlk_buf_json_value(line, set->generated ? rowlock_null() : set->new);
    if (set->generated)
        rlk_buf_format(line, ", \"generated\": \"%s\"",
                       generated[set->generated]);
    rlk_buf_char(line, '}');
}

void
rlk_dry_print_json(const struct rlk_sync_change *c)
{
    struct rlk_buf RLK_AUTOBUF line = {0};
    rlk_buf_format(&line,
                   "{\"outcome\": \"%s\", \"record\": %llu, \"line\": %llu, "
                   "\"byte\": %llu, \"table\": ",
                   c->key ? "would-update" : "would-create",
                   (unsigned long long)c->number, (unsigned long long)c->line,
                   (unsigned long long)c->byte);
    rlk_buf_json(&line, c->table->name, strlen(c->table->name));
    rlk_buf_text(&line, ", \"key\": ");
    if (c->key)
        rlk_buf_json_key(&line, c->table, c->key);
    else
        rlk_buf_text(&line, "null");
    rlk_buf_text(&line, ", \"changes\": [");
    for (size_t i = 0; i < c->n_sets; i++) {
        rlk_buf_text(&line, i ? ", " : "");
        add_set(&line, &c->sets[i]);
    }
    rlk_buf_text(&line, "]}\n");
    if (!line.failed)
        fwrite(line.ptr, 1, line.len, stdout);
}
