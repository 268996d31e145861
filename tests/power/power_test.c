/* SPDX-License-Identifier: MIT
 * After a power cut at any moment: is every commit there that Rowlock has
 * acknowledged, are the commits that are there the first ones, is the database
 * sound? Scenarios of one and of several processes are recorded, and the power
 * is cut at very many points of each record (README.md).
 *
 *     power_test [--seed S] [--scenario NAME]
 *
 * --seed: this one only, and a cut at every point. */
#include <getopt.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "power/dice.h"
#include "power/log.h"
#include "power/stage.h"

enum {
    MOST_WORKERS = 4,
    MOST_CHECKPOINTS = 10000, /* of the stranger, */
    MOST_GROWTH = 30,         /* after so many events */
    POINTS = 120,
    EVERY_POINT = 1 << 20,
    DRAWS = 2,
    SEEDS = 2,
    /* of a life that is cut short: */
    MOST_STEPS = 250,
    MOST_US = 8000,
    MOST_FLUSHES = 4
};

struct scenario {
    const char *name;
    const char *claim;
    int workers;
    int commits;      /* of each, a round */
    int rounds;       /* all sessions close between them; 0: one */
    int session;      /* commits between closing and opening; 0: all */
    int deaths;       /* of each worker */
    bool in_flush;    /* deaths are in the midst of a flush of the -wal */
    bool stranger;    /* a plain SQLite program makes checkpoints */
    bool checkpoints; /* of the sessions themselves come, before they close */
    int page_size;
    size_t filler;
};

/* The page size of 512 makes logs of many pages: the library's own checkpoints
 * come, and begin the log anew. */
static const struct scenario scenarios[] = {
    {.name = "one",
     .claim = "test_power_cut__takes_nothing_from_one_process",
     .workers = 1,
     .commits = 40},
    {.name = "four",
     .claim = "test_power_cut__takes_nothing_from_four_processes",
     .workers = 4,
     .commits = 15},
    {.name = "stranger",
     .claim =
         "test_power_cut__takes_nothing_while_a_stranger_makes_checkpoints",
     .workers = 3,
     .commits = 20,
     .stranger = true},
    {.name = "checkpoints",
     .claim = "test_power_cut__takes_nothing_while_sessions_make_checkpoints",
     .workers = 3,
     .commits = 40,
     .checkpoints = true,
     .page_size = 512,
     .filler = 24000},
    {.name = "reopen",
     .claim = "test_power_cut__takes_nothing_while_sessions_close_and_open",
     .workers = 2,
     .commits = 10,
     .rounds = 3,
     .session = 3},
    {.name = "killed",
     .claim = "test_power_cut__takes_nothing_while_committers_are_killed_and_"
              "others_go_on",
     .workers = 4,
     .commits = 15,
     .deaths = 4},
    {.name = "alone",
     .claim = "test_power_cut__takes_nothing_while_the_only_process_is_killed",
     .workers = 1,
     .commits = 30,
     .deaths = 12},
    {.name = "flush",
     .claim = "test_power_cut__takes_nothing_while_those_who_flush_are_killed",
     .workers = 4,
     .commits = 15,
     .deaths = 4,
     .in_flush = true},
    {.name = "all",
     .claim = "test_power_cut__takes_nothing_while_all_this_happens",
     .workers = 3,
     .commits = 10,
     .rounds = 2,
     .session = 4,
     .deaths = 4,
     .stranger = true,
     .page_size = 1024,
     .filler = 12000},
};

static uint64_t first_seed = 1;
static int seeds;
static size_t points = POINTS;

/* ---- processes ---- */

struct play {
    struct stage stage;
    const struct scenario *s;
    bool *done; /* shared: the workers are */
    uint64_t dice;
};

struct growth {
    const bool *done;
    size_t count;
};

static bool
has_grown(void *arg)
{
    const struct growth *g = arg;
    return __atomic_load_n(g->done, __ATOMIC_ACQUIRE) || log_count() > g->count;
}

static void
make_checkpoints(void *arg)
{
    static const char *const modes[] = {"PASSIVE", "FULL", "RESTART",
                                        "TRUNCATE"};
    struct play *p = arg;
    struct growth g = {.done = p->done};
    char sql[64];
    sqlite3 *db;
    stage_start(&p->stage);
    check(sqlite3_open(p->stage.work.path, &db) == SQLITE_OK);
    for (int i = 0; i < MOST_CHECKPOINTS && !*g.done; i++) {
        snprintf(sql, sizeof sql, "PRAGMA wal_checkpoint(%s)",
                 modes[dice_roll(&p->dice, 4)]);
        sqlite3_busy_timeout(db, (int)dice_roll(&p->dice, 5));
        int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
        check(rc == SQLITE_OK || rc == SQLITE_BUSY);
        g.count = log_count() + dice_roll(&p->dice, MOST_GROWTH);
        wait_until(has_grown, &g, "the log has grown");
    }
    check(sqlite3_close(db) == SQLITE_OK);
}

/* The first life surely ends before its work does. */
static void
choose_death(struct play *p, int life)
{
    struct record_settings *harm = &p->stage.harm;
    if (p->s->in_flush)
        harm->die_in_flush = 1 + (int)dice_roll(&p->dice, MOST_FLUSHES);
    else if (life == 0 || dice_roll(&p->dice, 2))
        harm->die_at = 1 + (int)dice_roll(&p->dice, MOST_STEPS);
    else
        harm->die_after_us = 1 + (unsigned)dice_roll(&p->dice, MOST_US);
}

static void
start(struct play *p, struct child *c, int writer, int life)
{
    struct stage *stage = &p->stage;
    stage->work.writer = writer;
    stage->harm.seed = dice_roll(&p->dice, UINT64_MAX);
    stage->harm.die_at = stage->harm.die_in_flush = 0;
    stage->harm.die_after_us = 0;
    if (life < p->s->deaths)
        choose_death(p, life);
    stage_child(stage, c);
}

/* Until one life ends by itself. Answers how many did not. */
static int
outlive(struct play *p, struct child *c, int writer, int commits)
{
    for (int deaths = 0;;) {
        int status = child_wait(c);
        if (WIFEXITED(status)) {
            check(WEXITSTATUS(status) == 0);
            return deaths;
        }
        check(WTERMSIG(status) == SIGKILL && deaths < p->s->deaths);
        deaths++;
        p->stage.work.commits = commits - log_acks(writer);
        if (p->stage.work.commits <= 0)
            return deaths;
        start(p, c, writer, deaths);
    }
}

static int
play_round(struct play *p, int round)
{
    struct child c[MOST_WORKERS];
    int deaths = 0;
    for (int i = 0; i < p->s->workers; i++) {
        p->stage.work.commits = p->s->commits;
        start(p, &c[i], i + 1, 0);
    }
    for (int i = 0; i < p->s->workers; i++)
        deaths += outlive(p, &c[i], i + 1, p->s->commits * (round + 1));
    return deaths;
}

static int
play_all(struct play *p)
{
    struct child stranger;
    int deaths = 0;
    if (p->s->stranger)
        child_start(&stranger, make_checkpoints, p);
    for (int i = 0; i == 0 || i < p->s->rounds; i++)
        deaths += play_round(p, i);
    __atomic_store_n(p->done, true, __ATOMIC_RELEASE);
    if (p->s->stranger)
        child_end(&stranger);
    return deaths;
}

/* ---- a scenario ---- */

static void
print_run(const struct play *p, int deaths, const struct examined *found)
{
    print_message("%s, seed %llu: %d commits told, %d deaths; %zu events, "
                  "flushes: %d of the -wal, %d of the database; %zu points, "
                  "%zu images, %zu of them opened\n",
                  p->s->name, (unsigned long long)p->stage.work.seed,
                  log_acks(0), deaths, log_count(),
                  log_number(LOG_FLUSH_END, LOG_WAL),
                  log_number(LOG_FLUSH_END, LOG_DB), found->points,
                  found->images, found->opened);
}

/* The scenario was what it says. */
static void
check_run(const struct scenario *s, int deaths, const struct examined *found)
{
    int rounds = s->rounds ? s->rounds : 1;
    int told = s->workers * s->commits * rounds;
    check(log_acks(0) <= told && log_acks(0) >= told - deaths);
    check(found->opened > (size_t)told);
    check((deaths > 0) == (s->deaths > 0));
    if (!deaths) /* the last to close makes a checkpoint */
        check(log_number(LOG_FLUSH_END, LOG_DB) >= rounds + s->checkpoints);
}

static void
run_scenario(const struct scenario *s, uint64_t seed)
{
    struct play p = {.s = s, .dice = seed};
    struct examined found;
    stage_open(&p.stage, seed, s->page_size);
    p.done = shared_alloc(sizeof *p.done);
    p.stage.work.session = s->session;
    p.stage.harm.flush_us = 300;
    if (s->filler)
        p.stage.work.filler = s->filler;
    int deaths = play_all(&p);
    stage_examine(&p.stage, points, DRAWS, &found);
    print_run(&p, deaths, &found);
    if (found.fault)
        support_fail("--scenario %s, %s", s->name, found.why);
    check_run(s, deaths, &found);
    shared_free(p.done, sizeof *p.done);
    stage_close(&p.stage);
}

static void
test_scenario(void **state)
{
    for (int i = 0; i < seeds; i++)
        run_scenario(*state, first_seed + (uint64_t)i);
}

/* ---- the program ---- */

enum { SCENARIOS = sizeof scenarios / sizeof scenarios[0] };

/* Only this one is run. */
static void
choose_scenario(const char *name)
{
    for (int i = 0; i < SCENARIOS; i++)
        if (strcmp(name, scenarios[i].name) == 0) {
            cmocka_set_test_filter(scenarios[i].claim);
            return;
        }
    fprintf(stderr, "no scenario \"%s\"\n", name);
    exit(2);
}

static void
read_arguments(int argc, char **argv)
{
    static const struct option options[] = {
        {"seed", required_argument, NULL, 's'},
        {"scenario", required_argument, NULL, 'n'},
        {0}};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 's') {
            first_seed = strtoull(optarg, NULL, 10);
            seeds = 1;
            points = EVERY_POINT;
        } else if (c == 'n')
            choose_scenario(optarg);
        else {
            exit(2);
        }
    }
}

int
main(int argc, char **argv)
{
    struct CMUnitTest tests[SCENARIOS] = {0};
    seeds = soak(SEEDS);
    read_arguments(argc, argv);
    for (int i = 0; i < SCENARIOS; i++) {
        tests[i].name = scenarios[i].claim;
        tests[i].test_func = test_scenario;
        tests[i].initial_state = (void *)(uintptr_t)&scenarios[i];
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
