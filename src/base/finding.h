/* SPDX-License-Identifier: MIT
 * What an examination finds: a line of `rowlock doctor`. */
#ifndef RLK_BASE_FINDING_H
#define RLK_BASE_FINDING_H

#include <stdarg.h>

enum rlk_grade {
    RLK_GRADE_OK,
    RLK_GRADE_WARN, /* it works, but ... */
    RLK_GRADE_BAD   /* it is refused */
};

struct rlk_finding { /* texts are borrowed for the call; "" for none */
    enum rlk_grade grade;
    const char *what;
    const char *follows; /* a sentence */
    const char *todo;    /* what to type or to do, in lines */
};

typedef void rlk_tell(const struct rlk_finding *finding, void *arg);

/* Tells finding, with what from format and list. */
void rlk_finding_tell(struct rlk_finding finding, rlk_tell *tell, void *arg,
                      const char *format, va_list list)
    __attribute__((format(printf, 4, 0)));

#endif
