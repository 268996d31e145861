/* SPDX-License-Identifier: MIT
 * A definition: understood, or refused with a message that says where. */
#include <string.h>

#include "fuzz.h"
#include "sync/definition.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rlk_definition *d = NULL;
    rowlock_error err = {0};
    int rc = rlk_definition_parse("d.yaml", (const char *)data, size, &d, &err);
    must(rc == 0 ? d != NULL : err.message[0] != 0);
    if (!rc) {
        must(d->n_fields && d->n_match && d->table.text && d->name.text);
        rlk_definition_free(d);
    }
    return 0;
}
