/* SPDX-License-Identifier: MIT
 * When a source that failed is asked again: after a random part of a time that
 * doubles (full jitter), or when it told us to come back. Waiting as told is no
 * failure and counts as no try; limits.time bounds it. */
#ifndef RLK_SOURCE_RETRY_H
#define RLK_SOURCE_RETRY_H

#include "body.h"

struct rlk_retry { /* zeroed but for o */
    const struct rlk_body_options *o;
    int32_t asked;   /* how often, in all */
    int32_t retries; /* of them those that count */
};

/* After a failure (why); told_s: the seconds of Retry-After, 0 or less when it
 * told none. 0: waited, ask again. Else why is final and goes to err. */
int rlk_retry_wait(struct rlk_retry *r, int64_t told_s, rowlock_error *why,
                   rowlock_error *err);

#endif
