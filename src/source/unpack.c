/* SPDX-License-Identifier: MIT
 * The layer of unpack.h. It holds one piece of packed bytes, lent by the body
 * below, and one of unpacked ones. Its end is proved by the checksums of the
 * packed data. Invariant: between calls `in` is what of the lent piece is not
 * used yet. */
#include "unpack.h"

#include <string.h>
#include <strings.h>

#include <zlib.h>
#include <zstd.h>

enum { PIECE = 256 * 1024, MAGIC = 4 };

enum kind { UNKNOWN, PLAIN, GZIP, ZSTD };

struct unpack {
    struct rlk_body body;
    struct rlk_body_options o;
    struct rlk_body *inner;
    enum kind kind;
    bool encoded; /* a header says that it is packed */
    bool inner_ended, in_member;
    const char *in;
    size_t in_len;
    char first[MAGIC]; /* collected to tell the kind */
    size_t n_first;
    uint64_t used, made; /* bytes */
    z_stream gzip;
    bool gzip_open;
    ZSTD_DStream *zstd;
    char piece[PIECE];
};

static const char *
kind_name(const struct unpack *u)
{
    return u->kind == GZIP ? "gzip" : "zstd";
}

static int
damaged(const struct unpack *u, const char *why, rowlock_error *err)
{
    rlk_fail(err, ROWLOCK_BAD_VALUE, "the %s data is damaged: %s", kind_name(u),
             why ? why : "no reason given");
    rlk_context(err, "'%.120s', after byte %llu as packed", u->o.shown,
                (unsigned long long)u->used);
    return ROWLOCK_BAD_VALUE;
}

static int
cut_off(const struct unpack *u, rowlock_error *err)
{
    rlk_fail(err, ROWLOCK_BAD_VALUE,
             "the body is cut off: it ends within its %s data", kind_name(u));
    rlk_context(err, "'%.120s', after byte %llu as packed", u->o.shown,
                (unsigned long long)u->used);
    rlk_hint(err, "Run it again when the source sends the whole body.");
    return ROWLOCK_BAD_VALUE;
}

/* ---- input ---- */

static int
refill(struct unpack *u, rowlock_error *err)
{
    if (u->in_len || u->inner_ended)
        return 0;
    RLK_TRY(u->inner->ops->read(u->inner, &u->in, &u->in_len, err));
    u->inner_ended = u->in_len == 0;
    return 0;
}

static void
use(struct unpack *u, size_t n)
{
    u->in += n;
    u->in_len -= n;
    u->used += n;
}

static int
start_kind(struct unpack *u, rowlock_error *err)
{
    static const char gzip[] = "\x1F\x8B", zstd[] = "\x28\xB5\x2F\xFD";
    if (u->n_first >= 2 && memcmp(u->first, gzip, 2) == 0) {
        u->kind = GZIP;
        u->gzip_open = inflateInit2(&u->gzip, 16 + MAX_WBITS) == Z_OK;
        return u->gzip_open ? 0 : rlk_out_of_memory(err);
    }
    if (u->n_first == MAGIC && memcmp(u->first, zstd, MAGIC) == 0) {
        u->kind = ZSTD;
        u->zstd = ZSTD_createDStream();
        return u->zstd ? 0 : rlk_out_of_memory(err);
    }
    u->kind = PLAIN;
    if (u->encoded && u->n_first)
        return rlk_fail(err, ROWLOCK_BAD_VALUE,
                        "'%.120s' sent a body that is not packed as it says",
                        u->o.shown);
    return 0;
}

static int
tell_kind(struct unpack *u, rowlock_error *err)
{
    while (u->n_first < MAGIC && !u->inner_ended) {
        RLK_TRY(refill(u, err));
        size_t n = MAGIC - u->n_first;
        n = u->in_len < n ? u->in_len : n;
        if (n)
            memcpy(u->first + u->n_first, u->in, n);
        u->n_first += n;
        u->in += n;
        u->in_len -= n;
    }
    return start_kind(u, err);
}

/* ---- output ---- */

/* Unpacks some of the n bytes at in; *ret_used of them, *ret_len made. */
static int
inflate_some(struct unpack *u, const char *in, size_t n, size_t *ret_used,
             size_t *ret_len, rowlock_error *err)
{
    z_stream *z = &u->gzip;
    if (!u->in_member && inflateReset(z) != Z_OK)
        return rlk_out_of_memory(err);
    z->next_in = (Bytef *)(uintptr_t)in;
    z->avail_in = (uInt)(n < PIECE ? n : PIECE);
    uInt offered = z->avail_in;
    z->next_out = (Bytef *)u->piece;
    z->avail_out = PIECE;
    int rc = inflate(z, Z_NO_FLUSH);
    *ret_used = offered - z->avail_in;
    *ret_len = PIECE - z->avail_out;
    u->in_member = rc != Z_STREAM_END;
    if (rc == Z_MEM_ERROR)
        return rlk_out_of_memory(err);
    if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
        return damaged(u, z->msg, err);
    return 0;
}

static int
zstd_some(struct unpack *u, const char *in, size_t n, size_t *ret_used,
          size_t *ret_len, rowlock_error *err)
{
    ZSTD_inBuffer from = {in, n, 0};
    ZSTD_outBuffer to = {u->piece, PIECE, 0};
    size_t rc = ZSTD_decompressStream(u->zstd, &to, &from);
    *ret_used = from.pos;
    *ret_len = to.pos;
    u->in_member = rc != 0;
    if (ZSTD_isError(rc))
        return damaged(u, ZSTD_getErrorName(rc), err);
    return 0;
}

static int
unpack_some(struct unpack *u, const char *in, size_t n, size_t *ret_used,
            size_t *ret_len, rowlock_error *err)
{
    return u->kind == GZIP ? inflate_some(u, in, n, ret_used, ret_len, err)
                           : zstd_some(u, in, n, ret_used, ret_len, err);
}

/* The bytes that told the kind come first, then the lent piece. */
static int
step(struct unpack *u, size_t *ret_len, rowlock_error *err)
{
    size_t used = 0;
    if (u->n_first) {
        char first[MAGIC];
        memcpy(first, u->first, MAGIC);
        RLK_TRY(unpack_some(u, first, u->n_first, &used, ret_len, err));
        u->n_first -= used;
        memmove(u->first, first + used, u->n_first);
        u->used += used;
        return 0;
    }
    RLK_TRY(unpack_some(u, u->in, u->in_len, &used, ret_len, err));
    use(u, used);
    return 0;
}

static int
read_unpacked(struct unpack *u, const char **ret, size_t *ret_len,
              rowlock_error *err)
{
    size_t len = 0;
    while (!len) {
        if (!u->n_first)
            RLK_TRY(refill(u, err));
        bool starved = !u->n_first && !u->in_len;
        if (starved && !u->in_member)
            break;
        RLK_TRY(step(u, &len, err));
        if (starved && !len)
            return cut_off(u, err);
    }
    u->made += len;
    RLK_TRY(
        rlk_body_check_size(u->made, u->o.limits.body_bytes, u->o.shown, err));
    *ret = u->piece;
    *ret_len = len;
    return 0;
}

static int
read_plain(struct unpack *u, const char **ret, size_t *ret_len,
           rowlock_error *err)
{
    if (u->n_first) {
        *ret = u->first;
        *ret_len = u->n_first;
        u->n_first = 0;
        return 0;
    }
    RLK_TRY(refill(u, err));
    *ret = u->in;
    *ret_len = u->in_len;
    u->in_len = 0;
    return 0;
}

static int
read_piece(struct rlk_body *b, const char **ret, size_t *ret_len,
           rowlock_error *err)
{
    struct unpack *u = (struct unpack *)b;
    if (u->kind == UNKNOWN)
        RLK_TRY(tell_kind(u, err));
    if (u->kind == PLAIN)
        return read_plain(u, ret, ret_len, err);
    u->body.framed = true;
    return read_unpacked(u, ret, ret_len, err);
}

static void
close_unpack(struct rlk_body *b)
{
    struct unpack *u = (struct unpack *)b;
    rlk_body_close(u->inner);
    if (u->gzip_open)
        inflateEnd(&u->gzip);
    ZSTD_freeDStream(u->zstd);
    rlk_free(u);
}

static const struct rlk_body_ops unpack_ops = {read_piece, close_unpack};

/* ---- opening ---- */

static int
check_encoding(const char *encoding, const char *url, rowlock_error *err)
{
    static const char *const known[] = {"", "identity", "gzip", "x-gzip",
                                        "zstd"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcasecmp(encoding, known[i]) == 0)
            return 0;
    rlk_fail(err, ROWLOCK_UNSUPPORTED, "'%.120s' sent a body packed as '%.30s'",
             url, encoding);
    rlk_hint(err, "gzip and zstd can be unpacked.");
    return ROWLOCK_UNSUPPORTED;
}

int
rlk_unpack_open(struct rlk_body *inner, const struct rlk_body_options *o,
                struct rlk_body **ret, rowlock_error *err)
{
    int rc = check_encoding(inner->encoding, o->shown, err);
    struct unpack *u = rc ? NULL : rlk_calloc(1, sizeof *u);
    if (!u) {
        rlk_body_close(inner);
        return rc ? rc : rlk_out_of_memory(err);
    }
    u->body = *inner;
    u->body.ops = &unpack_ops;
    u->o = *o;
    u->inner = inner;
    u->encoded =
        inner->encoding[0] && strcasecmp(inner->encoding, "identity") != 0;
    *ret = &u->body;
    return 0;
}
