/* SPDX-License-Identifier: MIT
 * Among the files of the draft: what is known while one is made. */
#ifndef RLK_SYNC_DRAFTING_H
#define RLK_SYNC_DRAFTING_H

#include "sync/draft.h"
#include "sync/survey.h"

enum { RLK_DRAFT_KEYS = 3, RLK_DRAFT_PARTS = 8 };

struct rlk_draft_field {
    const char *column;
    const struct rlk_member *from;
    const struct rlk_column *goal; /* of a table that is there; else NULL */
    const char *type;              /* that is said; NULL: none */
    bool slug;                     /* it is made one of */
    bool key;                      /* in match */
};

struct rlk_draft_key {
    size_t fields[RLK_DRAFT_PARTS];
    size_t n;
    bool unique; /* by an index of the table */
};

struct rlk_drafting {
    const struct rlk_draft_options *o;
    struct rlk_arena arena;
    const char *url;              /* as it is written: ${NAME} for secrets */
    const char *name;             /* of the sync, and of a new table */
    struct rlk_definition *probe; /* the source alone */
    struct rlk_survey survey;
    rowlock_error rejection; /* of the first record that is not valid */
    struct rlk_buf pages;    /* a value for source.pages, or empty */
    struct rlk_buf remarks;  /* on the source: lines of comment */
    const char *preset;      /* NULL, or for source.preset */
    bool wordpress;
    const char *records; /* the pointer to them; NULL: no need to say */
    enum rlk_format format;
    bool says_format; /* the url alone does not tell */
    struct rlk_draft_field *fields;
    size_t n_fields;
    struct rlk_draft_key keys[RLK_DRAFT_KEYS];
    size_t n_keys;
    rowlock_error *err;
};

/* draft_url.c: url and name. What looks like a secret in the url's query is
 * put into this process's environment, where the definition will look for it.
 */
int rlk_draft_url(struct rlk_drafting *g);
/* text repeats what a ${...} of the url, or the bearer, stands for. */
bool rlk_draft_is_secret(const struct rlk_drafting *g, const char *text,
                         size_t len);
/* draft_pages.c: pages and remarks. */
int rlk_draft_pages(struct rlk_drafting *g, const struct rlk_hints *hints);
/* draft_fields.c, draft_match.c */
int rlk_draft_fields(struct rlk_drafting *g);
int rlk_draft_match(struct rlk_drafting *g);
/* Names that stand for the same, whatever their case and punctuation. */
bool rlk_draft_same_name(const char *a, const char *b);
/* What identifies a record elsewhere: "id", "uuid", "remote_id" ...; and what
 * does so in an address: "slug" ... 0: no such name; else the higher the
 * better. */
int rlk_draft_id_rank(const char *name);
int rlk_draft_slug_rank(const char *name);
/* draft_write.c */
int rlk_draft_write(struct rlk_drafting *g, struct rlk_buf *text);

#endif
