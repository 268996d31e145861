/* SPDX-License-Identifier: MIT
 * Writing YAML that reads back as what it was. The text may be anybody's: it
 * stays on its line, in its scalar or its comment. */
#ifndef RLK_SYNC_QUOTE_H
#define RLK_SYNC_QUOTE_H

#include "base/text.h"

/* text as a scalar on one line, plain where nothing else can be meant by it,
 * else in double quotes. Bytes that are no UTF-8 become U+FFFD. */
void rlk_buf_yaml(struct rlk_buf *buf, const char *text, size_t len);
/* text for behind a '#', in most characters at most; "..." where it is cut. */
void rlk_buf_comment(struct rlk_buf *buf, const char *text, size_t len,
                     size_t most);

#endif
