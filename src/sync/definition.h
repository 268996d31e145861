/* SPDX-License-Identifier: MIT
 * The definition of a sync, read from YAML and checked as far as it can be
 * without the database. docs/definition.md says what it may hold; the table in
 * definition.c is that page in code. */
#ifndef RLK_SYNC_DEFINITION_H
#define RLK_SYNC_DEFINITION_H

#include "rowlock/value.h"
#include "source/source.h"
#include "sync/tree.h"

struct rlk_said { /* a text of the definition, and where it stands */
    const char *text;
    struct rlk_spot at;
};

/* source.auth: one of the three is said. */
struct rlk_said_auth {
    const struct rlk_yaml *node; /* NULL: not said */
    struct rlk_said bearer;
    struct rlk_said user, password; /* basic */
    struct rlk_said header, value;  /* api_key */
};

/* How a source behind HTTP is asked, as said. */
struct rlk_said_http {
    const struct rlk_yaml *retries; /* a number, or a map of the next two */
    struct rlk_said times, wait;
    struct rlk_said body, time; /* limits */
    const struct rlk_yaml *pages;
    struct rlk_said param, start, size_param, size, total; /* pages */
};

enum rlk_field_mode {
    RLK_FIELD_UPDATE,
    RLK_FIELD_CREATE_ONLY,
    RLK_FIELD_FILL /* only where the record has nothing */
};

enum rlk_field_type { /* RLK_FIELD_ANY: not said */
                      RLK_FIELD_ANY,
                      RLK_FIELD_TEXT,
                      RLK_FIELD_INTEGER,
                      RLK_FIELD_REAL,
                      RLK_FIELD_BOOLEAN,
                      RLK_FIELD_TIMESTAMP,
                      RLK_FIELD_JSON,
                      RLK_FIELD_UUID,
                      RLK_FIELD_BLOB
};
/* "integer"; "text" for RLK_FIELD_ANY. */
const char *rlk_field_type_name(enum rlk_field_type type);

enum rlk_generated {
    RLK_GENERATE_NOTHING,
    RLK_GENERATE_NOW,
    RLK_GENERATE_UUID
};

struct rlk_field {
    struct rlk_said column;
    struct rlk_pointer from;
    int mode; /* enum rlk_field_mode */
    int type; /* enum rlk_field_type */
    bool strip, slugify, lower;
    int unescape_html; /* before all of these */
    int empty_null;    /* blank text becomes NULL */
    const struct rlk_yaml *said_value;
    int generated;             /* enum rlk_generated */
    struct rlk_json *constant; /* or NULL: from, or generated */
    int on_change;             /* written only when something else is */
    bool has_default;          /* for what is absent */
    const struct rlk_yaml *said_default;
    rowlock_value default_value; /* NULL, INT, DOUBLE or TEXT */
};

enum rlk_disagree { /* what happens when the match keys disagree */
                    RLK_DISAGREE_REPORT,
                    RLK_DISAGREE_FIRST,
                    RLK_DISAGREE_REKEY
};

enum rlk_pace { RLK_PACE_POLITE, RLK_PACE_FULL };

struct rlk_match_key {
    size_t *fields; /* positions in the definition's fields */
    size_t n_fields;
};

struct rlk_definition {
    struct rlk_arena arena; /* holds all below */
    const char *path;
    char hash[33]; /* XXH3 of the file's bytes: not of what ${...} stands for */
    struct rlk_said name;
    struct rlk_said database; /* a path or sqlite:PATH; made absolute or
                                 relative to the working directory; or a
                                 server's URL */
    struct rlk_said table;
    bool create_table;
    struct rlk_said url; /* or a path, as database */
    /* As said, where ${...} stands for something; of a server's URL what is no
     * secret; else NULL. */
    const char *shown_url, *shown_database;
    struct rlk_said_auth said_auth;
    struct rlk_said ca, timeout;
    struct rlk_said preset; /* "wordpress"; pages and records are of it, where
                               they are not said, and url has its parameters */
    struct rlk_said_http said_http;
    struct rlk_http_options http;
    struct rlk_pages pages;
    bool has_pages;
    int32_t timeout_ms, time_ms; /* 0: not said */
    uint64_t body_bytes;         /* 0: not said */
    struct rlk_pointer records;
    bool has_records;
    int format;   /* enum rlk_format, as said */
    bool tabular; /* CSV or TSV, as far as can be told without asking: a
                     pointer may be the name of a column */
    const struct rlk_yaml *said_match, *said_fields;
    int on_disagree;           /* enum rlk_disagree */
    int32_t wait_ms, total_ms; /* for held records: for one, for all; -1: not
                                  at all */
    int pace;                  /* enum rlk_pace */
    int durability;            /* enum rowlock_durability */
    struct rlk_match_key *match;
    size_t n_match;
    struct rlk_field *fields;
    size_t n_fields;
};

/* *ret is the caller's. Every failure but ROWLOCK_NO_MEMORY is the
 * definition's. */
int rlk_definition_read(const char *path, struct rlk_definition **ret,
                        rowlock_error *err);
/* The same from memory; path is for messages and relative paths. */
int rlk_definition_parse(const char *path, const char *bytes, size_t len,
                         struct rlk_definition **ret, rowlock_error *err);
void rlk_definition_free(struct rlk_definition *d); /* NULL allowed */

/* Puts those that the definition says in place of what stands in limits. */
void rlk_definition_limit(const struct rlk_definition *d,
                          struct rlk_source_limits *limits);

/* The field is part of a match key. */
bool rlk_definition_matches(const struct rlk_definition *d, size_t field);

#endif
