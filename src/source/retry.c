/* SPDX-License-Identifier: MIT
 * The rules of retry.h. Only a failure that another try may mend (08006) is
 * tried again, and nothing is waited for that limits.time leaves no time for.
 * Invariant: a server that fails at once, or tells us to come at once, is asked
 * at most o->http.retries times more. */
#include "retry.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>

#include "base/text.h"

enum {
    LONGEST_MS = 30000, /* between two tries, when nothing is told */
    SLICE_MS = 200      /* how soon an interrupt is seen */
};

static int
give_up(const struct rlk_retry *r, const rowlock_error *why, rowlock_error *err)
{
    if (!err)
        return (int)why->code;
    *err = *why;
    size_t len = strlen(err->message);
    struct rlk_buf RLK_AUTOBUF often = {0};
    rlk_buf_format(&often, ", asked %d times", r->asked);
    if (r->asked > 1 && !often.failed && len + often.len < sizeof err->message)
        memcpy(err->message + len, often.ptr, often.len + 1);
    return (int)why->code;
}

/* Any part of the time, so that many clients do not come back together. */
static int64_t
jitter(int32_t first_ms, int32_t retries)
{
    uint64_t random = 0;
    int64_t most = first_ms;
    for (int32_t i = 1; i < retries && most < LONGEST_MS; i++)
        most *= 2;
    most = most < LONGEST_MS ? most : LONGEST_MS;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
        random = (uint64_t)rlk_body_now_ms();
    return (int64_t)(random % (uint64_t)(most + 1));
}

static int
sleep_ms(const struct rlk_body_options *o, int64_t ms, rowlock_error *err)
{
    int64_t until = rlk_body_now_ms() + ms;
    for (int64_t now; (now = rlk_body_now_ms()) < until;) {
        if (rlk_body_is_cancelled(o))
            return rlk_fail(err, ROWLOCK_CANCELLED,
                            "waiting for '%.120s' was interrupted", o->shown);
        int64_t left = until - now;
        poll(NULL, 0, left < SLICE_MS ? (int)left : SLICE_MS);
    }
    return 0;
}

static int
put_off(const struct rlk_body_options *o, int64_t ms, const rowlock_error *why,
        rowlock_error *err)
{
    if (o->watch)
        o->watch->on_wait(ms, why->message, o->watch->arg);
    int rc = sleep_ms(o, ms, err);
    if (o->watch)
        o->watch->on_wait(0, NULL, o->watch->arg);
    return rc;
}

static bool
may_mend(const rowlock_error *why)
{
    return why->code == ROWLOCK_CONNECTION &&
           strcmp(why->sqlstate, "08006") == 0;
}

static int
too_late(const struct rlk_retry *r, int64_t told_s, rowlock_error *why,
         rowlock_error *err)
{
    char text[32];
    if (told_s > 0) {
        rlk_duration_print(told_s < 1000000 ? told_s * 1000 : 1000000000, text,
                           sizeof text);
        rlk_hint(why, "It asks us to wait %s, longer than limits.time leaves.",
                 text);
    }
    return give_up(r, why, err);
}

int
rlk_retry_wait(struct rlk_retry *r, int64_t told_s, rowlock_error *why,
               rowlock_error *err)
{
    const struct rlk_body_options *o = r->o;
    int64_t now = rlk_body_now_ms(), left = o->until_ms ? o->until_ms - now : 0;
    r->asked++;
    if (!may_mend(why))
        return give_up(r, why, err);
    if (told_s > 0 && o->http.retries) {
        if (told_s > left / 1000)
            return too_late(r, told_s, why, err);
        return put_off(o, told_s * 1000, why, err);
    }
    if (r->retries == o->http.retries)
        return give_up(r, why, err);
    int64_t wait = jitter(o->http.retry_ms, ++r->retries);
    if (o->until_ms && wait >= left)
        return give_up(r, why, err);
    return put_off(o, wait, why, err);
}
