/* SPDX-License-Identifier: MIT
 * What the table of keys cannot say of the section source. */
#include "sync/definition_read.h"

int
rlk_read_source(struct rlk_reading *r)
{
    struct rlk_definition *d = r->d;
    enum rlk_format format = (enum rlk_format)d->format;
    if (!format)
        format = rlk_format_of_name(d->url.text);
    d->tabular = format >= RLK_FORMAT_CSV;
    if (d->format && d->format != RLK_FORMAT_JSON && d->has_records)
        return rlk_yaml_fail(d->path, d->url.at, r->err,
                             "'records' is a pointer into JSON, but the format "
                             "is %s",
                             rlk_format_names[d->format]);
    return 0;
}
