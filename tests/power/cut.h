/* SPDX-License-Identifier: MIT
 * The disk after a power cut: the log's first k events happened, and of what no
 * flush has covered any part may be there.
 *
 * What is taken for granted is what SQLite takes for granted: a finished flush
 * of a file makes all its writes and its size before the flush's begin stay;
 * a write that is torn by the cut changes only sectors (of 512 bytes) that it
 * writes to, and each of them wholly or not at all; names in the folder come
 * and go in order, and stay once the folder is flushed. */
#ifndef POWER_CUT_H
#define POWER_CUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What becomes of that which no flush has covered. */
enum cut_variant {
    CUT_ALL_LOST,
    CUT_ALL_KEPT,
    CUT_LAST_KEPT, /* of the changes; the rest lost */
    CUT_ONE_LOST,  /* any one; the rest kept */
    CUT_DB_KEPT,   /* the database's changes kept, those of the -wal lost */
    CUT_WAL_KEPT,  /* the other way round */
    CUT_IN_ORDER,  /* up to any one, which is torn */
    CUT_AT_RANDOM, /* each lost, kept or torn */
    CUT_VARIANTS
};

struct cut_bytes {
    unsigned char *ptr;
    size_t n, cap;
};

/* The files that are found afterwards. */
struct cut_image {
    struct cut_bytes db, wal;
    bool has_wal;
};

struct cut;

/* At k = 0 of the log that is open. The caller's. */
struct cut *cut_new(void);
void cut_free(struct cut *c);
/* k becomes k + 1. */
void cut_advance(struct cut *c);
/* There is something that a cut here may take away. */
bool cut_is_uncertain(const struct cut *c);
/* ret: zeroed, or of an earlier call. The same seed, the same image. */
void cut_image(const struct cut *c, enum cut_variant variant, uint64_t seed,
               struct cut_image *ret);
void cut_image_done(struct cut_image *image);
const char *cut_variant_name(enum cut_variant variant);

#endif
