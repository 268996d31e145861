/* SPDX-License-Identifier: MIT
 * Which page comes after one that was read to its end, and whether there is
 * one. A page that is there twice, by its url or by its records, is a failure:
 * it would never end, or something is left out. */
#ifndef RLK_SOURCE_PAGES_H
#define RLK_SOURCE_PAGES_H

#include "body.h"
#include "grammar.h"

enum { RLK_PAGES = 10000, RLK_PAGE_VALUE = 8192 };

/* The value at a pointer of a body, caught while what surrounds the records
 * goes by. */
struct rlk_catch {
    struct rlk_grammar grammar;
    struct rlk_buf text; /* as it stands there */
    uint32_t depth;
    bool inside, found, twice;
};
void rlk_catch_init(struct rlk_catch *c, const struct rlk_pointer *at);
void rlk_catch_done(struct rlk_catch *c);
void rlk_catch_byte(struct rlk_catch *c, unsigned char byte);

struct rlk_pager {
    const struct rlk_pages *how;
    const char *first, *first_shown; /* borrowed */
    char *url, *shown;               /* of this page */
    uint64_t number;                 /* page or offset */
    uint64_t count, records, hash;   /* pages; records of this one */
    uint64_t *seen;                  /* hashes of urls and of pages */
    size_t n_seen;
    struct rlk_catch catch; /* by next and cursor */
};

int rlk_pager_init(struct rlk_pager *p, const struct rlk_pages *how,
                   const char *url, const char *shown, rowlock_error *err);
void rlk_pager_done(struct rlk_pager *p);
/* A record of this page, as it stands in the body. */
void rlk_pager_record(struct rlk_pager *p, const char *text, size_t len);
/* This page was read to its end. *ret_more: url and shown are the next one's.
 */
int rlk_pager_turn(struct rlk_pager *p, const struct rlk_body *body,
                   bool *ret_more, rowlock_error *err);
/* This status, of a page that is not the first, is the end. */
bool rlk_pager_is_end(const struct rlk_pager *p, long status);

/* Of a header Link. *ret NULL: no next; false: it cannot be read. */
bool rlk_link_next(const char *header, const char **ret, size_t *ret_len);

#endif
