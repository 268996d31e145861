/* SPDX-License-Identifier: MIT
 * HTML's character references, in text that a source has escaped. */
#ifndef RLK_SYNC_UNESCAPE_H
#define RLK_SYNC_UNESCAPE_H

#include "base/memory.h"

/* In arena, with a NUL behind; NULL: out of memory. References are taken once
 * ("&amp;lt;" is "&lt;"), and only with their semicolon; what is none, or of no
 * character that a text may hold, stays as it stands. */
char *rlk_unescape_html(const char *text, size_t len, struct rlk_arena *arena,
                        size_t *ret_len);

#endif
