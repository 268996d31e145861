/* SPDX-License-Identifier: MIT
 * A body that unpacks what another delivers: gzip (all its members) and zstd
 * (all its frames), known by their first bytes; anything else goes through as
 * it is. Packed data that ends early, or text behind it, is a failure. */
#ifndef RLK_SOURCE_UNPACK_H
#define RLK_SOURCE_UNPACK_H

#include "body.h"

/* Takes inner over, also on failure. *ret is the caller's. */
int rlk_unpack_open(struct rlk_body *inner, const struct rlk_body_options *o,
                    struct rlk_body **ret, rowlock_error *err);

#endif
