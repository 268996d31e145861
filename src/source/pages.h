/* SPDX-License-Identifier: MIT
 * Which page comes after one that was read to its end, and whether there is
 * one. A page that is there twice, by its url or by its records, is a failure:
 * it would never end, or something is left out. */
#ifndef RLK_SOURCE_PAGES_H
#define RLK_SOURCE_PAGES_H

#include "body.h"
#include "catch.h"
#include "total.h"

enum { RLK_PAGES = 10000 };

struct rlk_pager {
    const struct rlk_pages *how;
    const char *first, *first_shown; /* borrowed */
    char *url, *shown;               /* of this page */
    uint64_t number;                 /* page or offset */
    uint64_t count, records, hash;   /* pages; records of this one */
    uint64_t *seen;                  /* hashes of urls and of pages */
    size_t n_seen;
    struct rlk_catch next;     /* by next and cursor */
    struct rlk_catch counted;  /* a total in the body */
    struct rlk_catch *catches; /* NULL, or the first of the two */
    bool told_next;            /* a page has named its next one */
    struct rlk_total total;
};

int rlk_pager_init(struct rlk_pager *p, const struct rlk_pages *how,
                   const char *url, const char *shown, rowlock_error *err);
void rlk_pager_done(struct rlk_pager *p);
/* A record of this page, as it stands in the body. */
int rlk_pager_record(struct rlk_pager *p, const char *text, size_t len,
                     rowlock_error *err);
/* This page was read to its end. *ret_more: url and shown are the next one's.
 */
int rlk_pager_turn(struct rlk_pager *p, const struct rlk_body *body,
                   bool *ret_more, rowlock_error *err);
/* This status, of a page that is not the first, is the end. */
bool rlk_pager_is_end(const struct rlk_pager *p, long status);
/* After rlk_pager_is_end(): whether all has come. */
int rlk_pager_check(struct rlk_pager *p, rowlock_error *err);

/* Of a header Link. *ret NULL: no next; false: it cannot be read. */
bool rlk_link_next(const char *header, const char **ret, size_t *ret_len);

#endif
