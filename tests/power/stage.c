/* SPDX-License-Identifier: MIT
 * The frame around each test's work. Only children use the database; the
 * parent reads its files. */
#include "power/stage.h"

#include <stdio.h>

#include "power/log.h"

void
stage_open(struct stage *ret, uint64_t seed, int page_size)
{
    char sql[512];
    *ret = (struct stage){.play = work_with_rowlock};
    database_init_in_memory(&ret->database);
    snprintf(sql, sizeof sql,
             "PRAGMA journal_mode=delete; PRAGMA page_size=%d;"
             "PRAGMA auto_vacuum=FULL; VACUUM; PRAGMA journal_mode=wal; %s",
             page_size, work_schema);
    database_run(&ret->database, sql);
    log_open(ret->database.url);
    ret->work = (struct work){.seed = seed,
                              .path = ret->database.url,
                              .writer = 1,
                              .commits = 20,
                              .filler = 6000,
                              .synchronous = "FULL"};
    ret->harm.seed = seed;
}

void
stage_close(struct stage *s)
{
    log_close();
    database_done(&s->database);
}

void
stage_start(const struct stage *s)
{
    record_start(&s->harm);
}

static void
play(void *arg)
{
    const struct stage *s = arg;
    stage_start(s);
    s->play(&s->work);
}

void
stage_child(struct stage *s, struct child *ret)
{
    child_start(ret, play, s);
}

void
stage_examine(const struct stage *s, size_t points, int draws,
              struct examined *ret)
{
    const struct plan plan = {.seed = s->work.seed,
                              .work = &s->work,
                              .points = points,
                              .draws = draws};
    examine_recording();
    examine(&plan, ret);
}
