/* SPDX-License-Identifier: MIT
 * A checker of list-append histories, for this small case: each transaction
 * reads lists and appends unique values to them, and at the end one reads every
 * list. The order of a list's elements is the order of its versions, so the
 * dependencies of all transactions are known, and no search is needed
 * (Kingsbury and Alvaro, "Elle: Inferring Isolation Anomalies from Experimental
 * Observations", VLDB 2020; names of anomalies as in Adya's thesis, 1999). */
#ifndef HISTORY_CHECKER_H
#define HISTORY_CHECKER_H

#include <stddef.h>
#include <stdint.h>

enum { HISTORY_OPS = 6, HISTORY_LIST = 128 };

/* One record: what was seen of it, then what was appended to what was seen. */
struct history_op {
    int key; /* from 0 */
    int n_seen;
    int32_t append; /* 0: nothing */
    int32_t seen[HISTORY_LIST];
};

enum history_outcome {
    HISTORY_UNKNOWN, /* died, or was not told; may have happened */
    HISTORY_COMMITTED,
    HISTORY_ABORTED
};

struct history_txn {
    int64_t invoked_ns, completed_ns; /* completed: not of an unknown one */
    enum history_outcome outcome;
    int n_ops;
    struct history_op ops[HISTORY_OPS];
};

enum history_level {
    HISTORY_READ_COMMITTED,
    HISTORY_STRICT_SERIALIZABLE /* in the order of real time, too */
};

enum history_anomaly {
    HISTORY_CLEAN,
    HISTORY_BAD_INPUT, /* not a history: a value twice, no room */
    HISTORY_INVENTED,  /* a value that nobody appended there */
    HISTORY_DOUBLED,   /* a value twice in one list */
    HISTORY_FORKED,    /* two reads of one list that no order explains */
    HISTORY_LOST,      /* committed, and not there at the end */
    HISTORY_G1A,       /* aborted read */
    HISTORY_G1B,       /* intermediate read */
    HISTORY_OWN,       /* does not see its own append */
    HISTORY_G0,        /* a cycle of writes */
    HISTORY_G1C,       /* a cycle of writes and reads of them */
    HISTORY_G2,        /* a cycle with reads that were overwritten */
    HISTORY_TIME       /* the same, by the order of real time */
};

/* Does the history keep its promise? detail: of an anomaly, for people. */
enum history_anomaly history_check(const struct history_txn *txns, size_t n,
                                   int n_keys, enum history_level level,
                                   char *ret_detail, size_t size);
const char *history_anomaly_name(enum history_anomaly a);

#endif
