/* SPDX-License-Identifier: MIT
 * The room's front: a remote listing, read record by record. It knows of
 * files, HTTP, JSON and CSV, and nothing of databases.
 *
 *   rlk_reader_open() -> rlk_reader_next() ... RLK_READ_END -> _close()
 *
 * RLK_READ_END is answered only when the whole body was read and proved
 * complete; a body that is cut, damaged or too large is an error, never the
 * end. What is read is untrusted. */
#ifndef RLK_SOURCE_SOURCE_H
#define RLK_SOURCE_SOURCE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/memory.h"

/* ---- JSON ---- */

enum rlk_json_type {
    RLK_JSON_NULL,
    RLK_JSON_FALSE,
    RLK_JSON_TRUE,
    RLK_JSON_NUMBER,
    RLK_JSON_STRING,
    RLK_JSON_LIST,
    RLK_JSON_OBJECT
};

/* A value, in an array in the order of the text: its first child is the next
 * node, its next sibling stands size nodes further. */
struct rlk_json {
    enum rlk_json_type type;
    uint32_t size;   /* nodes of this value, itself included */
    const char *key; /* in an object: unescaped, no NUL behind it */
    size_t key_len;
    const char *text; /* string: unescaped; else as it stands in the body */
    size_t len;
    const char *raw; /* as it stands in the body, quotes included; NULL: the
                        text of a table, which is no JSON */
    size_t raw_len;
};

/* "an object", "a string" ... */
const char *rlk_json_type_name(enum rlk_json_type type);

/* A JSON pointer (RFC 6901), parsed. */
struct rlk_pointer {
    const char *text;
    char **tokens; /* unescaped, NUL-terminated */
    size_t n;
};
enum { RLK_POINTER_TOKENS = 32 }; /* at most so many */

/* The message says what is wrong with text. ret lives in arena. */
int rlk_pointer_parse(const char *text, struct rlk_arena *arena,
                      struct rlk_pointer *ret, rowlock_error *err);
/* The pointer to the member of this name. */
int rlk_pointer_name(const char *name, struct rlk_arena *arena,
                     struct rlk_pointer *ret, rowlock_error *err);
/* p leads to what outer does, or into it. */
bool rlk_pointer_is_within(const struct rlk_pointer *p,
                           const struct rlk_pointer *outer);
/* NULL when there is nothing at p. */
const struct rlk_json *rlk_json_find(const struct rlk_json *root,
                                     const struct rlk_pointer *p);

/* ---- records ---- */

/* Else it is a path. */
bool rlk_url_is_http(const char *url);

enum rlk_format {
    RLK_FORMAT_ANY, /* by content type, else by extension, else JSON */
    RLK_FORMAT_JSON,
    RLK_FORMAT_NDJSON,
    RLK_FORMAT_CSV, /* CSV and TSV are the last: those with a header row */
    RLK_FORMAT_TSV
};
/* By enum rlk_format, NULL-terminated; RLK_FORMAT_ANY is "". */
extern const char *const rlk_format_names[];
/* By the extension; RLK_FORMAT_ANY when it says nothing. */
enum rlk_format rlk_format_of_name(const char *url);

struct rlk_source_limits {
    int32_t connect_ms;
    int32_t stall_ms;    /* without a byte */
    uint64_t body_bytes; /* at most */
    size_t record_bytes; /* at most; a longer one is rejected alone */
    int32_t time_ms;     /* over HTTP: for all of it; 0: no limit */
};
#define RLK_SOURCE_LIMITS_INIT                                    \
    {                                                             \
        30000, 60000, UINT64_C(1) << 30, (size_t)1 << 26, 3600000 \
    }

struct rlk_http_options {
    const char *auth;   /* NULL, or a header line; sent to the url's own scheme,
                           host and port only, and never told */
    const char *secret; /* of it; NULL, or what a server must not say back */
    const char *ca;     /* NULL, or the path of a file of certificates, which
                           stand in for the system's */
    int32_t retries;    /* of an answer that has not begun */
    int32_t retry_ms;   /* the longest wait before the first of them */
};

enum rlk_pages_by {                   /* how a page leads to the next */
                    RLK_PAGES_LINK,   /* the header Link */
                    RLK_PAGES_PAGE,   /* counted */
                    RLK_PAGES_NEXT,   /* a url in the body */
                    RLK_PAGES_OFFSET, /* records counted */
                    RLK_PAGES_CURSOR  /* a value in the body */
};

struct rlk_pages {
    int by;                 /* enum rlk_pages_by */
    const char *param;      /* page, offset, cursor */
    uint64_t start;         /* page, offset: the first */
    const char *size_param; /* NULL, or what is told the size */
    uint64_t size;
    struct rlk_pointer at;    /* next, cursor; of JSON */
    int absent_end;           /* it may be absent whatever else is there */
    struct rlk_pointer total; /* of JSON: how many records there are in all; */
    const char *total_header; /* or a header that tells it; NULL: neither */
};

/* Called on the thread that reads, so each only notes what it hears. */
struct rlk_source_watch {
    /* The source is asked again in so many ms, and why not now; 0, NULL: it is
     * asked. */
    void (*on_wait)(int64_t ms, const char *why, void *arg);
    /* Of a source in pages: so many were read to their end. */
    void (*on_page)(uint64_t pages, void *arg);
    void *arg;
};

struct rlk_reader_options { /* what it points to is borrowed while reading */
    const char *url;        /* a path, http:// or https:// */
    const char *shown;      /* the url as it may be told; NULL: as it is */
    struct rlk_http_options http;
    enum rlk_format format;
    const struct rlk_pointer *records; /* of JSON; NULL: the body is the list,
                                          or its only list of objects */
    const struct rlk_pages *pages;     /* NULL: one body is all */
    const char *validator;             /* NULL, or what rlk_reader_validator()
                                          answered when this was read last: it
                                          is asked whether it has changed. Of
                                          HTTP without pages; else, or when it
                                          is of another place, of no use */
    struct rlk_source_limits limits;
    const struct rlk_source_watch *watch;   /* NULL, or all of it */
    const volatile sig_atomic_t *cancelled; /* NULL, or ends a wait with 57014
                                               once it is not 0; set by a signal
                                               or atomically */
    size_t keep_bytes; /* of the body, for rlk_reader_hints() */
};

struct rlk_remote {  /* borrowed from the reader until the next call */
    uint64_t number; /* from 1 */
    uint64_t line;   /* from 1; where the record begins */
    uint64_t byte;   /* from 1, in the body */
    const struct rlk_json *root;
    rowlock_error reason; /* of a rejection; its context has the place */
};

enum rlk_read {
    RLK_READ_RECORD,
    RLK_READ_REJECTED,
    RLK_READ_END,
    RLK_READ_UNCHANGED /* in place of all records: the server says that nothing
                          has changed since the validator. Only where one was
                          given */
};
enum { RLK_VALIDATOR_SIZE = 384 }; /* bytes, with the NUL */

struct rlk_reader;

/* *ret is the caller's. Answers once the source answered: a server's status is
 * known, a file is open. */
int rlk_reader_open(const struct rlk_reader_options *o, struct rlk_reader **ret,
                    rowlock_error *err);
int rlk_reader_next(struct rlk_reader *r, struct rlk_remote *ret,
                    enum rlk_read *ret_what, rowlock_error *err);
enum rlk_format rlk_reader_format(const struct rlk_reader *r); /* never ANY */
uint64_t rlk_reader_bytes(const struct rlk_reader *r);         /* read so far */
/* After RLK_READ_END: what to give the next time, so that an unchanged body
 * need not be sent; printable ASCII, borrowed from the reader. NULL: there is
 * none. It is proof only that the body is the same: keep it with what was made
 * of it, by which definition, and only if nothing of it is left to do. */
const char *rlk_reader_validator(const struct rlk_reader *r);
/* What the body tells besides its records, as far as it was read; for a draft
 * of a definition. Borrowed from the reader until it is closed; its records are
 * not read on. Fails only for want of memory. */
struct rlk_hints {
    const char *head; /* its first bytes, keep_bytes at most */
    size_t len;
    const struct rlk_json *root; /* all of it, if it is an object and no larger;
                                    else NULL */
    const char *records;         /* the pointer to them; NULL: not found */
    const char *total;           /* the header X-WP-Total; "": none */
    bool has_link;               /* a header Link with a next page */
};
int rlk_reader_hints(struct rlk_reader *r, struct rlk_hints *ret,
                     rowlock_error *err);
void rlk_reader_close(struct rlk_reader *r); /* NULL allowed */

#endif
