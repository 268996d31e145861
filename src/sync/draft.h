/* SPDX-License-Identifier: MIT
 * A first definition for a source, and a table if there is one: what `rowlock
 * init` writes. It is a guess that reads back and runs; what was guessed and
 * what was left out stands in its comments. */
#ifndef RLK_SYNC_DRAFT_H
#define RLK_SYNC_DRAFT_H

#include "base/text.h"
#include "record/record.h"
#include "sync/definition.h"

struct rlk_draft_options {
    const char *url;      /* as it was typed: a path or an address; ${NAME}
                             stands for something, as in a definition */
    const char *path;     /* of the file that the definition is for */
    const char *database; /* as it is written; NULL: one of its own is made */
    bool no_password;     /* it had one, which is not written */
    const struct rlk_table *table; /* with database: that is written to */
    const char *table_name;        /* as it is written; NULL: the table's own */
    const char *records, *format;  /* NULL, or as source.records, .format */
    const char *bearer;            /* NULL, or a variable's name: auth */
    struct rlk_source_limits limits;
    const volatile sig_atomic_t *cancelled; /* may be NULL */
};

struct rlk_draft {
    struct rlk_buf text;
    size_t records, fields; /* looked at; written */
    bool source_away;       /* the failure is the source's: try again later */
};

/* ret is filled also on failure, as far as it got. */
int rlk_draft_make(const struct rlk_draft_options *o, struct rlk_draft *ret,
                   rowlock_error *err);
void rlk_draft_done(struct rlk_draft *draft);
/* What said stands for as the database of a definition at path: it may have
 * ${...}. *ret is for rlk_free(). */
int rlk_draft_database(const char *path, const char *said, char **ret,
                       rowlock_error *err);

#endif
