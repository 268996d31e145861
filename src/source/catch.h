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
    bool place;    /* what the pointer's last step would be in is there */
    char near[64]; /* "", or what is there, and much like that step */
};

void rlk_catch_init(struct rlk_catch *c, const struct rlk_pointer *at);
void rlk_catch_reset(struct rlk_catch *c); /* for the next body */
void rlk_catch_done(struct rlk_catch *c);
/* A byte outside the records, to c (NULL allowed) and those that follow. */
void rlk_catch_byte(struct rlk_catch *c, unsigned char byte);

/* After the body: the text of a string, or what else stands there; "" for null
 * and for nothing. ROWLOCK_BAD_VALUE: it is there twice, too long, no string or
 * number, or has a NUL. */
int rlk_catch_value(const struct rlk_catch *c, struct rlk_buf *ret,
                    rowlock_error *err);

#endif
