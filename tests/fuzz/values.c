/* SPDX-License-Identifier: MIT
 * What people type: pairs, lists, durations; and each text as the value of each
 * type of column. What a column stores, it takes again unchanged. */
#include <string.h>

#include "base/text.h"
#include "cli/pair.h"
#include "fuzz.h"
#include "record/value.h"

static void
bring(rowlock_value v, enum rlk_column_type type)
{
    struct rlk_arena RLK_AUTOARENA arena = {0};
    const struct rlk_column column = {.name = "c",
                                      .type = type,
                                      .length = 20,
                                      .precision = 10,
                                      .scale = 2,
                                      .integer_bits = 32};
    const struct rlk_place place = {"t", &column};
    rowlock_value once, twice;
    rowlock_error err = {0};
    if (rlk_value_for(place, v, &arena, &once, &err)) {
        must(err.message[0] && strncmp(err.sqlstate, "22", 2) == 0);
        return;
    }
    must(rlk_value_for(place, once, &arena, &twice, &err) == 0);
    must(rlk_value_same(once, twice));
    must(rlk_value_equal(&column, once, twice));
}

static void
type(const char *text)
{
    struct rlk_arena RLK_AUTOARENA arena = {0};
    rowlock_pair pair;
    char **parts;
    size_t n;
    int32_t ms;
    rowlock_error err = {0};
    if (rlk_pair_read(text, &arena, &pair, &err))
        must(err.message[0]);
    if (rlk_split(text, ',', &arena, &parts, &n, &err) == 0)
        must(n >= 1 && parts[n - 1][0]);
    if (rlk_duration_parse(text, &ms))
        must(ms >= 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    must(text);
    memcpy(text, data, size);
    text[size] = 0;
    type(text);
    for (int t = RLK_TYPE_ANY; t <= RLK_TYPE_JSON; t++) {
        bring(rowlock_text_n((const char *)data, size), t);
        bring(rlk_value_strip(rowlock_text_n((const char *)data, size)), t);
        bring(rowlock_blob(data, size), t);
    }
    free(text);
    return 0;
}
