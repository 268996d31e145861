/* SPDX-License-Identifier: MIT
 * `rowlock sync --every`: a definition run again and again, in the
 * foreground. */
#ifndef RLK_CLI_EVERY_H
#define RLK_CLI_EVERY_H

#include "cli/import.h"

/* Runs the definition at path now, and then once in each interval, until a
 * signal ends it; answers the exit status. d is what the file held; it is freed
 * here, since a newer one may take its place. */
int rlk_every_run(const char *path, struct rlk_definition *d,
                  const struct rlk_import_options *o, int64_t interval_ms);

/* When to begin after a run that ended at now_ms: within the first tenth of the
 * next interval, counted from start_ms; random is any number. */
int64_t rlk_every_next(int64_t start_ms, int64_t interval_ms, int64_t now_ms,
                       uint64_t random);

#endif
