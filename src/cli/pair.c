/* SPDX-License-Identifier: MIT
 * Pairs and lists of a command line. */
#include "cli/pair.h"

#include <string.h>

#include "cli/json.h"

int
rlk_pair_read(const char *text, struct rlk_arena *arena, rowlock_pair *ret,
              rowlock_error *err)
{
    const char *equals = strchr(text, '=');
    bool json = equals && equals > text && equals[-1] == ':';
    size_t len = equals ? (size_t)(equals - text) - json : 0;
    if (len == 0) {
        rlk_fail(err, ROWLOCK_MISUSE, "\"%.100s\" is not COL=VALUE", text);
        rlk_hint(err, "Write COL=TEXT, or COL:=JSON for null, true, false and "
                      "numbers.");
        return ROWLOCK_MISUSE;
    }
    rowlock_pair pair = {rlk_arena_copy(arena, text, len),
                         rowlock_text(equals + 1)};
    if (!pair.column)
        return rlk_out_of_memory(err);
    if (json) {
        int rc = rlk_json_read(equals + 1, arena, &pair.value, err);
        if (rc) {
            rlk_context(err, "column \"%s\"", pair.column);
            return rc;
        }
    }
    *ret = pair;
    return 0;
}

/* The next part's end; a backslash guards the character behind it. */
static const char *
part_end(const char *text, char separator)
{
    while (*text && *text != separator)
        text += text[0] == '\\' && text[1] ? 2 : 1;
    return text;
}

static void
drop_backslashes(char *text)
{
    char *to = text;
    for (; *text; text++) {
        if (text[0] == '\\' && text[1])
            text++;
        *to++ = *text;
    }
    *to = 0;
}

int
rlk_split_raw(const char *text, char separator, struct rlk_arena *arena,
              char ***ret, size_t *ret_n, rowlock_error *err)
{
    size_t n = 0;
    char **parts = rlk_arena_alloc(arena, strlen(text) + 1, sizeof *parts);
    if (!parts)
        return rlk_out_of_memory(err);
    for (const char *at = text;; at++) {
        const char *end = part_end(at, separator);
        if (end == at)
            return rlk_fail(err, ROWLOCK_MISUSE, "\"%.100s\" has an empty part",
                            text);
        parts[n] = rlk_arena_copy(arena, at, (size_t)(end - at));
        if (!parts[n++])
            return rlk_out_of_memory(err);
        at = end;
        if (!*at)
            break;
    }
    *ret = parts;
    *ret_n = n;
    return 0;
}

int
rlk_split(const char *text, char separator, struct rlk_arena *arena,
          char ***ret, size_t *ret_n, rowlock_error *err)
{
    RLK_TRY(rlk_split_raw(text, separator, arena, ret, ret_n, err));
    for (size_t i = 0; i < *ret_n; i++)
        drop_backslashes((*ret)[i]);
    return 0;
}
