/* SPDX-License-Identifier: MIT
 * The last lines of a run: a table of outcomes for people, an object for
 * programs. */
#include "cli/summary.h"

#include <stdio.h>
#include <string.h>

#include "cli/moment.h"
#include "cli/progress.h"
#include "cli/speak.h"
#include "cli/told.h"

/* ---- for people ---- */

static void
print_counts(const struct rlk_sync_report *r)
{
    const struct {
        enum rlk_fate fate;
        const char *what;
        uint64_t n;
    } rows[] = {{RLK_FATE_CREATED, "created", r->created},
                {RLK_FATE_UPDATED, "updated", r->updated},
                {RLK_FATE_UNCHANGED, "unchanged", r->unchanged},
                {RLK_FATE_CONFLICT, "conflicts", r->conflicts},
                {RLK_FATE_DEFERRED, "deferred", r->deferred},
                {RLK_FATE_REJECTED, "rejected", r->rejected}};
    char text[sizeof rows / sizeof rows[0]][RLK_COUNT_TEXT];
    int width = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int len = rlk_count_print(rows[i].n, text[i]);
        width = len > width ? len : width;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        printf("  %c %-9s  %*s\n", rlk_fate_symbol(rows[i].fate), rows[i].what,
               width, text[i]);
}

static void
print_records(const struct rlk_summary *s, const rowlock_error *err)
{
    const char *how = !err                             ? ""
                      : err->code == ROWLOCK_CANCELLED ? "interrupted after "
                                                       : "failed after ";
    char records[RLK_COUNT_TEXT], rate[RLK_COUNT_TEXT];
    uint64_t n = s->report->records;
    rlk_count_print(n, records);
    rlk_count_print(s->seconds > 0 ? (uint64_t)((double)n / s->seconds) : 0,
                    rate);
    printf("%s%s record%s in %.2f s", how, records, n == 1 ? "" : "s",
           s->seconds);
    if (n)
        printf(" (%s a second", rate);
    rlk_count_print(s->pages, records);
    if (s->pages)
        printf("%s%s page%s", n ? ", " : " (", records,
               s->pages == 1 ? "" : "s");
    printf("%s\n", n || s->pages ? ")" : "");
    if (!err || n)
        print_counts(s->report);
}

static void
print_with(const char *before, const char *text)
{
    struct rlk_buf RLK_AUTOBUF visible = {0};
    rlk_buf_visible(&visible, text);
    printf("%s%s\n", before, visible.ptr ? visible.ptr : "");
}

/* For whoever finds a status that is not 0: what was left, and what to do. */
static void
print_next(const struct rlk_summary *s)
{
    const struct rlk_sync_report *r = s->report;
    const char *database =
        s->d->shown_database ? s->d->shown_database : s->d->database.text;
    if (strncmp(database, "sqlite:", 7) == 0)
        database += 7;
    if (r->conflicts || r->deferred || r->rejected)
        printf("what is left (exit status %d):\n", s->status);
    if (r->conflicts)
        printf("  ^ mend the records, or see on_disagree in "
               "docs/definition.md\n");
    if (r->deferred && strstr(database, "://"))
        printf("  ~ the next run writes them\n");
    else if (r->deferred)
        print_with("  ~ the next run writes them; who holds them: rowlock "
                   "locks ",
                   database);
    if (r->rejected)
        printf("  ! mend them at the source, or how the definition reads "
               "them\n");
    if (r->conflicts || r->deferred || r->rejected)
        print_with("  each of them: rowlock sync --json ", s->d->path);
}

void
rlk_summary_print(const struct rlk_summary *s, const rowlock_error *err)
{
    struct rlk_buf RLK_AUTOBUF name = {0};
    char text[RLK_MOMENT_TEXT];
    rlk_buf_visible(&name, s->d->name.text);
    rlk_moment_print(s->began_us, text);
    if (s->began_us && !rlk_speak_to_journal(stdout))
        printf("%s  ", text);
    printf("%s: ", name.ptr ? name.ptr : "");
    if (s->is_unread) {
        rlk_moment_print(s->since_us, text);
        printf("the source says it is unchanged since %s; --full reads it all "
               "the same\n",
               text);
    } else
        print_records(s, err);
    if (s->dry)
        printf("dry run: %s\n", s->report->created || s->report->updated
                                    ? "nothing was written; this would be done"
                                    : "nothing would change");
    else if (!err)
        print_next(s);
}

/* ---- for programs ---- */

static void
add_error(struct rlk_buf *line, const rowlock_error *err)
{
    static const char *const names[] = {"message", "detail", "hint", "context"};
    const char *const texts[] = {err->message, err->detail, err->hint,
                                 err->context};
    rlk_buf_format(line, ", \"error\": {\"sqlstate\": \"%s\"", err->sqlstate);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        rlk_buf_format(line, ", \"%s\": ", names[i]);
        rlk_buf_json(line, texts[i], strlen(texts[i]));
    }
    rlk_buf_char(line, '}');
}

void
rlk_summary_json(struct rlk_buf *buf, const struct rlk_summary *s,
                 const rowlock_error *err)
{
    const struct rlk_sync_report *r = s->report;
    char text[RLK_MOMENT_TEXT];
    rlk_buf_text(buf, "{\"sync\": ");
    rlk_buf_json(buf, s->d->name.text, strlen(s->d->name.text));
    rlk_buf_format(
        buf,
        ", \"status\": \"%s\", \"records\": %llu, \"created\": "
        "%llu, \"updated\": %llu, \"unchanged\": %llu, "
        "\"conflicts\": %llu, \"deferred\": %llu, \"rejected\": %llu, "
        "\"seconds\": %.3f",
        err ? "failed" : "done", (unsigned long long)r->records,
        (unsigned long long)r->created, (unsigned long long)r->updated,
        (unsigned long long)r->unchanged, (unsigned long long)r->conflicts,
        (unsigned long long)r->deferred, (unsigned long long)r->rejected,
        s->seconds);
    if (s->is_unread) {
        rlk_moment_iso(s->since_us, text);
        rlk_buf_format(buf, ", \"unchanged_since\": \"%s\"", text);
    }
    if (s->pages)
        rlk_buf_format(buf, ", \"pages\": %llu", (unsigned long long)s->pages);
    if (s->dry)
        rlk_buf_text(buf, ", \"dry_run\": true");
    if (err)
        add_error(buf, err);
    rlk_buf_text(buf, "}\n");
}
