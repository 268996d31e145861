/* SPDX-License-Identifier: MIT
 * Who keeps the WAL from being emptied: programs that have read for so long
 * that much was committed since they began. */
#ifndef RLK_DB_SQLITE_PINS_H
#define RLK_DB_SQLITE_PINS_H

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

enum { RLK_PINS = 8, RLK_PINS_BEHIND = 2000 };

struct rlk_pin {
    int64_t pid;
    char program[32]; /* "" when it cannot be told */
    uint32_t behind;  /* pages written since its read began */
};

struct rlk_pins { /* those that are RLK_PINS_BEHIND or more behind */
    int64_t wal_bytes;
    size_t n;
    struct rlk_pin pins[RLK_PINS]; /* the oldest first */
};

/* Looks at the -shm and -wal files of the database at path. For a process that
 * has no SQLite connection to it: SQLite's locks would go with the file that is
 * closed here. What cannot be read shows no pins. */
void rlk_pins_look(const char *path, struct rlk_pins *ret);
/* "pid 7 (python3) keeps the WAL from being emptied (64 MiB): it reads ..." */
void rlk_pins_say(struct rlk_buf *buf, const struct rlk_pins *pins, size_t i);
/* What the program calls itself; "" when it cannot be told. */
void rlk_program_name(int64_t pid, char ret[32]);

#endif
