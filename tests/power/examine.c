/* SPDX-License-Identifier: MIT
 * Where and how to cut, and what must hold afterwards. An image that was seen
 * before (most are, as flushes are few) is not opened again: what was found in
 * it is kept by a hash of its bytes. */
#include "power/examine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "power/cut.h"
#include "power/dice.h"
#include "power/found.h"
#include "power/log.h"

enum { SEEN = 1 << 12, TOLD = 12 };

struct seen {
    uint64_t hash;
    struct found found;
};

struct examination {
    const struct plan *plan;
    struct examined *ret;
    struct folder folder;
    struct cut *cut;
    struct cut_image image;
    struct seen *seen;
    int acknowledged;               /* the highest number yet */
    uint8_t writers[FOUND_COMMITS]; /* of commit i + 1; 0: not told yet */
};

/* ---- an image ---- */

static uint64_t
hash_bytes(uint64_t hash, const struct cut_bytes *b)
{
    size_t i = 0;
    for (uint64_t word; i + 8 <= b->n; i += 8) {
        memcpy(&word, b->ptr + i, 8);
        hash = (hash ^ word) * 0x9E3779B97F4A7C15;
        hash ^= hash >> 29;
    }
    for (; i < b->n; i++)
        hash = (hash ^ b->ptr[i]) * 0x9E3779B97F4A7C15;
    return dice_join(hash, b->n);
}

static const struct found *
look(struct examination *x)
{
    uint64_t hash = hash_bytes(1 + x->image.has_wal, &x->image.db);
    hash = hash_bytes(hash, &x->image.wal);
    struct seen *seen = &x->seen[hash % SEEN];
    if (seen->hash != hash) {
        seen->hash = hash;
        found_look(&x->folder, &x->image, x->plan->work, &seen->found);
        x->ret->opened++;
    }
    x->ret->images++;
    return &seen->found;
}

/* ---- what must hold ---- */

static void
tell(struct examination *x, size_t k, enum cut_variant variant,
     enum fault fault, const char *why)
{
    char *to = x->ret->why;
    size_t size = sizeof x->ret->why;
    x->ret->fault = fault;
    int len =
        snprintf(to, size, "seed %llu, cut after %zu of %zu events, %s: %s",
                 (unsigned long long)x->plan->seed, k, log_count(),
                 cut_variant_name(variant), why);
    for (size_t i = k < TOLD ? 0 : k - TOLD; i < k && len < (int)size; i++)
        len += snprintf(to + len, size - (size_t)len, "\n  %s", log_text(i));
}

static bool
holds(struct examination *x, size_t k, enum cut_variant variant,
      const struct found *f)
{
    char why[SUPPORT_TEXT];
    if (!f->sound) {
        tell(x, k, variant, FAULT_UNSOUND, f->why);
        return false;
    }
    if (f->n < x->acknowledged) {
        snprintf(why, sizeof why, "commit %d was acknowledged, %d are there",
                 x->acknowledged, f->n);
        tell(x, k, variant, FAULT_LOST, why);
        return false;
    }
    for (int i = 0; i < x->acknowledged; i++)
        if (x->writers[i] && x->writers[i] != f->writers[i]) {
            snprintf(why, sizeof why, "commit %d of %d is another, of %d",
                     i + 1, x->writers[i], f->writers[i]);
            tell(x, k, variant, FAULT_LOST, why);
            return false;
        }
    return true;
}

/* ---- where to cut ---- */

static bool
is_special(size_t i)
{
    return i < log_count() && log_at(i)->kind != LOG_WRITE;
}

/* A cut after k events. */
static bool
is_chosen(const struct plan *p, size_t k)
{
    size_t n = log_count();
    return k == 0 || k == n || is_special(k - 1) || is_special(k) ||
           k * p->points / n != (k - 1) * p->points / n;
}

static bool
try_variant(struct examination *x, size_t k, enum cut_variant variant)
{
    int draws = variant >= CUT_ONE_LOST ? x->plan->draws : 1;
    if (variant == CUT_DB_KEPT || variant == CUT_WAL_KEPT)
        draws = 1;
    for (int i = 0; i < draws; i++) {
        uint64_t seed = dice_join(x->plan->seed, k * CUT_VARIANTS + variant);
        cut_image(x->cut, variant, dice_join(seed, (uint64_t)i), &x->image);
        if (!holds(x, k, variant, look(x)))
            return false;
    }
    return true;
}

static bool
try_point(struct examination *x, size_t k)
{
    int variants = cut_is_uncertain(x->cut) ? CUT_VARIANTS : 1;
    x->ret->points++;
    for (int v = 0; v < variants; v++)
        if (!try_variant(x, k, (enum cut_variant)v))
            return false;
    return true;
}

static void
see_ack(struct examination *x, const struct log_event *e)
{
    if (e->kind != LOG_ACK)
        return;
    check(e->at >= 1 && e->at <= FOUND_COMMITS);
    x->writers[e->at - 1] = (uint8_t)e->n;
    if ((int)e->at > x->acknowledged)
        x->acknowledged = (int)e->at;
}

void
examine(const struct plan *p, struct examined *ret)
{
    struct examination x = {.plan = p, .ret = ret};
    *ret = (struct examined){0};
    folder_init(&x.folder);
    x.seen = calloc(SEEN, sizeof *x.seen);
    x.cut = cut_new();
    check(x.seen);
    for (size_t k = 0; k <= log_count(); k++) {
        if (is_chosen(p, k) && !try_point(&x, k))
            break;
        if (k == log_count())
            break;
        see_ack(&x, log_at(k));
        cut_advance(x.cut);
    }
    cut_free(x.cut);
    cut_image_done(&x.image);
    free(x.seen);
    folder_done(&x.folder);
}

/* ---- the recording ---- */

static void
compare(enum log_file file, const struct cut_bytes *b)
{
    FILE *f = fopen(log_path(file), "re");
    unsigned char *there = malloc(b->n + 2);
    check(f && there);
    size_t n = fread(there, 1, b->n + 1, f);
    if (n != b->n || (n && memcmp(there, b->ptr, n) != 0))
        support_fail("the log does not give \"%s\" as it is (%zu bytes, %zu)",
                     log_path(file), b->n, n);
    free(there);
    fclose(f);
}

void
examine_recording(void)
{
    struct stat st;
    struct cut_image image = {0};
    log_enter(); /* settles the last change of who died last */
    log_leave(true);
    struct cut *c = cut_new();
    for (size_t k = 0; k < log_count(); k++)
        cut_advance(c);
    cut_image(c, CUT_ALL_KEPT, 0, &image);
    compare(LOG_DB, &image.db);
    check(image.has_wal == (stat(log_path(LOG_WAL), &st) == 0));
    if (image.has_wal)
        compare(LOG_WAL, &image.wal);
    cut_free(c);
    cut_image_done(&image);
}
