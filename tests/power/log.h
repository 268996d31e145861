/* SPDX-License-Identifier: MIT
 * What all processes did to a database's files, in the one order in which it
 * happened. The log lies in memory that later children share; one at a time.
 *
 * Whoever changes a file holds the log's mutex from before the change until it
 * is noted, so the order is the real one, and a flush covers exactly the
 * changes whose events stand before its LOG_FLUSH_BEGIN. A process may be
 * killed at any moment: the next that comes finds the mutex of a dead owner,
 * and reads from the file itself how far the last change came. */
#ifndef POWER_LOG_H
#define POWER_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum log_file { LOG_DB, LOG_WAL, LOG_FILES };

enum log_kind {
    LOG_WRITE,        /* n bytes from at on */
    LOG_TRUNCATE,     /* at: the new size */
    LOG_FLUSH_BEGIN,  /* nothing by itself */
    LOG_FLUSH_END,    /* at: the number of its LOG_FLUSH_BEGIN */
    LOG_FLUSH_FAILED, /* likewise: what it should have covered may be lost, also
                         when a later flush ends well */
    LOG_CREATE,       /* of the -wal */
    LOG_DELETE,       /* of the -wal */
    LOG_ACK,          /* at: a commit's number, n: who was told of it */
    LOG_REFUSED       /* an injected error; nothing happened to the file */
};

struct log_event {
    enum log_kind kind;
    enum log_file file;
    int inode;   /* of the -wal: 0 is the first file of that name, 1 the next */
    bool folder; /* LOG_FLUSH_END, LOG_DELETE: the folder is flushed with it */
    pid_t pid;
    uint64_t at, n;
    size_t bytes; /* where a write's bytes are: see log_bytes() */
};

/* A log of the database at path, which nobody has open and which has no -wal.
 * Its contents now are the base: taken for flushed. */
void log_open(const char *path);
/* No session of this process may be open: SQLite's locks would go with it. */
void log_close(void);

/* ---- noting ---- */

/* An event with nothing to do. Answers its number. */
size_t log_note(struct log_event e);
/* A change in three steps: log_enter(); log_intend(e); the change itself;
 * log_leave(). bytes: a write's. */
void log_enter(void);
void log_intend(struct log_event e, const void *bytes);
/* happened: as intended; else the file is asked what did. */
void log_leave(bool happened);
/* To be called between log_enter() and log_leave(). */
void log_created(void);
int log_newest_inode(void); /* of the -wal; -1: there was none yet */

/* ---- reading ---- */

const char *log_path(enum log_file file);
size_t log_count(void);
const struct log_event *log_at(size_t i);
const unsigned char *log_bytes(const struct log_event *e);
const unsigned char *log_base(size_t *ret_size);
/* How many events of this kind and file there are. */
int log_number(enum log_kind kind, enum log_file file);
/* How many commits were acknowledged to writer; 0: to all. */
int log_acks(int writer);
/* One line about event i, until the next call. */
const char *log_text(size_t i);

#endif
