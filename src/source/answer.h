/* SPDX-License-Identifier: MIT
 * What the header of an answer says, line by line. */
#ifndef RLK_SOURCE_ANSWER_H
#define RLK_SOURCE_ANSWER_H

#include "body.h"
#include "validator.h"

struct rlk_answer {    /* of the latest request */
    const char *total; /* NULL, or the header that tells it */
    struct rlk_validators validators;
};

/* A line as it came, with its line end; the status line begins anew. */
void rlk_answer_take(struct rlk_answer *a, struct rlk_body *body,
                     const char *line, size_t len);

#endif
