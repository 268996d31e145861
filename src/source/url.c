/* SPDX-License-Identifier: MIT
 * What files and the module for HTTP share; linked into both. */
#include <strings.h>
#include <time.h>

#include "body.h"

bool
rlk_url_is_http(const char *url)
{
    return strncasecmp(url, "http://", 7) == 0 ||
           strncasecmp(url, "https://", 8) == 0;
}

int64_t
rlk_body_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

uint64_t
rlk_mix(uint64_t hash, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
    return (hash ^ len) * UINT64_C(0x100000001b3);
}

int
rlk_body_check_size(uint64_t bytes, uint64_t limit, const char *url,
                    rowlock_error *err)
{
    if (bytes <= limit)
        return 0;
    rlk_fail(err, ROWLOCK_BAD_VALUE, "'%.120s' is larger than %llu bytes", url,
             (unsigned long long)limit);
    rlk_hint(err, "A source is read up to limits.body only.");
    return ROWLOCK_BAD_VALUE;
}
