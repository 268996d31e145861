/* SPDX-License-Identifier: MIT
 * What rowlock doctor prints, of a database and of a definition. */
#ifndef RLK_CLI_DOCTOR_H
#define RLK_CLI_DOCTOR_H

#include <stdbool.h>

#include "db/server.h"
#include "db/sqlite/doctor.h"

struct rlk_args;

struct rlk_doctor_report {
    bool coloured, started, bad;
};

/* Prints a finding; arg is the report. */
void rlk_doctor_print(const struct rlk_finding *finding, void *arg);
/* The database and its lock table; doctor->arg is the report. args: with
 * --repair or --fix that is done first. */
int rlk_doctor_database(const struct rlk_doctor *doctor,
                        const struct rlk_args *args, rowlock_error *err);

/* The same of a server; args: it is said that --repair and --fix have nothing
 * to do. */
int rlk_doctor_server(const struct rlk_server_doctor *doctor,
                      const struct rlk_args *args, rowlock_error *err);

/* ---- doctor_definition.c ---- */

/* path is a definition, not a database: by its name, or it reads as one. */
bool rlk_doctor_is_definition(const char *path);
/* Its database, then the definition beside its table. */
int rlk_doctor_definition(const char *path, const struct rlk_args *args,
                          struct rlk_doctor_report *report, rowlock_error *err);

#endif
