/* SPDX-License-Identifier: MIT
 * A strict JSON reader for what surrounds the records: fed byte by byte, it
 * holds no text, knows where on the way to the list it is, and refuses what RFC
 * 8259 does not allow. split.c takes over at the list. */
#ifndef RLK_SOURCE_GRAMMAR_H
#define RLK_SOURCE_GRAMMAR_H

#include "base/text.h"
#include "source.h"

enum {
    RLK_NEST_DEEPEST = 1024,     /* a body nested deeper is refused whole */
    RLK_GRAMMAR_CANDIDATES = 200 /* bytes of names kept for a hint */
};

/* Open brackets: one bit each, set for '{'. */
struct rlk_nest {
    uint32_t depth;
    uint64_t kinds[RLK_NEST_DEEPEST / 64];
};
bool rlk_nest_push(struct rlk_nest *nest, bool object); /* false: too deep */
bool rlk_nest_pop(struct rlk_nest *nest, bool object);  /* false: no match */

enum rlk_expect {
    RLK_EXPECT_VALUE,
    RLK_EXPECT_VALUE_OR_END, /* after '[' */
    RLK_EXPECT_KEY,
    RLK_EXPECT_KEY_OR_END, /* after '{' */
    RLK_EXPECT_COLON,
    RLK_EXPECT_COMMA_OR_END,
    RLK_EXPECT_NOTHING, /* after the root value */
    RLK_IN_STRING,
    RLK_IN_ESCAPE,
    RLK_IN_HEX,
    RLK_IN_NUMBER,
    RLK_IN_WORD
};

struct rlk_grammar {
    enum rlk_expect expect;
    struct rlk_nest nest;
    const struct rlk_pointer *target;
    uint32_t on_path; /* how many open containers lead to the target */
    bool value_on_path;
    bool in_key;
    uint64_t index[RLK_POINTER_TOKENS + 1]; /* elements begun, while on path */
    uint8_t utf8_left, utf8_low, utf8_high; /* of a character cut by a read */
    uint8_t hex_left;
    uint16_t hex, high_surrogate;
    uint8_t token_len; /* of a number or word */
    char token[8];
    uint8_t number;            /* state within a number */
    struct rlk_buf key;        /* collected while on the path */
    struct rlk_buf candidates; /* members of the root that are lists */
    struct rlk_buf of_objects; /* those of them whose first is an object */
    uint32_t n_candidates, n_of_objects;
};

/* target is borrowed; it must not be NULL. */
void rlk_grammar_init(struct rlk_grammar *g, const struct rlk_pointer *target);
void rlk_grammar_done(struct rlk_grammar *g);
/* One byte. NULL, or what is wrong with it. */
const char *rlk_grammar_step(struct rlk_grammar *g, unsigned char c);
/* c would begin the value that target points to. */
bool rlk_grammar_at_target(const struct rlk_grammar *g, unsigned char c);
/* Or one on the way to it, or the root: the first nest.depth steps lead there.
 */
bool rlk_grammar_on_way(const struct rlk_grammar *g, unsigned char c);
/* NULL when the body may end here, else what it is in the middle of. */
const char *rlk_grammar_end(struct rlk_grammar *g);

#endif
