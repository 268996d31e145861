/* SPDX-License-Identifier: MIT
 * Lines for a program that reads stdout. They are gathered and written when
 * what they tell of is committed; a reader that is slow is waited for, one that
 * is gone is an error and no signal. */
#ifndef RLK_CLI_OUTPUT_H
#define RLK_CLI_OUTPUT_H

#include <stdbool.h>

#include "base/text.h"

struct rlk_output {     /* zeroed is empty */
    struct rlk_buf buf; /* to be written; whole lines */
    int error;          /* an errno: nothing more can be written */
};

/* From now on a reader that goes away does not end the program. */
void rlk_output_begin(void);
/* Writes all of it; false: o->error says why it could not. */
bool rlk_output_flush(struct rlk_output *o);
void rlk_output_done(struct rlk_output *o);

#endif
