/* SPDX-License-Identifier: MIT
 * Settings of the whole process. See program.h. */
#include "db/sqlite/program.h"

#include <sqlite3.h>

void
rlk_sqlite_set_up_program(void)
{
    /* Too late, or not to be had, it is slower and no worse. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}
