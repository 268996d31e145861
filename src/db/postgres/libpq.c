/* SPDX-License-Identifier: MIT
 * Loading libpq. It stays loaded: unloading a library that has threads' or
 * OpenSSL's state behind it is not worth what it frees. */
#include "libpq.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/* The name with which every system's libpq of the last twenty years loads. */
#define LIBRARY "libpq.so.5"

static const struct {
    const char *name;
    size_t at;
} functions[] = {
#define RLK_LIBPQ_ROW(name) {#name, offsetof(struct rlk_libpq, name)},
    RLK_LIBPQ(RLK_LIBPQ_ROW)
#undef RLK_LIBPQ_ROW
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct rlk_libpq libpq;
static bool loaded;

static int
load(rowlock_error *err)
{
    void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        rlk_fail(err, ROWLOCK_UNSUPPORTED,
                 "PostgreSQL's client library could not be loaded: %s",
                 dlerror());
        rlk_hint(err, "Install it; Debian's package is libpq5.");
        return ROWLOCK_UNSUPPORTED;
    }
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        void *found = dlsym(handle, functions[i].name);
        if (!found) {
            rlk_fail(err, ROWLOCK_UNSUPPORTED,
                     "PostgreSQL's client library is too old: it has no %s",
                     functions[i].name);
            rlk_hint(err, "Version 14 or later is needed.");
            dlclose(handle);
            return ROWLOCK_UNSUPPORTED;
        }
        *(void **)((char *)&libpq + functions[i].at) = found;
    }
    loaded = true;
    return 0;
}

int
rlk_libpq_load(const struct rlk_libpq **ret, rowlock_error *err)
{
    pthread_mutex_lock(&mutex);
    int rc = loaded ? 0 : load(err);
    pthread_mutex_unlock(&mutex);
    *ret = &libpq;
    return rc;
}
