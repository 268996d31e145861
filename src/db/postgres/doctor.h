/* SPDX-License-Identifier: MIT
 * Among the files of the doctor. */
#ifndef RLK_DB_POSTGRES_DOCTOR_H
#define RLK_DB_POSTGRES_DOCTOR_H

#include "conn.h"
#include "db/server.h"

struct rlk_pg_question { /* each row of its answer is a finding */
    const char *about;   /* for when it cannot be answered */
    const char *sql;     /* answers (what, what to do): NULL is no finding */
    enum rlk_grade grade;
    const char *follows;
};

/* What the server refuses to answer is told, and fails nothing. */
int rlk_pg_answer(const struct rlk_server_doctor *doctor, struct rlk_pg *c,
                  const struct rlk_pg_question *q, rowlock_error *err);
void rlk_pg_tell(const struct rlk_server_doctor *doctor, enum rlk_grade grade,
                 const char *follows, const char *todo, const char *format, ...)
    RLK_PRINTF(5, 6);
/* doctor_tables.c */
int rlk_pg_examine_tables(const struct rlk_server_doctor *doctor,
                          struct rlk_pg *c, rowlock_error *err);

/* A list of the texts of a group, of which the first ten are named. */
#define RLK_PG_LIST(text)                                                      \
    "array_to_string((array_agg(" text " ORDER BY " text "))[1:10], ', ') || " \
    "CASE WHEN count(*) > 10 THEN ' and ' || count(*) - 10 || ' more' "        \
    "ELSE '' END"

#endif
