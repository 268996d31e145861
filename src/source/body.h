/* SPDX-License-Identifier: MIT
 * The bytes of a source, piece by piece: a file, or the module for HTTP, which
 * is loaded when it is first needed (linking its libraries costs more than the
 * rest of the start). */
#ifndef RLK_SOURCE_BODY_H
#define RLK_SOURCE_BODY_H

#include "source.h"

struct rlk_body;

struct rlk_body_ops {
    /* A piece, valid until the next call; length 0: the end, and everything
     * has arrived. */
    int (*read)(struct rlk_body *b, const char **ret, size_t *ret_len,
                rowlock_error *err);
    void (*close)(struct rlk_body *b);
};

struct rlk_body { /* embedded first */
    const struct rlk_body_ops *ops;
    bool framed;       /* what carries it proves that all has arrived */
    char type[64];     /* content type; "": not said */
    char encoding[32]; /* of the content, as type */
    char link[4096];   /* the headers Link, with commas between */
    bool link_failed;  /* they do not fit */
    char total[32];    /* the header o.total, as type */
    const char *at;    /* NULL, or where redirects have led */
    char validator[RLK_VALIDATOR_SIZE]; /* "", or of this answer */
    bool unchanged; /* since the one that o.validator is of: there is none */
};

struct rlk_body_options { /* borrowed while the body is open */
    const char *url;
    const char *shown; /* the url as it may be told */
    struct rlk_http_options http;
    struct rlk_source_limits limits;
    const struct rlk_source_watch *watch;
    const volatile sig_atomic_t *cancelled;
    const char *start;     /* where to begin; secrets are for url's origin */
    const char *validator; /* NULL, or of an earlier answer */
    const char *total;     /* NULL, or the name of a header */
    long *ret_status;      /* NULL, or gets the status that was answered */
    int64_t until_ms; /* of rlk_body_now_ms(), by limits.time_ms; 0: no limit */
};

/* A signal or another thread has set the flag (NULL allowed). */
static inline bool
rlk_body_is_cancelled(const struct rlk_body_options *o)
{
    return o->cancelled && __atomic_load_n(o->cancelled, __ATOMIC_RELAXED);
}

typedef int rlk_body_open_fn(const struct rlk_body_options *o,
                             struct rlk_body **ret, rowlock_error *err);

/* By the scheme; *ret is the caller's. */
rlk_body_open_fn rlk_body_open;
rlk_body_open_fn rlk_file_open;
/* What a page at base refers to, as an absolute url, by the rules of redirects;
 * *ret is the caller's. */
typedef int rlk_body_resolve_fn(const char *base, const char *to, char **ret,
                                rowlock_error *err);
rlk_body_resolve_fn rlk_body_resolve;
void rlk_body_close(struct rlk_body *b); /* NULL allowed */

int64_t rlk_body_now_ms(void); /* never goes back */
/* A hash (FNV-1a) that goes on by bytes and their number. */
#define RLK_MIX_START UINT64_C(0xcbf29ce484222325)
uint64_t rlk_mix(uint64_t hash, const char *bytes, size_t len);
/* Fails when more than limit bytes have arrived. */
int rlk_body_check_size(uint64_t bytes, uint64_t limit, const char *url,
                        rowlock_error *err);

/* What the module exports under this name. */
#define RLK_HTTP_MODULE  "rlk_http_module"
#define RLK_HTTP_VERSION "0.1.0/10" /* must be equal on both sides */
struct rlk_http_module {
    const char *version;
    rlk_body_open_fn *open;
    rlk_body_resolve_fn *resolve;
    /* The module has a copy of the room base: what it and libcurl need comes
     * from our allocator, so that a test can refuse it. Before any other call.
     */
    void (*allocate_by)(void *(*allocator)(void *old, size_t size));
};

#endif
