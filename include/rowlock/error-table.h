/* SPDX-License-Identifier: MIT
 * The one table of errors. Each row: code, SQLSTATE, short text, default hint,
 * and what it means for the reference page. From it come enum rowlock_code,
 * rowlock_code_name(), rowlock_code_text() and docs/errors.md. SQLSTATEs are
 * PostgreSQL's (appendix A of its manual); HY000 is the SQL/CLI standard's
 * general error. */
#ifndef ROWLOCK_ERROR_TABLE_H
#define ROWLOCK_ERROR_TABLE_H

/* clang-format off */
#define ROWLOCK_ERROR_TABLE(X) \
    X(OK, "00000", "no error", "", \
      "The call did what it says.") \
    X(MISUSE, "HY000", "wrong use of the library", "", \
      "A call that the contract forbids: a null argument, a lock outside a block, a block that is not the innermost. " \
      "The only failure that leaves its block usable.") \
    X(NOT_AVAILABLE, "55P03", "lock not available", "Try again later, or wait longer.", \
      "NOWAIT met a holder, or the wait reached its timeout. The detail names the holder. 55006: it is no record, " \
      "but the turn to write that did not come.") \
    X(DEADLOCK, "40P01", "deadlock detected", "rowlock_atomic() runs the block again by itself.", \
      "This request closed a cycle of waiters. The detail shows the cycle.") \
    X(SERIALIZATION, "40001", "could not serialize access", "rowlock_atomic() runs the block again by itself.", \
      "The record was changed by a program that takes no record locks, or a replay met another outcome.") \
    X(UNIQUE, "23505", "unique violation", "", \
      "Another record has this value in a unique column.") \
    X(CONSTRAINT, "23000", "constraint violation", "", \
      "NOT NULL or a primary key (23502), FOREIGN KEY (23503) or CHECK (23514) refused the write.") \
    X(ABORTED, "25P02", "block is aborted", "End this block; its changes and locks are already given back.", \
      "An earlier call in this block failed. Nothing more runs in it.") \
    X(CANCELLED, "57014", "cancelled on request", "", \
      "rowlock_cancel() was called, or the program got a signal. The session stays usable.") \
    X(UNSUPPORTED, "0A000", "not supported here", "", \
      "The engine, the table or the file system cannot honour the call, so it is refused.") \
    X(UNDEFINED, "42P01", "no such table or column", "", \
      "A table (42P01) or column (42703) that the catalogue does not know.") \
    X(BAD_VALUE, "22000", "bad value", "", \
      "The column's type cannot hold the value exactly (22P02, 22003, 22001, 22021 ...).") \
    X(CONNECTION, "08006", "connection lost", "", \
      "The database or the lock table went away under the session. Open a new one.") \
    X(IO, "58030", "input/output error", "", \
      "The operating system refused a read, a write or a flush, or a file is damaged.") \
    X(NO_MEMORY, "53200", "out of memory", "", \
      "Memory, or the room of the lock table, is used up. Nothing was changed.")
/* clang-format on */

#endif
