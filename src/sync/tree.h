/* SPDX-License-Identifier: MIT
 * A YAML document as a small tree with the place of everything: libyaml's
 * events, without what a definition has no use for. Tags, anchors, aliases,
 * keys that are there twice, several documents and texts with a NUL are
 * errors. Scalars are text; the schema says what they mean. */
#ifndef RLK_SYNC_TREE_H
#define RLK_SYNC_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/memory.h"

enum { /* at most */
       RLK_YAML_BYTES = 256 * 1024,
       RLK_YAML_DEPTH = 16,
       RLK_YAML_ITEMS = 1000 /* in one list or map */
};

struct rlk_spot { /* from 1; columns count characters */
    unsigned line, column;
};

enum rlk_yaml_kind { RLK_YAML_SCALAR, RLK_YAML_LIST, RLK_YAML_MAP };

struct rlk_yaml {
    enum rlk_yaml_kind kind;
    struct rlk_spot at;
    const char *text; /* of a scalar */
    bool plain;       /* a scalar without quotes */
    size_t n;         /* of a list or map */
    struct rlk_yaml *first, *next;
    const char *name; /* its key, in a map */
    struct rlk_spot name_at;
};

/* Messages begin with "name:line:column: ". *ret is in arena. */
int rlk_yaml_parse(const char *name, const char *bytes, size_t len,
                   struct rlk_arena *arena, struct rlk_yaml **ret,
                   rowlock_error *err);
/* A file's bytes, for rlk_free(). */
int rlk_yaml_load(const char *path, char **ret, size_t *ret_len,
                  rowlock_error *err);

/* Starts an error with the place before it. */
int rlk_yaml_fail(const char *name, struct rlk_spot at, rowlock_error *err,
                  const char *format, ...) RLK_PRINTF(4, 5);

#endif
