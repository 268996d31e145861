/* SPDX-License-Identifier: MIT
 * One record's JSON text to nodes: the C face of simdjson (json.cc). Strict:
 * what RFC 8259 does not allow, and members with the same name, are errors.
 * Numbers stay as they are written. */
#ifndef RLK_SOURCE_JSON_H
#define RLK_SOURCE_JSON_H

#include "source.h"

enum {
    RLK_JSON_PADDING = 64, /* bytes that may be read behind a text */
    RLK_JSON_DEPTH = 128   /* a record may be nested so deep */
};

struct rlk_json_parser;

struct rlk_json_parser *rlk_json_parser_new(void); /* NULL: out of memory */
void rlk_json_parser_free(struct rlk_json_parser *p);

/* text must be an object. *ret is the parser's until its next parse, and points
 * into text. On failure *ret_at (an offset in text) is where. */
int rlk_json_parse(struct rlk_json_parser *p, const char *text, size_t len,
                   const struct rlk_json **ret, size_t *ret_at,
                   rowlock_error *err);

/* A number as RFC 8259 has it: no leading zero, no plus, digits around '.'. */
bool rlk_json_is_number(const char *text, size_t len);

#endif
