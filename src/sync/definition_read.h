/* SPDX-License-Identifier: MIT
 * Between definition.c (the schema and its table) and definition_source.c and
 * definition_fields.c (what a table of keys cannot say). */
#ifndef RLK_SYNC_DEFINITION_READ_H
#define RLK_SYNC_DEFINITION_READ_H

#include "sync/definition.h"

struct rlk_reading {
    struct rlk_definition *d;
    rowlock_error *err;
};

/* One map by the rules of section into the struct at base. */
int rlk_read_section(struct rlk_reading *r, const struct rlk_yaml *map,
                     const char *section, void *base);
/* A scalar that is not empty. */
int rlk_read_said(struct rlk_reading *r, const struct rlk_yaml *node,
                  struct rlk_said *ret);
int rlk_read_pointer(struct rlk_reading *r, const struct rlk_yaml *node,
                     struct rlk_pointer *ret);
/* prefix and path, which is seen from the definition's folder. */
int rlk_read_path(struct rlk_reading *r, const char *prefix, const char *path,
                  const char **ret);
int rlk_check_header_name(struct rlk_reading *r, const struct rlk_said *said);
/* After all sections: source, fields, then match. */
int rlk_read_source(struct rlk_reading *r);
int rlk_read_preset(struct rlk_reading *r); /* of source, before http */
int rlk_read_http(struct rlk_reading *r);   /* of source */
int rlk_read_fields(struct rlk_reading *r);
int rlk_read_match(struct rlk_reading *r);

#define RLK_WRONG(r, node, ...) \
    rlk_yaml_fail((r)->d->path, (node)->at, (r)->err, __VA_ARGS__)

#endif
