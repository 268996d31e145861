# SPDX-License-Identifier: MIT
"""Write the C source of the module rowlock._bridge: what Python sees of
bridge.h and of the public headers.

    build_bridge.py BRIDGE_H OUTPUT
"""

import sys
from pathlib import Path

from cffi import FFI

# Of the public headers, what Python looks into. cffi has the C compiler check
# each of these against the headers.
PUBLIC = """
enum rowlock_code {
    ROWLOCK_OK, ROWLOCK_MISUSE, ROWLOCK_NOT_AVAILABLE, ROWLOCK_DEADLOCK,
    ROWLOCK_CANCELLED, ROWLOCK_UNSUPPORTED, ROWLOCK_UNDEFINED,
    ROWLOCK_CONNECTION, ROWLOCK_IO, ROWLOCK_NO_MEMORY, ...
};
typedef struct rowlock_error {
    enum rowlock_code code;
    int sys_errno;
    char sqlstate[6];
    char message[...], detail[...], hint[...], context[...];
    ...;
} rowlock_error;
const char *rowlock_code_name(enum rowlock_code code);

enum rowlock_type { ROWLOCK_NULL, ROWLOCK_INT, ROWLOCK_DOUBLE, ROWLOCK_TEXT, ROWLOCK_BLOB };
typedef struct rowlock_value {
    enum rowlock_type type;
    union {
        int64_t i;
        double d;
        struct {
            const char *ptr;
            size_t len;
        } s;
    } u;
} rowlock_value;

enum rowlock_mode {
    ROWLOCK_READ, ROWLOCK_KEY_SHARE, ROWLOCK_SHARE, ROWLOCK_NO_KEY_UPDATE, ROWLOCK_UPDATE
};
enum rowlock_kind { ROWLOCK_RECORD, ROWLOCK_KEY, ROWLOCK_TABLE, ROWLOCK_WRITER };
#define ROWLOCK_WAIT ...
#define ROWLOCK_NOWAIT ...
#define ROWLOCK_SKIP_LOCKED ...
#define ROWLOCK_CYCLES ...
typedef struct rowlock_locks rowlock_locks;
typedef struct rowlock_name {
    enum rowlock_kind kind;
    const char *table;
    const char *column;
    const rowlock_value *values;
    size_t n_values;
} rowlock_name;
typedef struct rowlock_wait_notice {
    enum rowlock_kind kind;
    const char *table, *key;
    uint32_t owner;
    int64_t pid;
    const char *owner_label;
    int64_t held_ms, waited_ms;
    ...;
} rowlock_wait_notice;
typedef struct rowlock_lock_info {
    enum rowlock_kind kind;
    enum rowlock_mode mode;
    int waiting;
    uint32_t owner;
    int64_t pid;
    int64_t age_ms;
    char label[...], table[...], key[...];
    uint32_t n_blocked_by;
    uint32_t *blocked_by;
    ...;
} rowlock_lock_info;
void rowlock_locks_list_free(rowlock_lock_info *list);
typedef struct rowlock_lock_counters {
    size_t size;
    uint64_t grants, waits, in_vain, deadlocks, bypasses, replays, reaps, rebuilds;
    uint64_t waited_ms, longest_ms;
    int64_t since_s;
    uint64_t flushes;
    ...;
} rowlock_lock_counters;
typedef struct rowlock_lock_cycle {
    int64_t at_s, victim;
    char text[...];
    ...;
} rowlock_lock_cycle;

extern "Python" int python_ask(void *handle);
extern "Python" int python_tell(const rowlock_wait_notice *notice, void *handle);
"""


def main(header, output):
    text = Path(header).read_text(encoding="utf-8")
    own = "".join(line for line in text.splitlines(True) if not line.startswith("#"))
    ffi = FFI()
    ffi.cdef(PUBLIC + own)
    ffi.set_source("rowlock._bridge", '#include "bridge.h"')
    ffi.emit_c_code(output)


if __name__ == "__main__":
    main(*sys.argv[1:])
