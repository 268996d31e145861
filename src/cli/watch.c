/* SPDX-License-Identifier: MIT
 * rowlock locks --watch: the picture again and again, as top does it. On a
 * terminal it has the screen for itself, which is as it was at the end; who
 * waits longest stands first, and what does not fit is counted. Elsewhere one
 * picture follows the other.
 *
 * Signals are held back but while it waits (interrupt.h), so the terminal is
 * never left in the middle of a picture. */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"
#include "cli/counters.h"
#include "cli/interrupt.h"
#include "cli/locks.h"
#include "cli/moment.h"
#include "cli/speak.h"

/* The alternate screen, no cursor, no wrapping of lines that are too long. */
#define ENTER    "\033[?1049h\033[?25l\033[?7l"
#define LEAVE    "\033[?7h\033[?25h\033[?1049l"
#define TOP      "\033[H"
#define LINE_END "\033[K\n"
#define BELOW    "\033[J"

enum { EVERY_MS = 2000, HEAD_LINES = 4, FEWEST_ROWS = 3, MOST_CYCLES = 2 };

struct watch {
    const char *database, *shown;
    bool screen, json;
    rowlock_lock_counters before;
    int64_t before_ms;
};

/* ---- what is shown ---- */

/* Who waits longest, then who holds longest. */
static int
by_urgency(const void *a, const void *b)
{
    const struct rlk_lock_line *x = a, *y = b;
    if (x->waiting != y->waiting)
        return y->waiting - x->waiting;
    return (x->age_ms < y->age_ms) - (x->age_ms > y->age_ms);
}

static double
rate(uint64_t now, uint64_t before, int64_t ms)
{
    return now > before && ms > 0 ? (double)(now - before) * 1000 / (double)ms
                                  : 0;
}

static void
print_head(struct watch *w, const struct rlk_locks_look *look, const char *end,
           struct rlk_buf *buf)
{
    size_t waiting = 0;
    int64_t now_ms = rlk_moment_clock_ms();
    const rowlock_lock_counters *c = &look->counters;
    for (size_t i = 0; i < look->lines.n; i++)
        waiting += look->lines.list[i].waiting;
    rlk_buf_visible(buf, w->shown);
    rlk_buf_format(buf, ": %zu held, %zu waiting", look->lines.n - waiting,
                   waiting);
    if (look->server) {
        rlk_buf_format(buf, "%s%s", end, end);
        return;
    }
    if (w->before_ms)
        rlk_buf_format(buf, "; %.0f granted and %.1f waits a second",
                       rate(c->grants, w->before.grants, now_ms - w->before_ms),
                       rate(c->waits, w->before.waits, now_ms - w->before_ms));
    rlk_buf_text(buf, end);
    rlk_counters_waits(buf, c);
    rlk_buf_text(buf, end);
    rlk_counters_events(buf, c);
    rlk_buf_text(buf, end);
    rlk_buf_text(buf, end);
    w->before = *c;
    w->before_ms = now_ms;
}

/* The lines of text, most of them at the most. */
static void
add_lines(struct rlk_buf *buf, const char *text, size_t most, const char *end)
{
    size_t n = 0, left = 0;
    for (const char *line = text; *line;) {
        size_t len = strcspn(line, "\n");
        if (n < most) {
            rlk_buf_add(buf, line, len);
            rlk_buf_text(buf, end);
            n++;
        } else {
            left++;
        }
        line += len + (line[len] == '\n');
    }
    if (left)
        rlk_buf_format(buf, "and %zu more%s", left, end);
}

static size_t
rows_of_screen(void)
{
    struct winsize size;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row;
    size_t rows = known ? size.ws_row : 24;
    size_t used = HEAD_LINES + MOST_CYCLES + 2; /* what is left, the cursor */
    return rows > used + FEWEST_ROWS ? rows - used : FEWEST_ROWS;
}

static int
print_text(struct watch *w, struct rlk_locks_look *look, struct rlk_buf *buf,
           rowlock_error *err)
{
    char *table = NULL;
    size_t size = 0;
    const char *end = w->screen ? LINE_END : "\n";
    FILE *out = open_memstream(&table, &size);
    if (!out)
        return rlk_out_of_memory(err);
    if (look->lines.n)
        qsort(look->lines.list, look->lines.n, sizeof *look->lines.list,
              by_urgency);
    int rows = rlk_locks_print(look, out);
    bool failed = fclose(out) != 0 || rows < 0;
    rlk_buf_text(buf, w->screen ? TOP : "");
    print_head(w, look, end, buf);
    if (!failed && rows)
        add_lines(buf, table, w->screen ? rows_of_screen() : SIZE_MAX, end);
    else if (!failed)
        rlk_buf_format(buf, "%s%s", rlk_locks_nobody(look), end);
    rlk_locks_cycles(buf, look, MOST_CYCLES, end);
    rlk_locks_pins(buf, look, end);
    rlk_buf_text(buf, w->screen ? BELOW : "\n");
    free(table);
    return failed ? rlk_out_of_memory(err) : 0;
}

static void
print_json(const struct rlk_locks_look *look, struct rlk_buf *buf)
{
    rlk_buf_text(buf, "{\"counters\": ");
    if (look->server)
        rlk_buf_text(buf, "null");
    else
        rlk_counters_json(buf, &look->counters);
    rlk_buf_text(buf, ", \"locks\": ");
    rlk_locks_json(buf, look);
    rlk_buf_text(buf, ", \"deadlocks\": [");
    for (size_t i = 0; i < look->n_cycles; i++) {
        const rowlock_lock_cycle *c = &look->cycles[i];
        rlk_buf_format(
            buf, "%s{\"at\": %" PRId64 ", \"victim\": %" PRId64 ", \"cycle\": ",
            i ? ", " : "", c->at_s, c->victim);
        rlk_buf_json(buf, c->text, strlen(c->text));
        rlk_buf_char(buf, '}');
    }
    rlk_buf_text(buf, "]}\n");
}

static int
show(struct watch *w, rowlock_error *err)
{
    struct rlk_locks_look look;
    struct rlk_buf RLK_AUTOBUF buf = {0};
    RLK_TRY(rlk_locks_look(w->database, &look, err));
    int rc = 0;
    if (w->json)
        print_json(&look, &buf);
    else
        rc = print_text(w, &look, &buf, err);
    rlk_locks_look_done(&look);
    RLK_TRY(rc);
    if (buf.failed)
        return rlk_out_of_memory(err);
    fwrite(buf.ptr, 1, buf.len, stdout);
    return 0;
}

/* ---- again and again ---- */

static void
no_one(void *arg)
{
    (void)arg;
}

/* Ends with a signal, an error, or a reader that went away. */
static int
watch(struct watch *w, int64_t every_ms, rowlock_error *err)
{
    for (;;) {
        RLK_TRY(show(w, err));
        if (fflush(stdout))
            return 0; /* said when the command ends */
        int number = rlk_interrupt_wait(every_ms);
        if (number && number != SIGHUP)
            return rlk_fail(err, ROWLOCK_CANCELLED, "ended by a signal");
    }
}

static int
read_interval(const struct rlk_args *args, int32_t *ret_ms)
{
    const char *every = rlk_args_value(args, "every");
    *ret_ms = EVERY_MS;
    if (!every || (rlk_duration_parse(every, ret_ms) && *ret_ms > 0))
        return 0;
    return rlk_usage(args->command,
                     "A whole number and ms, s, m, h or d: 500ms, 5s.",
                     "\"%s\" (--every) is no interval", every);
}

int
rlk_watch_run(const struct rlk_args *args, const char *database,
              const char *shown)
{
    int32_t every_ms;
    rowlock_error err = {0};
    int status = read_interval(args, &every_ms);
    if (status)
        return status;
    struct watch w = {.database = database,
                      .shown = shown,
                      .json = rlk_args_has(args, "json"),
                      .before = ROWLOCK_LOCK_COUNTERS_INIT};
    w.screen = !w.json && isatty(STDOUT_FILENO) == 1;
    rlk_interrupt_watch(no_one, NULL);
    rlk_interrupt_hold();
    if (w.screen)
        fputs(ENTER, stdout);
    int rc = watch(&w, every_ms, &err);
    if (w.screen) {
        fputs(LEAVE, stdout);
        fflush(stdout);
    }
    if (rc == ROWLOCK_CANCELLED) /* that is how it ends */
        return RLK_EXIT_DONE;
    return rc ? rlk_speak_failure(args, &err) : RLK_EXIT_DONE;
}
