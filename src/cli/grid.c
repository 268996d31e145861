/* SPDX-License-Identifier: MIT
 * Lining up columns. Wide and combining characters may stand out by a place.
 */
#include "cli/grid.h"

#include <string.h>

#include "base/text.h"
#include "cli/speak.h"

void
rlk_grid_add(struct rlk_grid *grid, const char *text)
{
    if (grid->n_cells == grid->cap) {
        size_t cap = grid->cap ? 2 * grid->cap : 64;
        char **cells = rlk_reallocarray(grid->cells, cap, sizeof *cells);
        if (!cells) {
            grid->failed = true;
            return;
        }
        grid->cells = cells;
        grid->cap = cap;
    }
    RLK_AUTOBUF struct rlk_buf visible = {0};
    rlk_buf_visible(&visible, text);
    char *cell = rlk_arena_copy(&grid->arena, visible.ptr ? visible.ptr : "",
                                visible.len);
    grid->failed = grid->failed || visible.failed || !cell;
    if (cell)
        grid->cells[grid->n_cells++] = cell;
}

static size_t
column_width(const struct rlk_grid *grid, size_t column)
{
    size_t width = 0;
    for (size_t i = column; i < grid->n_cells; i += grid->n_columns) {
        size_t w = rlk_width(grid->cells[i]);
        width = w > width ? w : width;
    }
    return width;
}

enum { COLUMNS = 16 };

/* No blanks at the end of a line. */
static void
print_row(const struct rlk_grid *grid, char *const *cells,
          const size_t widths[COLUMNS], FILE *out)
{
    size_t last = grid->n_columns;
    while (last > 1 && !*cells[last - 1])
        last--;
    for (size_t c = 0; c < last; c++) {
        size_t width = rlk_width(cells[c]);
        int pad = widths[c] > width ? (int)(widths[c] - width) : 0;
        if (grid->right >> c & 1)
            fprintf(out, "%*s%s", pad, "", cells[c]);
        else
            fprintf(out, "%s%*s", cells[c], c + 1 < last ? pad : 0, "");
        fputs(c + 1 < last ? "  " : "\n", out);
    }
}

void
rlk_grid_print(const struct rlk_grid *grid, FILE *out)
{
    size_t widths[COLUMNS] = {0};
    size_t n = grid->n_columns;
    for (size_t c = 0; c < n && c < COLUMNS; c++)
        widths[c] = column_width(grid, c);
    for (size_t row = 0; row + n <= grid->n_cells; row += n)
        print_row(grid, &grid->cells[row], widths, out);
}

void
rlk_grid_done(struct rlk_grid *grid)
{
    rlk_free(grid->cells);
    rlk_arena_done(&grid->arena);
    *grid = (struct rlk_grid){0};
}
