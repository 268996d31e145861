/* SPDX-License-Identifier: MIT
 * Runs a harness over each file of a folder, and over each beginning of it. */
#include <dirent.h>
#include <string.h>

#include "fuzz.h"

enum { LARGEST = 1 << 16 };

/* Exactly as long as what is read, so that a sanitizer sees a step past it. */
static void
run(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    must(copy);
    memcpy(copy, bytes, len);
    LLVMFuzzerTestOneInput(copy, len);
    free(copy);
}

static void
run_file(const char *folder, const char *name)
{
    static uint8_t bytes[LARGEST];
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    must(file);
    size_t len = fread(bytes, 1, sizeof bytes, file);
    must(fclose(file) == 0 && len < sizeof bytes);
    for (size_t n = 0; n < len; n += 1 + len / 256)
        run(bytes, n);
    run(bytes, len);
}

int
main(int argc, char **argv)
{
    int n = 0;
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    must(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.')
            continue;
        run_file(argv[1], entry->d_name);
        n++;
    }
    closedir(folder);
    must(n >= 3); /* a corpus that is not found is no success */
    printf("%d files\n", n);
    return 0;
}
