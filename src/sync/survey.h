/* SPDX-License-Identifier: MIT
 * What some records of a source have in common: their members, what stands in
 * each, and which types of column could hold all of it. The names and values
 * are anybody's. */
#ifndef RLK_SYNC_SURVEY_H
#define RLK_SYNC_SURVEY_H

#include "base/text.h"
#include "record/record.h"
#include "source/source.h"
#include "sync/seen.h"

enum {
    RLK_SURVEY_RECORDS = 100, /* looked at, at most */
    RLK_SURVEY_MEMBERS = 300, /* known, at most */
    RLK_SURVEY_DEPTH = 4,     /* objects in objects */
    RLK_SURVEY_EXAMPLE = 60   /* characters of a value that are kept */
};

struct rlk_member {
    const char *pointer; /* RFC 6901 */
    const char *name;    /* its last step that says something: /title/rendered
                            is called title */
    const char *step;    /* the last one as it stands */
    unsigned depth;      /* 1: of the record itself */
    size_t n;            /* records that have it */
    size_t kinds[RLK_JSON_OBJECT + 1]; /* of them: how many have which type */
    size_t blank;                      /* texts of white space only */
    size_t misfits[RLK_TYPE_JSON + 1]; /* values that a column of this type
                                          would refuse, by enum rlk_column_type;
                                          of scalars that are not null */
    size_t longest;                    /* text: in characters */
    bool repeated;                     /* a value came twice */
    struct rlk_seen values;
    const char *example; /* a value as it stands, shortened; NULL: none yet */
    size_t example_len;
    bool example_is_text, cut;
    bool parent; /* an object whose members are known themselves */
};

struct rlk_survey {
    struct rlk_arena arena;
    struct rlk_member *members; /* in the order in which they were met */
    size_t n;
    size_t records;  /* looked at */
    size_t passed;   /* besides: more of the same page */
    size_t rejected; /* besides: not valid */
    bool more;       /* members beyond the limit */
};

/* Takes one record in. Fails only for want of memory. */
int rlk_survey_add(struct rlk_survey *s, const struct rlk_json *record,
                   rowlock_error *err);
void rlk_survey_done(struct rlk_survey *s);

/* Adds a step to a JSON pointer. */
void rlk_pointer_add(struct rlk_buf *pointer, const char *key, size_t len);
/* Values of a record are told apart by it: there in each, never blank, never
 * twice, of a kind that stays. */
bool rlk_survey_identifies(const struct rlk_survey *s,
                           const struct rlk_member *m);
/* How many values were neither absent nor null. */
size_t rlk_member_values(const struct rlk_member *m);
/* Only objects and lists. */
bool rlk_member_is_nested(const struct rlk_member *m);

#endif
