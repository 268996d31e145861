/* SPDX-License-Identifier: MIT
 * The rules of validator.h. The text is "PLACE ETAG MODIFIED", "-" where there
 * is none. PLACE is a hash of the url that was asked for and of the one that
 * answered: two bodies in different places may have equal validators, so those
 * of one are no answer about the other. */
#include "validator.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <curl/curl.h>

#include "body.h"

enum { PLACE_DIGITS = 16 };

static bool
is_printable(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] < 0x20 || text[i] > 0x7E)
            return false;
    return true;
}

static void
keep(char *to, size_t size, const char *value, size_t len)
{
    if (len >= size || !is_printable(value, len))
        len = 0;
    memcpy(to, value, len);
    to[len] = 0;
}

/* "...", or W/"..."; without its quotes a server could have us ask for "*",
 * which is never changed. */
static bool
is_etag(const char *value, size_t len)
{
    size_t weak = len > 2 && memcmp(value, "W/", 2) == 0 ? 2 : 0;
    return len >= weak + 2 && value[weak] == '"' &&
           memchr(value + weak + 1, '"', len - weak - 1) == value + len - 1 &&
           !memchr(value, ' ', len);
}

void
rlk_validators_etag(struct rlk_validators *v, const char *value, size_t len)
{
    bool usable = !v->etag_twice && !v->etag[0] && is_etag(value, len);
    v->etag_twice |= v->etag[0] != 0;
    keep(v->etag, sizeof v->etag, value, usable ? len : 0);
}

void
rlk_validators_modified(struct rlk_validators *v, const char *value, size_t len)
{
    keep(v->modified, sizeof v->modified, value, len);
}

void
rlk_validators_date(struct rlk_validators *v, const char *value, size_t len)
{
    keep(v->date, sizeof v->date, value, len);
}

/* A body may change twice within the second that Last-Modified names: it is
 * sure only once that second had gone by when the server answered. */
static bool
is_modified_sure(const struct rlk_validators *v)
{
    time_t modified = curl_getdate(v->modified, NULL);
    time_t date = curl_getdate(v->date, NULL);
    return modified != -1 && date != -1 && modified < date;
}

static void
place_of(const char *asked, const char *answered, char ret[PLACE_DIGITS + 1])
{
    /* What a redirect adds to the query may be new each time: a signature. */
    size_t len = strcspn(answered, "?#");
    uint64_t hash = rlk_mix(RLK_MIX_START, asked, strcspn(asked, "#"));
    hash = rlk_mix(hash, answered, len);
    snprintf(ret, PLACE_DIGITS + 1, "%016" PRIx64, hash);
}

void
rlk_validators_keep(const struct rlk_validators *v, const char *asked,
                    const char *answered, char ret[RLK_VALIDATOR_SIZE])
{
    char place[PLACE_DIGITS + 1];
    bool modified = is_modified_sure(v);
    ret[0] = 0;
    if (!v->etag[0] && !modified)
        return;
    place_of(asked, answered, place);
    snprintf(ret, RLK_VALIDATOR_SIZE, "%s %s %s", place,
             v->etag[0] ? v->etag : "-", modified ? v->modified : "-");
}

bool
rlk_validators_recall(const char *kept, const char *asked, const char *answered,
                      struct rlk_validators *ret)
{
    char place[PLACE_DIGITS + 1];
    size_t len = strnlen(kept, RLK_VALIDATOR_SIZE);
    place_of(asked, answered, place);
    memset(ret, 0, sizeof *ret);
    if (len == RLK_VALIDATOR_SIZE || !is_printable(kept, len) ||
        strncmp(kept, place, PLACE_DIGITS) != 0 || kept[PLACE_DIGITS] != ' ')
        return false;
    const char *etag = kept + PLACE_DIGITS + 1, *end = strchr(etag, ' ');
    if (!end)
        return false;
    if (is_etag(etag, (size_t)(end - etag)))
        keep(ret->etag, sizeof ret->etag, etag, (size_t)(end - etag));
    if (curl_getdate(end + 1, NULL) != -1)
        keep(ret->modified, sizeof ret->modified, end + 1, strlen(end + 1));
    return ret->etag[0] || ret->modified[0];
}
