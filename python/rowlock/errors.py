# SPDX-License-Identifier: MIT
"""What can go wrong, with PostgreSQL's SQLSTATEs; docs/errors.md of the project
explains each code."""

from __future__ import annotations

__all__ = [
    "Cancelled", "ConnectionLost", "DeadlockDetected", "Error", "IoError", "LockNotAvailable",
    "LockTimeout", "Misuse", "NoLockTable", "OutOfMemory", "Unsupported",
]


class Error(Exception):
    """All errors of Rowlock. `str()` is the message, then detail and hint, a line each.

    code: the error's name in the C library, such as "DEADLOCK"
    sqlstate: five characters, such as "40P01"
    message: short, lower case, without a full stop
    detail, hint: sentences, or ""
    """

    code: str
    sqlstate: str
    message: str
    detail: str
    hint: str

    def __init__(self, message: str, *, code: str = "", sqlstate: str = "",
                 detail: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.sqlstate = sqlstate
        self.detail = detail
        self.hint = hint

    def __str__(self) -> str:
        lines = [self.message]
        if self.detail:
            lines.append(f"DETAIL: {self.detail}")
        if self.hint:
            lines.append(f"HINT: {self.hint}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (type(self), self.message, self.code, self.sqlstate, self.detail,
                        self.hint)


def _again(kind: type[Error], message: str, code: str, sqlstate: str, detail: str,
           hint: str) -> Error:
    return kind(message, code=code, sqlstate=sqlstate, detail=detail, hint=hint)


class LockNotAvailable(Error):
    """55P03: another holds it, and the call was not to wait. The detail names the holder."""


class LockTimeout(LockNotAvailable):
    """55P03: another held it for as long as the call was to wait."""


class DeadlockDetected(Error):
    """40P01: to wait would close a circle of waiters. The detail, and so `str()`, shows it.
    Give back what this session holds, and begin again."""


class Cancelled(Error):
    """57014: `Session.cancel()` was called. The session stays usable."""


class ConnectionLost(Error):
    """08006: the lock table's file was replaced, or this process was taken for dead. Its locks
    are gone: undo what is not committed, and open a new session."""


class OutOfMemory(Error):
    """53200: memory, or the room of the lock table, is used up. Nothing was changed."""


class Unsupported(Error):
    """0A000: not on this file system, or beside programs with another version of Rowlock."""


class NoLockTable(Error):
    """42P01: the database has no lock table, and `existing_only` forbids to make one."""


class IoError(Error):
    """58030: the operating system refused to read, write or flush, or a file is damaged."""


class Misuse(Error):
    """HY000: a mistake of the program: a session that is closed, in use by another thread, or
    of the process that forked this one."""
