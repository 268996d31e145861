/* SPDX-License-Identifier: MIT
 * The splitter: cuts the list at a pointer into the texts of its records while
 * the body streams by. It holds one record and one read at a time. Everything
 * around the list is checked strictly; a record is cut by its brackets, strings
 * and commas alone, so that a bad one can be rejected alone. */
#ifndef RLK_SOURCE_SPLIT_H
#define RLK_SOURCE_SPLIT_H

#include "grammar.h"
#include "window.h"

enum rlk_split_event { RLK_SPLIT_MORE, RLK_SPLIT_RECORD };

struct rlk_slice {
    const char *text; /* without white space around it; valid until the next
                         feed; RLK_JSON_PADDING bytes behind it may be read */
    size_t len;
    uint64_t line, byte; /* from 1 */
    bool oversize;       /* longer than the limit: text is not kept */
    bool unended;        /* a row whose line end the body does not have */
    const char *wrong;   /* NULL, or why it is no row; wrong_at is where */
    size_t wrong_at;
};

struct rlk_catch; /* catch.h */

struct rlk_split {
    struct rlk_grammar grammar;
    struct rlk_pointer root; /* stands in for a missing pointer */
    bool named;              /* a pointer was given */
    bool scouted;            /* the pointer was found by reading ahead */
    bool found;              /* the list */
    bool in_list, in_record, oversize;
    bool quoted, escaped;
    bool after_comma;          /* in the list: a record must follow */
    struct rlk_nest nest;      /* within the record */
    struct rlk_catch *catches; /* NULL, or see what surrounds the records */
    size_t limit;
    struct rlk_window w;
    size_t start; /* of the record, in the window */
    uint64_t record_line, record_byte;
};

/* records (borrowed) may be NULL: the body is the list. */
void rlk_split_init(struct rlk_split *s, const struct rlk_pointer *records,
                    size_t record_limit);
void rlk_split_done(struct rlk_split *s);

/* Only after RLK_SPLIT_MORE. Slices given out before are dead. */
int rlk_split_feed(struct rlk_split *s, const char *bytes, size_t len,
                   rowlock_error *err);
/* ret is set for RLK_SPLIT_RECORD only. A failure is the whole body's. */
int rlk_split_next(struct rlk_split *s, struct rlk_slice *ret,
                   enum rlk_split_event *ret_event, rowlock_error *err);
/* After RLK_SPLIT_MORE: the body has ended. 0: it was whole. */
int rlk_split_finish(struct rlk_split *s, rowlock_error *err);

#endif
