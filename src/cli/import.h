/* SPDX-License-Identifier: MIT
 * One run of a definition, with all that is said of it. */
#ifndef RLK_CLI_IMPORT_H
#define RLK_CLI_IMPORT_H

#include <stdbool.h>

#include "sync/definition.h"

struct rlk_import_options {
    bool json, dry, full;
    bool again; /* one of many runs: the summary says when it began */
};

/* Answers the exit status. *ret_unheard: stdout takes nothing any more. */
int rlk_import_run(const struct rlk_definition *d,
                   const struct rlk_import_options *o, bool *ret_unheard);

#endif
