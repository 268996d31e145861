/* SPDX-License-Identifier: MIT
 * A VFS around SQLite's own that notes in the log (log.h) what happens to the
 * database and its -wal, and that does harm when told to. */
#ifndef POWER_RECORD_VFS_H
#define POWER_RECORD_VFS_H

#include <stdbool.h>
#include <stdint.h>

#include "power/log.h"

enum record_error { RECORD_NO_ERROR, RECORD_FAIL_SYNC, RECORD_FAIL_WRITE };

/* Of this process and the children it makes later; zeroed: note, no harm. */
struct record_settings {
    uint64_t seed;
    /* A flush takes up to so many microseconds, so that others get on while
     * it lasts. */
    unsigned flush_us;

    /* Planted faults: flushes of these files never happen, and are said to
     * have. */
    bool swallow[LOG_FILES];
    /* And of the -wal's: */
    bool early; /* said to have ended when it has begun; ends before the next
                   change of the -wal by this process */
    bool no_folder; /* does not flush the folder that names the -wal */

    /* The error_at-th such call of this process on `file`, from 1, fails. */
    enum record_error error;
    enum log_file file;
    int error_at;

    /* This process kills itself at its die_at-th step, from 1: before, in the
     * midst of and after each change, in the midst of each flush; or
     * die_after_us from now, whatever it does; or in the midst of its n-th
     * flush of the -wal. 0: never. */
    int die_at;
    unsigned die_after_us;
    int die_in_flush;

    /* In the midst of each flush; may be NULL. */
    void (*in_flush)(enum log_file file);
};

/* For all databases that this process opens from now on. The log is open. */
void record_start(const struct record_settings *s);
/* From now on SQLite's own VFS is the default one again. */
void record_stop(void);
/* Its name for sqlite3_open_v2(), for those who want it beside ours. */
const char *record_real_vfs(void);
/* Commit number n of writer is acknowledged. */
void record_ack(int64_t n, int writer);

#endif
