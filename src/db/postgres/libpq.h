/* SPDX-License-Identifier: MIT
 * PostgreSQL's client library, loaded when the first server is opened: a
 * program that only uses SQLite neither needs nor maps it. */
#ifndef RLK_DB_POSTGRES_LIBPQ_H
#define RLK_DB_POSTGRES_LIBPQ_H

#include <libpq-fe.h>

#include "base/error.h"

/* Every function that the driver calls, once. */
#define RLK_LIBPQ(X)       \
    X(PQbackendPID)        \
    X(PQcancel)            \
    X(PQclear)             \
    X(PQcmdStatus)         \
    X(PQcmdTuples)         \
    X(PQconninfoFree)      \
    X(PQconninfoParse)     \
    X(PQconnectdbParams)   \
    X(PQconsumeInput)      \
    X(PQdb)                \
    X(PQenterPipelineMode) \
    X(PQerrorMessage)      \
    X(PQexec)              \
    X(PQexitPipelineMode)  \
    X(PQfinish)            \
    X(PQflush)             \
    X(PQfreeCancel)        \
    X(PQfreemem)           \
    X(PQgetCancel)         \
    X(PQgetResult)         \
    X(PQgetisnull)         \
    X(PQgetlength)         \
    X(PQgetvalue)          \
    X(PQlibVersion)        \
    X(PQhost)              \
    X(PQisBusy)            \
    X(PQnfields)           \
    X(PQfname)             \
    X(PQftype)             \
    X(PQntuples)           \
    X(PQpipelineSync)      \
    X(PQport)              \
    X(PQresultErrorField)  \
    X(PQresultStatus)      \
    X(PQsendPrepare)       \
    X(PQsendQuery)         \
    X(PQsendQueryParams)   \
    X(PQsendQueryPrepared) \
    X(PQserverVersion)     \
    X(PQsetNoticeReceiver) \
    X(PQsetSingleRowMode)  \
    X(PQsetnonblocking)    \
    X(PQsocket)            \
    X(PQsslAttribute)      \
    X(PQsslInUse)          \
    X(PQstatus)            \
    X(PQtransactionStatus)

struct rlk_libpq {
#define RLK_LIBPQ_FIELD(name) __typeof__(&name) name;
    RLK_LIBPQ(RLK_LIBPQ_FIELD)
#undef RLK_LIBPQ_FIELD
};

/* Loads it once a process; 0A000 with what to install. */
int rlk_libpq_load(const struct rlk_libpq **ret, rowlock_error *err);

#endif
