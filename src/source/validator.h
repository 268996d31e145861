/* SPDX-License-Identifier: MIT
 * What a server says of a body so that it can be asked later whether that has
 * changed (RFC 9110, 8.8), and the one text that it is kept as between runs. */
#ifndef RLK_SOURCE_VALIDATOR_H
#define RLK_SOURCE_VALIDATOR_H

#include "source.h"

struct rlk_validators { /* "": none, or none that may be sent back */
    char etag[256];
    char modified[64];
    char date[64];   /* of the answer */
    bool etag_twice; /* then neither is one */
};

/* The values of these headers. */
void rlk_validators_etag(struct rlk_validators *v, const char *value,
                         size_t len);
void rlk_validators_modified(struct rlk_validators *v, const char *value,
                             size_t len);
void rlk_validators_date(struct rlk_validators *v, const char *value,
                         size_t len);

/* asked: the url that was asked for; answered: where redirects have led. ret
 * gets "" when there is nothing to keep. */
void rlk_validators_keep(const struct rlk_validators *v, const char *asked,
                         const char *answered, char ret[RLK_VALIDATOR_SIZE]);
/* The opposite. false: kept is no such text, or of another place. */
bool rlk_validators_recall(const char *kept, const char *asked,
                           const char *answered, struct rlk_validators *ret);

#endif
