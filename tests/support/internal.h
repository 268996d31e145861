/* SPDX-License-Identifier: MIT
 * Shared by the sources of this folder. */
#ifndef SUPPORT_INTERNAL_H
#define SUPPORT_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

enum { SUPPORT_CHILD_FAILED = 99 };

extern bool support_in_child;
int64_t support_now_ms(void);

#endif
