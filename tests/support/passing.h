/* SPDX-License-Identifier: MIT
 * A file of a VFS of our own that hands every call to SQLite's file behind it:
 * what a test watches it replaces in a copy of the methods. */
#ifndef SUPPORT_PASSING_H
#define SUPPORT_PASSING_H

#include <sqlite3.h>

struct passing {
    sqlite3_file base;  /* pMethods: passing_methods, or a copy of them */
    sqlite3_file *real; /* room for it is behind the file that begins so */
};

extern const sqlite3_io_methods passing_methods;

static inline sqlite3_file *
passing_real(sqlite3_file *f)
{
    return ((struct passing *)f)->real;
}

#endif
