/* SPDX-License-Identifier: MIT
 * Runs permutations. After each step all sessions are looked at until each has
 * either answered or waits for another: which is asked of the lock table, or of
 * the server, and never guessed by time. Who waits in a cycle is not done: the
 * engine will end it. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "spec.h"

enum { LIMIT_S = 60 };

struct runner {
    const struct spec *spec;
    const struct database *database;
    FILE *out;
    rowlock_locks *locks; /* SQLite: to ask */
    rowlock_db *asker;    /* a server: to ask */
    bool failed;
    struct run_session {
        pid_t pid;
        int link;
        int64_t identity;
        int step;           /* that it is at; -1: none */
        bool answered;      /* it, in text */
        bool waited;        /* was said to wait */
        unsigned waits_for; /* a bit for each session */
        char text[SPEC_TEXT];
    } sessions[SPEC_SESSIONS];
    int order[SPEC_SESSIONS], n_order; /* sessions that wait, as they came */
};

static int64_t
now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
give_up(struct runner *r, const char *why)
{
    if (!r->failed)
        fprintf(stderr, "rowlock-spec: %s\n", why);
    r->failed = true;
}

/* ---- sessions ---- */

/* On a server each session says itself how soon it looks for deadlocks. */
static void
session_url(const struct runner *r, int i, char *ret, size_t size)
{
    const char *url = r->database->url;
    if (engine() != POSTGRES) {
        snprintf(ret, size, "%s", url);
        return;
    }
    snprintf(ret, size, "%s%%20-c%%20deadlock_timeout%%3D%s", url,
             r->spec->sessions[i].closing ? "10ms" : "100s");
}

static void
start_session(struct runner *r, int i)
{
    int ends[2];
    char url[1024];
    struct run_session *session = &r->sessions[i];
    session_url(r, i, url, sizeof url);
    fflush(NULL);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends)) {
        give_up(r, strerror(errno));
        return;
    }
    session->pid = fork();
    if (session->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ends[0]);
        spec_serve(r->spec, url, ends[1]);
    }
    close(ends[1]);
    session->link = ends[0];
    session->step = -1;
    if (session->pid < 0 ||
        recv(session->link, &session->identity, sizeof session->identity, 0) !=
            sizeof session->identity)
        give_up(r, "a session does not start");
}

static void
end_session(struct runner *r, int i)
{
    struct run_session *session = &r->sessions[i];
    if (session->pid > 0) {
        kill(session->pid, SIGKILL);
        waitpid(session->pid, NULL, 0);
    }
    if (session->link > 0)
        close(session->link);
    memset(session, 0, offsetof(struct run_session, text));
}

/* ---- who waits for whom ---- */

static unsigned
bit_of(const struct runner *r, int64_t identity)
{
    for (int i = 0; i < r->spec->n_sessions; i++)
        if (r->sessions[i].identity == identity)
            return 1u << i;
    return 0;
}

static void
ask_lock_table(struct runner *r)
{
    rowlock_lock_info *list;
    rowlock_error err;
    size_t n;
    if (rowlock_locks_list(r->locks, &list, &n, &err)) {
        give_up(r, err.message);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        unsigned who = bit_of(r, list[i].pid);
        if (!list[i].waiting || !who)
            continue;
        struct run_session *session = &r->sessions[__builtin_ctz(who)];
        for (uint32_t b = 0; b < list[i].n_blocked_by; b++)
            for (size_t j = 0; j < n; j++)
                if (list[j].owner == list[i].blocked_by[b])
                    session->waits_for |= bit_of(r, list[j].pid);
    }
    rowlock_locks_list_free(list);
}

static int
ask_server_in(rowlock_block *b, void *arg, rowlock_error *err)
{
    struct runner *r = arg;
    for (int i = 0; i < r->spec->n_sessions; i++) {
        const rowlock_value pid = rowlock_int(r->sessions[i].identity);
        rowlock_rows *rows;
        int rc = rowlock_sql(
            b, "SELECT unnest(pg_blocking_pids(CAST(?1 AS int))) AS pid", &pid,
            1, &rows, err);
        if (rc)
            return rc;
        for (size_t row = 0; row < rowlock_rows_count(rows); row++) {
            rowlock_value other;
            rc = rowlock_record_get(rowlock_rows_at(rows, row), "pid", &other,
                                    err);
            if (rc)
                return rc;
            r->sessions[i].waits_for |= bit_of(r, other.u.i);
        }
    }
    return 0;
}

static void
ask_who_waits(struct runner *r)
{
    rowlock_error err;
    for (int i = 0; i < r->spec->n_sessions; i++)
        r->sessions[i].waits_for = 0;
    if (engine() == SQLITE)
        ask_lock_table(r);
    else if (rowlock_atomic(r->asker, ask_server_in, r, &err))
        give_up(r, err.message);
}

static bool
is_in_cycle(const struct runner *r, int i)
{
    unsigned reached = r->sessions[i].waits_for;
    for (int round = 0; round < r->spec->n_sessions; round++)
        for (int j = 0; j < r->spec->n_sessions; j++)
            if (reached >> j & 1)
                reached |= r->sessions[j].waits_for;
    return reached >> i & 1;
}

/* ---- until all have answered or wait ---- */

/* Answers that have come; ms: how long to wait for one. */
static void
take_answers(struct runner *r, int ms)
{
    struct pollfd polls[SPEC_SESSIONS];
    for (int i = 0; i < r->spec->n_sessions; i++) {
        bool busy = r->sessions[i].step >= 0 && !r->sessions[i].answered;
        polls[i] = (struct pollfd){busy ? r->sessions[i].link : -1, POLLIN, 0};
    }
    if (poll(polls, (nfds_t)r->spec->n_sessions, ms) < 0)
        return;
    for (int i = 0; i < r->spec->n_sessions; i++) {
        struct run_session *session = &r->sessions[i];
        if (!(polls[i].revents & (POLLIN | POLLHUP)))
            continue;
        if (recv(session->link, session->text, sizeof session->text, 0) <= 0)
            give_up(r, "a session died");
        session->answered = true;
    }
}

static bool
is_busy(const struct run_session *session)
{
    return session->step >= 0 && !session->answered;
}

/* Nobody runs: asked twice, for an answer may have been under way. */
static bool
all_rest(struct runner *r)
{
    ask_who_waits(r);
    for (int i = 0; i < r->spec->n_sessions; i++)
        if (is_busy(&r->sessions[i]) &&
            (!r->sessions[i].waits_for || is_in_cycle(r, i)))
            return false;
    return true;
}

static void
settle(struct runner *r)
{
    int64_t limit = now_ms() + LIMIT_S * 1000;
    bool rested = false;
    while (!r->failed) {
        bool any = false;
        take_answers(r, 0);
        for (int i = 0; i < r->spec->n_sessions; i++)
            any |= is_busy(&r->sessions[i]);
        bool rest = !any || all_rest(r);
        if (!any || (rest && rested))
            return;
        rested = rest;
        take_answers(r, 1);
        if (now_ms() > limit)
            give_up(r, "a session neither answers nor waits");
    }
}

/* ---- a permutation ---- */

static void
print_answer(struct runner *r, int i, const char *what)
{
    struct run_session *session = &r->sessions[i];
    fprintf(r->out, "step %s: %s\n%s", r->spec->steps[session->step].name, what,
            session->text);
    session->step = -1;
    session->answered = session->waited = false;
}

/* Those that waited and do no longer, in the order in which they began to. */
static void
print_completed(struct runner *r)
{
    int n = 0;
    for (int i = 0; i < r->n_order; i++) {
        int session = r->order[i];
        if (r->sessions[session].answered)
            print_answer(r, session, "<... completed>");
        else
            r->order[n++] = session;
    }
    r->n_order = n;
}

/* Waits end by themselves: by a timeout. */
static void
await_all(struct runner *r)
{
    int64_t limit = now_ms() + LIMIT_S * 1000;
    for (bool any = true; any && !r->failed;) {
        any = false;
        take_answers(r, 1);
        for (int i = 0; i < r->spec->n_sessions; i++)
            any |= is_busy(&r->sessions[i]);
        if (now_ms() > limit)
            give_up(r, "what is awaited does not come");
    }
    print_completed(r);
}

/* False: the rest of the permutation cannot be. */
static bool
run_step(struct runner *r, int n)
{
    if (n == SPEC_AWAIT) {
        await_all(r);
        return !r->failed;
    }
    const struct spec_step *step = &r->spec->steps[n];
    struct run_session *session = &r->sessions[step->session];
    if (session->step >= 0) {
        fprintf(r->out, "(%s cannot be: its session waits)\n", step->name);
        return false;
    }
    session->step = n;
    if (send(session->link, step->text, strlen(step->text), MSG_NOSIGNAL) < 0)
        give_up(r, "a session died");
    settle(r);
    if (session->answered) {
        print_answer(r, step->session, step->text);
    } else {
        fprintf(r->out, "step %s: %s <waiting ...>\n", step->name, step->text);
        r->order[r->n_order++] = step->session;
    }
    print_completed(r);
    return !r->failed;
}

static void
open_session(struct runner *r, int i)
{
    const char *opening = r->spec->sessions[i].opening;
    struct run_session *session = &r->sessions[i];
    if (!opening || r->failed)
        return;
    if (send(session->link, opening, strlen(opening), MSG_NOSIGNAL) < 0 ||
        recv(session->link, session->text, sizeof session->text, 0) <= 0)
        give_up(r, "a session does not open");
    else if (session->text[0])
        give_up(r, session->text);
}

/* False: it cannot be. */
static bool
run_steps(struct runner *r, int p)
{
    int n = r->spec->permutations[p].n, done = 0;
    const int *steps = r->spec->permutations[p].steps;
    fprintf(r->out, "\npermutation");
    for (int i = 0; i < n; i++)
        fprintf(r->out, " %s",
                steps[i] == SPEC_AWAIT ? "await"
                                       : r->spec->steps[steps[i]].name);
    fprintf(r->out, "\n");
    while (done < n && !r->failed && run_step(r, steps[done]))
        done++;
    for (int i = 0; i < r->n_order; i++)
        fprintf(r->out, "(%s still waits)\n",
                r->spec->steps[r->sessions[r->order[i]].step].name);
    return done == n;
}

static void
run_permutation(struct runner *r, int p, FILE *out)
{
    char *text = NULL;
    size_t size;
    if (r->spec->setup)
        database_run(r->database, r->spec->setup);
    r->n_order = 0;
    for (int i = 0; i < r->spec->n_sessions && !r->failed; i++)
        start_session(r, i);
    for (int i = 0; i < r->spec->n_sessions; i++)
        open_session(r, i);
    r->out = open_memstream(&text, &size);
    if (!r->out)
        abort();
    bool can_be = run_steps(r, p);
    fclose(r->out);
    if (can_be || !r->spec->all)
        fputs(text, out);
    free(text);
    for (int i = 0; i < r->spec->n_sessions; i++)
        end_session(r, i);
    if (r->spec->teardown && !r->failed)
        database_run(r->database, r->spec->teardown);
}

static bool
open_asker(struct runner *r)
{
    rowlock_error err;
    int rc = engine() == SQLITE
                 ? rowlock_locks_open(r->database->url, NULL, &r->locks, &err)
                 : rowlock_open(r->database->url, NULL, &r->asker, &err);
    if (rc)
        give_up(r, err.message);
    return rc == 0;
}

int
spec_run(const struct spec *s, const struct database *d, FILE *out)
{
    struct runner *r = calloc(1, sizeof *r);
    if (!r)
        return -1;
    r->spec = s;
    r->database = d;
    if (open_asker(r))
        for (int p = 0; p < s->n_permutations && !r->failed; p++)
            run_permutation(r, p, out);
    rowlock_locks_close(r->locks);
    rowlock_close(r->asker);
    int rc = r->failed ? -1 : 0;
    free(r);
    return rc;
}
