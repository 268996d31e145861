/* SPDX-License-Identifier: MIT
 * Chooses what opens a source, and finds the module for HTTP: beside the object
 * this code is in, so that neither the environment nor the working directory
 * has a say. */
#include "body.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

#define MODULE "rowlock-http.so"

/* The folder of the program or library that holds this function. The program's
 * own name in the linker's list is empty. */
static bool
own_folder(char *ret, size_t size)
{
    Dl_info info;
    struct link_map *map = NULL;
    if (!dladdr1((void *)(uintptr_t)rlk_body_open, &info, (void **)&map,
                 RTLD_DL_LINKMAP) ||
        !map)
        return false;
    ssize_t n = map->l_name[0] ? snprintf(ret, size, "%s", map->l_name)
                               : readlink("/proc/self/exe", ret, size - 1);
    if (n <= 0 || (size_t)n >= size - 1)
        return false;
    ret[n] = 0;
    char *slash = strrchr(ret, '/');
    if (slash)
        *slash = 0;
    return slash != NULL;
}

/* Beside librowlock-data; in the build folder; where it was installed. */
static bool
find_module(char *ret, size_t size)
{
    static const char *const places[] = {"/rowlock/" MODULE,
                                         "/../source/" MODULE};
    char folder[4096];
    if (own_folder(folder, sizeof folder))
        for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
            int n = snprintf(ret, size, "%s%s", folder, places[i]);
            if (n > 0 && (size_t)n < size && access(ret, R_OK) == 0)
                return true;
        }
    return snprintf(ret, size, "%s", RLK_MODULE_FOLDER "/" MODULE) > 0 &&
           access(ret, R_OK) == 0;
}

static int
load_module(const struct rlk_http_module **ret, rowlock_error *err)
{
    char path[8192];
    if (!find_module(path, sizeof path)) {
        rlk_fail(err, ROWLOCK_UNSUPPORTED, "the module for HTTP is missing");
        rlk_hint(err, "Install " MODULE " in " RLK_MODULE_FOLDER
                      ", or give the path of a file.");
        return ROWLOCK_UNSUPPORTED;
    }
    /* Never closed: libcurl's global state lives as long as the program. */
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return rlk_fail(err, ROWLOCK_UNSUPPORTED,
                        "could not load the module for HTTP: %s", dlerror());
    const struct rlk_http_module *module = dlsym(handle, RLK_HTTP_MODULE);
    if (!module || strcmp(module->version, RLK_HTTP_VERSION) != 0)
        return rlk_fail(err, ROWLOCK_UNSUPPORTED,
                        "'%.150s' belongs to another version of rowlock", path);
    module->allocate_by(rlk_allocator);
    *ret = module;
    return 0;
}

static int
open_http(const struct rlk_body_options *o, struct rlk_body **ret,
          rowlock_error *err)
{
    const struct rlk_http_module *module;
    RLK_TRY(load_module(&module, err));
    return module->open(o, ret, err);
}

int
rlk_body_resolve(const char *base, const char *to, char **ret,
                 rowlock_error *err)
{
    const struct rlk_http_module *module;
    RLK_TRY(load_module(&module, err));
    return module->resolve(base, to, ret, err);
}

int
rlk_body_open(const struct rlk_body_options *o, struct rlk_body **ret,
              rowlock_error *err)
{
    if (rlk_url_is_http(o->url))
        return open_http(o, ret, err);
    if (strstr(o->url, "://"))
        return rlk_fail(err, ROWLOCK_UNSUPPORTED,
                        "only http://, https:// and paths can be read, not "
                        "'%.80s'",
                        o->shown);
    return rlk_file_open(o, ret, err);
}

void
rlk_body_close(struct rlk_body *b)
{
    if (b)
        b->ops->close(b);
}
