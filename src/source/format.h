/* SPDX-License-Identifier: MIT
 * Which format a source has. RLK_FORMAT_ANY: it cannot be told. */
#ifndef RLK_SOURCE_FORMAT_H
#define RLK_SOURCE_FORMAT_H

#include "source.h"

/* "text/csv; charset=utf-8" */
enum rlk_format rlk_format_of_type(const char *type);

#endif
