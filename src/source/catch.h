/* SPDX-License-Identifier: MIT
 * The value at a pointer of a body, caught while what surrounds the records
 * goes by; and, where nothing is there, whether the pointer could be meant. */
#ifndef RLK_SOURCE_CATCH_H
#define RLK_SOURCE_CATCH_H

#include "grammar.h"

enum { RLK_CAUGHT = 8192 }; /* bytes of a value, at most */

struct rlk_catch {
    struct rlk_grammar grammar;
    const struct rlk_pointer *at;
    struct rlk_catch *also; /* NULL, or another that sees the same */
    struct rlk_buf text;    /* as it stands there */
    uint32_t depth;
    bool inside, found, twice;
    uint32_t reached;    /* how many steps of the pointer lead somewhere */
    unsigned char first; /* byte of what is there */
    uint32_t near_level;
    char near[64]; /* "", or a name in near_level, much like the step there */
};

void rlk_catch_init(struct rlk_catch *c, const struct rlk_pointer *at);
void rlk_catch_reset(struct rlk_catch *c); /* for the next body */
void rlk_catch_done(struct rlk_catch *c);
/* A byte outside the records, to c (NULL allowed) and those that follow. */
void rlk_catch_byte(struct rlk_catch *c, unsigned char byte);

/* After the body, where nothing was found: it could have been there. What the
 * pointer leads to as far as it does may hold the next step, or is null; of
 * several steps one at least is there. */
bool rlk_catch_could_be(const struct rlk_catch *c);
/* NULL, or what is there with much the same name as the next step. */
const char *rlk_catch_near(const struct rlk_catch *c);
/* After the body: the text of a string, or what else stands there; "" for null
 * and for nothing. ROWLOCK_BAD_VALUE: it is there twice, too long, no string or
 * number, or has a NUL. */
int rlk_catch_value(const struct rlk_catch *c, struct rlk_buf *ret,
                    rowlock_error *err);

#endif
