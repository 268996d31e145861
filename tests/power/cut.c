/* SPDX-License-Identifier: MIT
 * Images. Each file is a base, for certain on the disk, and the changes after
 * it in the log's order, some of them covered by a flush. Invariant: the first
 * change, if any, is not covered; so the base grows as flushes come, and what
 * a failed flush has let down stays uncertain for ever. */
#include "power/cut.h"

#include <stdlib.h>
#include <string.h>

#include "power/dice.h"
#include "power/log.h"
#include "support/support.h"

enum { SECTOR = 512, NO_WAL = -1 };

struct change {
    size_t event;
    bool covered;
    bool let_down; /* by a flush that failed */
};

struct file {
    struct cut_bytes base;
    struct change *changes;
    size_t n, cap;
};

/* From event on the folder shows another -wal, or none. */
struct rename {
    size_t event;
    int wal;
};

struct cut {
    size_t k;
    struct file db;
    struct file *wals; /* by inode */
    int n_wals;
    int wal; /* that the folder shows for certain */
    struct rename *renames;
    size_t n_renames, cap_renames;
};

enum fate { LOST, KEPT, TORN };

/* How one image is drawn. */
struct draw {
    enum cut_variant variant;
    size_t chosen; /* event */
    uint64_t percent_kept;
    uint64_t dice;
};

/* ---- bytes ---- */

static void *
grown(void *old, size_t *cap, size_t n, size_t size)
{
    if (n <= *cap)
        return old;
    *cap = n + n / 2 + 16;
    void *more = realloc(old, *cap * size);
    check(more);
    return more;
}

static void
resize(struct cut_bytes *b, size_t n)
{
    b->ptr = grown(b->ptr, &b->cap, n, 1);
    if (n > b->n)
        memset(b->ptr + b->n, 0, n - b->n);
    b->n = n;
}

static void
put(struct cut_bytes *b, size_t at, const void *from, size_t n)
{
    if (at + n > b->n)
        resize(b, at + n);
    memcpy(b->ptr + at, from, n);
}

static void
put_torn(struct cut_bytes *b, const struct log_event *e, uint64_t *dice)
{
    for (size_t done = 0, piece; done < e->n; done += piece) {
        size_t at = e->at + done;
        piece = SECTOR - at % SECTOR;
        if (piece > e->n - done)
            piece = e->n - done;
        if (dice_roll(dice, 2))
            put(b, at, log_bytes(e) + done, piece);
    }
}

static void
apply(struct cut_bytes *b, size_t event, enum fate fate, uint64_t *dice)
{
    const struct log_event *e = log_at(event);
    if (fate == TORN && e->kind == LOG_TRUNCATE)
        fate = dice_roll(dice, 2) ? KEPT : LOST;
    if (fate == LOST)
        return;
    if (e->kind == LOG_TRUNCATE)
        resize(b, e->at);
    else if (fate == TORN)
        put_torn(b, e, dice);
    else
        put(b, e->at, log_bytes(e), e->n);
}

/* ---- going on ---- */

static struct file *
file_of(struct cut *c, const struct log_event *e)
{
    return e->file == LOG_DB ? &c->db : &c->wals[e->inode];
}

static void
add_change(struct file *f, size_t event)
{
    f->changes = grown(f->changes, &f->cap, f->n + 1, sizeof *f->changes);
    f->changes[f->n++] = (struct change){.event = event};
}

static void
extend_base(struct file *f)
{
    size_t n = 0;
    for (; n < f->n && f->changes[n].covered; n++)
        apply(&f->base, f->changes[n].event, KEPT, NULL);
    f->n -= n;
    if (n && f->n)
        memmove(f->changes, f->changes + n, f->n * sizeof *f->changes);
}

static void
end_flush(struct file *f, size_t begin, bool well)
{
    for (size_t i = 0; i < f->n && f->changes[i].event < begin; i++) {
        struct change *change = &f->changes[i];
        if (!well)
            change->let_down = !change->covered;
        else if (!change->let_down)
            change->covered = true;
    }
    extend_base(f);
}

static void
flush_folder(struct cut *c, size_t begin)
{
    size_t n = 0;
    for (; n < c->n_renames && c->renames[n].event < begin; n++)
        c->wal = c->renames[n].wal;
    c->n_renames -= n;
    if (n && c->n_renames)
        memmove(c->renames, c->renames + n, c->n_renames * sizeof *c->renames);
}

static void
rename_wal(struct cut *c, int wal)
{
    c->renames = grown(c->renames, &c->cap_renames, c->n_renames + 1,
                       sizeof *c->renames);
    c->renames[c->n_renames++] = (struct rename){c->k, wal};
}

static void
create_wal(struct cut *c, int inode)
{
    check(inode == c->n_wals);
    c->wals = realloc(c->wals, (size_t)(inode + 1) * sizeof *c->wals);
    check(c->wals);
    c->wals[c->n_wals++] = (struct file){0};
    rename_wal(c, inode);
}

void
cut_advance(struct cut *c)
{
    const struct log_event *e = log_at(c->k);
    switch (e->kind) {
    case LOG_WRITE:
    case LOG_TRUNCATE:
        add_change(file_of(c, e), c->k);
        break;
    case LOG_FLUSH_END:
        end_flush(file_of(c, e), e->at, true);
        if (e->folder)
            flush_folder(c, e->at);
        break;
    case LOG_FLUSH_FAILED:
        end_flush(file_of(c, e), e->at, false);
        break;
    case LOG_CREATE:
        create_wal(c, e->inode);
        break;
    case LOG_DELETE:
        rename_wal(c, NO_WAL);
        if (e->folder)
            flush_folder(c, c->k + 1);
        break;
    case LOG_FLUSH_BEGIN:
    case LOG_ACK:
    case LOG_REFUSED:
        break;
    }
    c->k++;
}

/* ---- drawing an image ---- */

static enum fate
fate_of(struct draw *d, const struct change *change, enum log_file file)
{
    switch (change->covered ? CUT_ALL_KEPT : d->variant) {
    case CUT_ALL_KEPT:
        return KEPT;
    case CUT_LAST_KEPT:
        return change->event == d->chosen ? KEPT : LOST;
    case CUT_ONE_LOST:
        return change->event == d->chosen ? LOST : KEPT;
    case CUT_DB_KEPT:
        return file == LOG_DB ? KEPT : LOST;
    case CUT_WAL_KEPT:
        return file == LOG_WAL ? KEPT : LOST;
    case CUT_IN_ORDER:
        if (change->event == d->chosen)
            return TORN;
        return change->event < d->chosen ? KEPT : LOST;
    case CUT_AT_RANDOM:
        if (dice_roll(&d->dice, 100) < d->percent_kept)
            return KEPT;
        return dice_roll(&d->dice, 2) ? TORN : LOST;
    default:
        return LOST;
    }
}

static void
draw_file(struct draw *d, const struct file *f, enum log_file file,
          struct cut_bytes *ret)
{
    ret->n = 0;
    resize(ret, f->base.n);
    if (f->base.n)
        memcpy(ret->ptr, f->base.ptr, f->base.n);
    for (size_t i = 0; i < f->n; i++)
        apply(ret, f->changes[i].event, fate_of(d, &f->changes[i], file),
              &d->dice);
}

static int
draw_wal(struct draw *d, const struct cut *c)
{
    size_t n = dice_roll(&d->dice, c->n_renames + 1);
    if (d->variant == CUT_ALL_LOST || d->variant == CUT_DB_KEPT)
        n = 0;
    if (d->variant == CUT_ALL_KEPT || d->variant == CUT_WAL_KEPT)
        n = c->n_renames;
    return n ? c->renames[n - 1].wal : c->wal;
}

static size_t
last_of(const struct file *f)
{
    return f && f->n ? f->changes[f->n - 1].event : 0;
}

static size_t
choose(struct draw *d, const struct file *db, const struct file *wal)
{
    size_t n_wal = wal ? wal->n : 0, last = last_of(db);
    if (d->variant == CUT_LAST_KEPT)
        return last > last_of(wal) ? last : last_of(wal);
    if (db->n + n_wal == 0)
        return 0;
    size_t i = dice_roll(&d->dice, db->n + n_wal);
    return i < db->n ? db->changes[i].event : wal->changes[i - db->n].event;
}

void
cut_image(const struct cut *c, enum cut_variant variant, uint64_t seed,
          struct cut_image *ret)
{
    struct draw d = {.variant = variant, .dice = seed};
    int number = draw_wal(&d, c);
    const struct file *wal = number == NO_WAL ? NULL : &c->wals[number];
    d.chosen = choose(&d, &c->db, wal);
    d.percent_kept = 10 + 40 * dice_roll(&d.dice, 3);
    draw_file(&d, &c->db, LOG_DB, &ret->db);
    ret->has_wal = wal;
    ret->wal.n = 0;
    if (wal)
        draw_file(&d, wal, LOG_WAL, &ret->wal);
}

bool
cut_is_uncertain(const struct cut *c)
{
    size_t n = c->db.n + c->n_renames;
    for (int i = 0; i < c->n_wals; i++)
        n += c->wals[i].n;
    return n > 0;
}

const char *
cut_variant_name(enum cut_variant variant)
{
    static const char *const names[CUT_VARIANTS] = {
        "all lost", "all kept", "last kept", "one lost",
        "db kept",  "wal kept", "in order",  "at random"};
    return names[variant];
}

/* ---- life ---- */

struct cut *
cut_new(void)
{
    struct cut *c = calloc(1, sizeof *c);
    size_t n;
    check(c);
    const unsigned char *base = log_base(&n);
    put(&c->db.base, 0, base, n);
    c->wal = NO_WAL;
    return c;
}

static void
file_done(struct file *f)
{
    free(f->base.ptr);
    free(f->changes);
}

void
cut_free(struct cut *c)
{
    file_done(&c->db);
    for (int i = 0; i < c->n_wals; i++)
        file_done(&c->wals[i]);
    free(c->wals);
    free(c->renames);
    free(c);
}

void
cut_image_done(struct cut_image *image)
{
    free(image->db.ptr);
    free(image->wal.ptr);
}
