/* SPDX-License-Identifier: MIT
 * NDJSON, CSV and TSV, cut into rows: whole and in small pieces they must give
 * the same rows, or be refused; and each row to the reader of cells. The first
 * byte chooses the format and the size of the pieces. */
#include <string.h>

#include "base/text.h"
#include "fuzz.h"
#include "source/csv.h"
#include "source/lines.h"

struct reading {
    enum rlk_format format;
    struct rlk_lines lines;
    struct rlk_csv table;
    bool headed;
    struct rlk_buf out;
};

/* A bad header is the body's end, any other bad row its own. */
static int
take_cells(struct reading *r, const struct rlk_slice *row)
{
    const struct rlk_json *nodes;
    size_t at = 0;
    bool headed = r->headed;
    r->headed = true;
    int rc = headed ? rlk_csv_row(&r->table, row, &nodes, &at, NULL)
                    : rlk_csv_header(&r->table, row, &at, NULL);
    must(rc == 0 || at <= row->len);
    return headed ? 0 : rc;
}

static int
drain(struct reading *r)
{
    for (;;) {
        struct rlk_slice row;
        enum rlk_split_event event;
        RLK_TRY(rlk_lines_next(&r->lines, &row, &event, NULL));
        if (event == RLK_SPLIT_MORE)
            return 0;
        rlk_buf_format(&r->out, "%d:%d:%d:%s;", (int)row.line, (int)row.byte,
                       (int)row.oversize, row.wrong ? row.wrong : "");
        if (row.oversize || row.wrong)
            continue;
        rlk_buf_add(&r->out, row.text, row.len);
        if (r->format != RLK_FORMAT_NDJSON)
            RLK_TRY(take_cells(r, &row));
    }
}

static int
cut(struct reading *r, const char *text, size_t len, size_t step)
{
    int rc = 0;
    rlk_lines_init(&r->lines, r->format, 256);
    rlk_csv_init(&r->table, r->format);
    for (size_t i = 0; i < len && !rc; i += step) {
        rc = rlk_lines_feed(&r->lines, text + i,
                            len - i < step ? len - i : step, NULL);
        if (!rc)
            rc = drain(r);
    }
    if (!rc) {
        rlk_lines_end(&r->lines);
        rc = drain(r);
    }
    if (!rc)
        rc = rlk_lines_finish(&r->lines, NULL);
    rlk_csv_done(&r->table);
    rlk_lines_done(&r->lines);
    return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum rlk_format formats[] = {RLK_FORMAT_NDJSON, RLK_FORMAT_CSV,
                                              RLK_FORMAT_TSV};
    if (size < 1)
        return 0;
    const char *text = (const char *)data + 1;
    struct reading whole = {.format = formats[data[0] % 3]};
    struct reading pieces = {.format = whole.format};
    int rc = cut(&whole, text, size - 1, size);
    must(cut(&pieces, text, size - 1, 1 + data[0] / 3 % 16) == rc);
    must(rc || (whole.out.len == pieces.out.len &&
                (!whole.out.len ||
                 !memcmp(whole.out.ptr, pieces.out.ptr, whole.out.len))));
    rlk_buf_done(&whole.out);
    rlk_buf_done(&pieces.out);
    return 0;
}
