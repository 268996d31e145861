/* SPDX-License-Identifier: MIT */
#include "base/finding.h"

#include <stdio.h>

void
rlk_finding_tell(struct rlk_finding finding, rlk_tell *tell, void *arg,
                 const char *format, va_list list)
{
    char what[2048]; /* longer ones are cut */
    vsnprintf(what, sizeof what, format, list);
    finding.what = what;
    tell(&finding, arg);
}
