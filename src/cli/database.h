/* SPDX-License-Identifier: MIT
 * The DATABASE operand, for commands that need the file itself rather than a
 * session on it. */
#ifndef RLK_CLI_DATABASE_H
#define RLK_CLI_DATABASE_H

#include "base/error.h"

/* The path behind "sqlite:PATH" or PATH, borrowed. The file must exist
 * (58030); other engines are ROWLOCK_UNSUPPORTED. */
int rlk_database_path(const char *database, const char **ret,
                      rowlock_error *err);

#endif
