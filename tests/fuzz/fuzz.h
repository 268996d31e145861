/* SPDX-License-Identifier: MIT
 * A harness is one function over bytes that nobody vouches for. libFuzzer calls
 * it with bytes that it makes up (make fuzz), replay.c with the files of its
 * corpus (make test). It must return whatever the bytes are; what must hold is
 * checked with must(), which ends the program. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(what)                                                             \
    do {                                                                       \
        if (!(what)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
            abort();                                                           \
        }                                                                      \
    } while (0)

#endif
