/* SPDX-License-Identifier: MIT
 * A source behind HTTP(S): the module rowlock-http.so, the only code that knows
 * libcurl. One transfer, pulled: each read lets libcurl work until a piece has
 * arrived. Redirects are followed here, by our rules; a body is at its end only
 * when libcurl says that all of it came. */
#include <curl/curl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "answer.h"
#include "base/memory.h"
#include "base/text.h"
#include "retry.h"

/* The SQLSTATE of what another try will not change; else it is 08006. */
#define REFUSED "08004"

enum {
    MOST_REDIRECTS = 10,
    SLICE_MS = 200,     /* how soon an interrupt is seen */
    KEPT_OF_ERROR = 160 /* bytes of an error's body shown to the user */
};

struct http {
    struct rlk_body body;
    struct rlk_body_options o;
    CURLM *multi;
    CURL *easy;
    char *url;   /* where redirects have led */
    char *shown; /* it as it may be told */
    struct rlk_buf piece;
    struct curl_slist *headers;
    struct rlk_answer answer;
    uint64_t bytes;
    bool done, too_large, attached;
    bool conditional; /* it was asked whether the body has changed */
    CURLcode result;
    char reason[CURL_ERROR_SIZE];
};

/* ---- libcurl's memory is ours ---- */

/* libcurl often calls want of memory something else: a host that it could not
 * resolve, a url of a bad scheme; or goes on with less, as with where a
 * redirect leads. So whatever it answers then is not taken. */
static atomic_bool short_of_memory;

static void
allocate_by(void *(*allocator)(void *old, size_t size))
{
    rlk_allocator = allocator;
}

static void *
noted(void *p)
{
    if (!p)
        short_of_memory = true;
    return p;
}

static void *
allocate(size_t size)
{
    return noted(rlk_reallocarray(NULL, size, 1));
}

static void *
allocate_zeroed(size_t n, size_t size)
{
    return noted(rlk_calloc(n, size));
}

static void *
reallocate(void *old, size_t size)
{
    return noted(rlk_reallocarray(old, size, 1));
}

static char *
duplicate(const char *text)
{
    return noted(rlk_strdup(text));
}

/* Has libcurl lacked memory since this was last asked? */
static bool
lacked_memory(void)
{
    return atomic_exchange(&short_of_memory, false);
}

/* ---- one transfer ---- */

static size_t
take_bytes(char *bytes, size_t size, size_t n, void *arg)
{
    struct http *h = arg;
    size_t len = size * n;
    h->bytes += len;
    h->too_large = h->bytes > h->o.limits.body_bytes;
    if (h->too_large)
        return 0;
    rlk_buf_add(&h->piece, bytes, len);
    return h->piece.failed ? 0 : len;
}

static size_t
take_header(char *bytes, size_t size, size_t n, void *arg)
{
    struct http *h = arg;
    rlk_answer_take(&h->answer, &h->body, bytes, size * n);
    return size * n;
}

static int
say_stalled(struct http *h, rowlock_error *err)
{
    char text[32];
    rlk_duration_print(h->o.limits.stall_ms, text, sizeof text);
    rlk_fail(err, ROWLOCK_CONNECTION, "'%.120s' sent nothing for %s", h->shown,
             text);
    rlk_hint(err, "Try again later.");
    return ROWLOCK_CONNECTION;
}

static int
say_late(struct http *h, rowlock_error *err)
{
    char text[32];
    rlk_duration_print(h->o.limits.time_ms, text, sizeof text);
    rlk_fail(err, ROWLOCK_CONNECTION, "'%.120s' was not read within %s",
             h->shown, text);
    rlk_hint(err, "Try again later, or give it more with limits.time.");
    return ROWLOCK_CONNECTION;
}

static const char *
hint_of(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return "Look at the host's name in the url.";
    case CURLE_COULDNT_CONNECT:
        return "Look whether the server runs, and at host and port in the url.";
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
        return "The answer was cut off: run it again later.";
    case CURLE_PEER_FAILED_VERIFICATION:
        return "The server's certificate does not prove who it is.";
    default:
        return "";
    }
}

static int
say_failed(struct http *h, rowlock_error *err)
{
    if (h->too_large)
        return rlk_body_check_size(h->bytes, h->o.limits.body_bytes, h->shown,
                                   err);
    long number = 0;
    char text[128];
    const char *why = h->reason[0] ? h->reason : curl_easy_strerror(h->result);
    curl_easy_getinfo(h->easy, CURLINFO_OS_ERRNO, &number);
    if (h->result == CURLE_COULDNT_CONNECT && number)
        why = strerror_r((int)number, text, sizeof text);
    rlk_fail(err, ROWLOCK_CONNECTION, "could not fetch '%.120s': %s", h->shown,
             why);
    rlk_hint(err, "%s", hint_of(h->result));
    if (h->result == CURLE_PEER_FAILED_VERIFICATION ||
        h->result == CURLE_SSL_CACERT_BADFILE)
        rlk_sqlstate(err, REFUSED);
    return ROWLOCK_CONNECTION;
}

static void
see_whether_done(struct http *h)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(h->multi, &left)))
        if (message->msg == CURLMSG_DONE) {
            h->done = true;
            h->result = message->data.result;
        }
}

/* Let libcurl work until a piece has arrived or the transfer has ended. */
static int
wait_for_piece(struct http *h, rowlock_error *err)
{
    int64_t since = rlk_body_now_ms();
    while (!h->piece.len && !h->done) {
        int running;
        if (rlk_body_is_cancelled(&h->o))
            return rlk_fail(err, ROWLOCK_CANCELLED,
                            "fetching '%.120s' was "
                            "interrupted",
                            h->shown);
        if (h->o.until_ms && rlk_body_now_ms() >= h->o.until_ms)
            return say_late(h, err);
        CURLMcode code = curl_multi_perform(h->multi, &running);
        see_whether_done(h);
        if (h->piece.len || h->done)
            break;
        if (!code)
            code = curl_multi_poll(h->multi, NULL, 0, SLICE_MS, NULL);
        if (code)
            return rlk_fail(err, ROWLOCK_CONNECTION,
                            "could not fetch '%.120s': %s", h->shown,
                            curl_multi_strerror(code));
        if (rlk_body_now_ms() - since >
            h->o.limits.stall_ms + (h->bytes ? 0 : h->o.limits.connect_ms))
            return say_stalled(h, err);
    }
    if (h->piece.failed || lacked_memory())
        return rlk_out_of_memory(err);
    return h->done && h->result ? say_failed(h, err) : 0;
}

static int
read_piece(struct rlk_body *b, const char **ret, size_t *ret_len,
           rowlock_error *err)
{
    struct http *h = (struct http *)b;
    rlk_buf_clear(&h->piece);
    RLK_TRY(wait_for_piece(h, err));
    *ret = h->piece.ptr;
    *ret_len = h->piece.len;
    return 0;
}

static void
detach(struct http *h)
{
    if (h->attached)
        curl_multi_remove_handle(h->multi, h->easy);
    h->attached = false;
}

static void
close_http(struct rlk_body *b)
{
    struct http *h = (struct http *)b;
    if (h->easy) {
        detach(h);
        curl_easy_cleanup(h->easy);
    }
    if (h->multi)
        curl_multi_cleanup(h->multi);
    curl_slist_free_all(h->headers);
    rlk_buf_done(&h->piece);
    rlk_free(h->url);
    rlk_free(h->shown);
    rlk_free(h);
}

static const struct rlk_body_ops http_ops = {read_piece, close_http};

/* The piece that has arrived already stays for the first read. */
static int read_first(struct rlk_body *b, const char **ret, size_t *ret_len,
                      rowlock_error *err);
static const struct rlk_body_ops first_ops = {read_first, close_http};

static int
read_first(struct rlk_body *b, const char **ret, size_t *ret_len,
           rowlock_error *err)
{
    struct http *h = (struct http *)b;
    h->body.ops = &http_ops;
    if (!h->piece.len)
        return read_piece(b, ret, ret_len, err);
    *ret = h->piece.ptr;
    *ret_len = h->piece.len;
    return 0;
}

/* Who carries a password in the url would see it in messages and lists of
 * processes. */
static int
check_url(const char *url, const char *shown, rowlock_error *err)
{
    (void)lacked_memory();
    CURLU *parsed = curl_url();
    char *user = NULL, *host = NULL;
    if (!parsed)
        return rlk_out_of_memory(err);
    CURLUcode code = curl_url_set(parsed, CURLUPART_URL, url, 0);
    bool bad = code || curl_url_get(parsed, CURLUPART_HOST, &host, 0);
    bool secret = !curl_url_get(parsed, CURLUPART_USER, &user, 0);
    curl_free(user);
    curl_free(host);
    curl_url_cleanup(parsed);
    if (lacked_memory())
        return rlk_out_of_memory(err);
    if (secret)
        return rlk_fail(err, ROWLOCK_UNSUPPORTED,
                        "a url with a user or password is refused");
    if (bad)
        return rlk_fail(err, ROWLOCK_BAD_VALUE, "'%.120s' is not a url: %s",
                        shown, curl_url_strerror(code));
    return 0;
}

static bool
add_header(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (longer)
        *list = longer;
    return longer != NULL;
}

/* Scheme, host and port, as they are compared; nothing for what is no url.
 * false: out of memory. */
static bool
find_origin(const char *url, struct rlk_buf *ret)
{
    static const CURLUPart parts[] = {CURLUPART_SCHEME, CURLUPART_HOST,
                                      CURLUPART_PORT};
    (void)lacked_memory();
    CURLU *parsed = curl_url();
    bool ok = parsed && !curl_url_set(parsed, CURLUPART_URL, url, 0);
    for (int i = 0; ok && i < 3; i++) {
        char *part = NULL;
        ok = !curl_url_get(parsed, parts[i], &part, CURLU_DEFAULT_PORT);
        rlk_buf_format(ret, "%s ", part ? part : "");
        curl_free(part);
    }
    curl_url_cleanup(parsed);
    if (!ok)
        rlk_buf_clear(ret);
    return !lacked_memory() && !ret->failed;
}

/* Are we, wherever redirects have led, where the secret is for? false: out of
 * memory. */
static bool
is_own_origin(const struct http *h, bool *ret)
{
    struct rlk_buf RLK_AUTOBUF own = {0};
    struct rlk_buf RLK_AUTOBUF here = {0};
    bool known = find_origin(h->o.url, &own) && find_origin(h->url, &here);
    *ret = known && own.len && here.len && strcasecmp(own.ptr, here.ptr) == 0;
    return known;
}

static bool
add_condition(struct http *h, const char *name, const char *value)
{
    struct rlk_buf RLK_AUTOBUF line = {0};
    if (!value[0])
        return true;
    h->conditional = true;
    rlk_buf_format(&line, "%s: %s", name, value);
    return !line.failed && add_header(&h->headers, line.ptr);
}

/* The header that proves us is for our own origin only, and a condition for
 * where the answer that it came from was. */
static bool
make_headers(struct http *h)
{
    const struct rlk_http_options *http = &h->o.http;
    struct rlk_validators v;
    bool own = false;
    curl_slist_free_all(h->headers);
    h->headers = NULL;
    h->conditional = false;
    if (!add_header(&h->headers, "Accept: application/json, */*;q=0.1") ||
        !add_header(&h->headers, "Accept-Encoding: gzip, zstd"))
        return false;
    if (http->auth && !is_own_origin(h, &own))
        return false;
    if (own && !add_header(&h->headers, http->auth))
        return false;
    if (!h->o.validator ||
        !rlk_validators_recall(h->o.validator, h->o.start, h->url, &v))
        return true;
    return add_condition(h, "If-None-Match", v.etag) &&
           add_condition(h, "If-Modified-Since", v.modified);
}

static int
set_options(struct http *h, rowlock_error *err)
{
    CURL *e = h->easy;
    bool bad = curl_easy_setopt(e, CURLOPT_ERRORBUFFER, h->reason);
    bad |= curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") ||
           curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L) ||
           /* A server may close a kept connection without a word. */
           curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L) ||
           curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) ||
           curl_easy_setopt(e, CURLOPT_NOPROGRESS, 1L) ||
           curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L) ||
           curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L) ||
           curl_easy_setopt(e, CURLOPT_USERAGENT, "rowlock/0.1.0");
    if (h->o.http.ca)
        bad |= curl_easy_setopt(e, CURLOPT_CAINFO, h->o.http.ca) ||
               curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
    bad |= curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_bytes) ||
           curl_easy_setopt(e, CURLOPT_WRITEDATA, h) ||
           curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, take_header) ||
           curl_easy_setopt(e, CURLOPT_HEADERDATA, h) ||
           curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS,
                            (long)h->o.limits.connect_ms);
    return bad ? rlk_out_of_memory(err) : 0;
}

/* Send the request, and wait until the answer's status is known. */
static int
request(struct http *h, long *ret_status, rowlock_error *err)
{
    detach(h);
    (void)lacked_memory();
    h->done = false;
    h->reason[0] = 0;
    h->bytes = 0;
    rlk_buf_clear(&h->piece);
    if (!make_headers(h) || curl_easy_setopt(h->easy, CURLOPT_URL, h->url) ||
        curl_easy_setopt(h->easy, CURLOPT_HTTPHEADER, h->headers) ||
        curl_multi_add_handle(h->multi, h->easy))
        return rlk_out_of_memory(err);
    h->attached = true;
    RLK_TRY(wait_for_piece(h, err));
    curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, ret_status);
    if (h->o.ret_status)
        *h->o.ret_status = *ret_status;
    h->body.at = h->url;
    return 0;
}

static bool
is_redirect(long status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 ||
           status == 308;
}

static void
swap_if(bool wanted, char **a, char **b)
{
    char *was = *a;
    if (wanted) {
        *a = *b;
        *b = was;
    }
}

/* Only http and https are followed, and https never to http. */
static int
check_target(const char *from, const char *shown, const char *to,
             rowlock_error *err)
{
    if (rlk_url_is_http(to) && (strncasecmp(from, "https:", 6) != 0 ||
                                strncasecmp(to, "https:", 6) == 0))
        return 0;
    rlk_fail(err, ROWLOCK_UNSUPPORTED, "'%.80s' redirects to '%.*s:'", shown,
             (int)strcspn(to, ":"), to);
    rlk_hint(err, "Only http and https are followed, and https never to http.");
    return ROWLOCK_UNSUPPORTED;
}

static int
resolve(const char *base, const char *to, char **ret, rowlock_error *err)
{
    (void)lacked_memory();
    CURLU *u = curl_url();
    char *full = NULL;
    if (!u)
        return rlk_out_of_memory(err);
    CURLUcode code = curl_url_set(u, CURLUPART_URL, base, 0);
    if (!code)
        code = curl_url_set(u, CURLUPART_URL, to, 0);
    if (!code)
        code = curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0);
    if (!code)
        code = curl_url_get(u, CURLUPART_URL, &full, 0);
    curl_url_cleanup(u);
    if (lacked_memory()) {
        curl_free(full);
        return rlk_out_of_memory(err);
    }
    if (code)
        return rlk_fail(err, ROWLOCK_BAD_VALUE,
                        "the next page's url is none: %s",
                        curl_url_strerror(code));
    int rc = check_target(base, "the page", full, err);
    char *url = rc ? NULL : rlk_strdup(full);
    curl_free(full);
    if (!rc && url)
        *ret = url;
    return rc || url ? rc : rlk_out_of_memory(err);
}

static int
follow(struct http *h, rowlock_error *err)
{
    char *to = NULL;
    curl_easy_getinfo(h->easy, CURLINFO_REDIRECT_URL, &to);
    if (!to) {
        rlk_fail(err, ROWLOCK_CONNECTION, "'%.120s' redirects to nowhere",
                 h->shown);
        rlk_sqlstate(err, REFUSED);
        return ROWLOCK_CONNECTION;
    }
    RLK_TRY(check_target(h->url, h->shown, to, err));
    char *url = rlk_strdup(to);
    /* A query may hold a key: servers sign where they redirect to. */
    char *shown = rlk_strndup(to, strcspn(to, "?#"));
    int rc = url && shown ? check_url(url, shown, err) : rlk_out_of_memory(err);
    swap_if(!rc, &h->url, &url);
    swap_if(!rc, &h->shown, &shown);
    rlk_free(url);
    rlk_free(shown);
    return rc;
}

static bool
says(const struct http *h, const char *text)
{
    return text && *text && h->piece.len &&
           memmem(h->piece.ptr, h->piece.len, text, strlen(text));
}

/* A server that says back what it was sent, as it was or packed by us. */
static bool
tells_secret(const struct http *h)
{
    const char *auth = h->o.http.auth;
    const char *last = auth ? strrchr(auth, ' ') : NULL;
    return says(h, h->o.http.secret) || (last && says(h, last + 1));
}

static int
refuse_status(struct http *h, long status, rowlock_error *err)
{
    char said[KEPT_OF_ERROR + 1] = "";
    for (size_t i = 0; i < h->piece.len && i < KEPT_OF_ERROR; i++) {
        unsigned char c = (unsigned char)h->piece.ptr[i];
        said[i] = c < 0x20 || c > 0x7E ? ' ' : (char)c;
    }
    rlk_fail(err, ROWLOCK_CONNECTION, "'%.120s' answered HTTP %ld", h->shown,
             status);
    if (status < 500 && status != 408 && status != 429)
        rlk_sqlstate(err, REFUSED);
    if (said[0] && !tells_secret(h))
        rlk_detail(err, "It said: %s", said);
    rlk_hint(err, status >= 500 || status == 429 ? "Try again later."
                  : status == 401 || status == 403
                      ? "The source does not let us read it."
                      : "Look at the url.");
    return ROWLOCK_CONNECTION;
}

/* Where redirects have led is forgotten: they may lead elsewhere next time. */
static int
go_to_start(struct http *h, rowlock_error *err)
{
    char *url = rlk_strdup(h->o.start);
    char *shown = rlk_strdup(h->o.shown);
    bool ok = url && shown;
    swap_if(ok, &h->url, &url);
    swap_if(ok, &h->shown, &shown);
    rlk_free(url);
    rlk_free(shown);
    return ok ? 0 : rlk_out_of_memory(err);
}

/* One try: through redirects to an answer whose body has begun. */
static int
ask(struct http *h, rowlock_error *err)
{
    long status = 0;
    RLK_TRY(go_to_start(h, err));
    RLK_TRY(request(h, &status, err));
    for (int i = 0; is_redirect(status); i++) {
        if (i == MOST_REDIRECTS) {
            rlk_fail(err, ROWLOCK_CONNECTION,
                     "'%.120s' redirects more than %d times", h->o.shown,
                     MOST_REDIRECTS);
            rlk_sqlstate(err, REFUSED);
            return ROWLOCK_CONNECTION;
        }
        RLK_TRY(follow(h, err));
        RLK_TRY(request(h, &status, err));
    }
    h->body.unchanged = status == 304 && h->conditional;
    if (status != 200 && status != 203 && !h->body.unchanged)
        return refuse_status(h, status, err);
    if (status == 200)
        rlk_validators_keep(&h->answer.validators, h->o.start, h->url,
                            h->body.validator);
    return 0;
}

static int
start(struct http *h, rowlock_error *err)
{
    struct rlk_retry retry = {.o = &h->o};
    RLK_TRY(check_url(h->o.start, h->o.shown, err));
    RLK_TRY(set_options(h, err));
    for (;;) {
        rowlock_error why = {0};
        curl_off_t told = 0;
        if (!ask(h, &why))
            return 0;
        curl_easy_getinfo(h->easy, CURLINFO_RETRY_AFTER, &told);
        RLK_TRY(rlk_retry_wait(&retry, told, &why, err));
    }
}

/* ---- the module ---- */

static int
open_transfer(const struct rlk_body_options *o, struct rlk_body **ret,
              rowlock_error *err)
{
    static bool initialised;
    if (!initialised &&
        curl_global_init_mem(CURL_GLOBAL_DEFAULT, allocate, rlk_free,
                             reallocate, duplicate, allocate_zeroed))
        return rlk_out_of_memory(err);
    initialised = true;
    struct http *h = rlk_calloc(1, sizeof *h);
    if (!h)
        return rlk_out_of_memory(err);
    h->body.ops = &first_ops;
    h->o = *o;
    h->answer.total = o->total;
    h->multi = curl_multi_init();
    h->easy = curl_easy_init();
    int rc = h->multi && h->easy ? start(h, err) : rlk_out_of_memory(err);
    if (rc)
        close_http(&h->body);
    else
        *ret = &h->body;
    return rc;
}

__attribute__((visibility("default")))
const struct rlk_http_module rlk_http_module = {RLK_HTTP_VERSION, open_transfer,
                                                resolve, allocate_by};
