# SPDX-License-Identifier: MIT
"""Record locks for SQLite between processes, for programs that bring their own SQLite.

    import sqlite3, rowlock

    db = sqlite3.connect("shop.db", isolation_level=None)
    with rowlock.open("shop.db") as locks, locks.lock("product", 7):
        [stock] = db.execute("SELECT stock FROM product WHERE id = 7").fetchone()
        with locks.lock_writer():
            db.execute("UPDATE product SET stock = ? WHERE id = 7", [stock - 1])

A lock is a convention: it excludes those who take it too, in Python, in C or by the program
`rowlock`, and not who writes without. The database itself is never opened here.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from rowlock._bridge import ffi as _ffi
from rowlock._bridge import lib as _lib
from rowlock._names import Key, Kind, Value
from rowlock._session import (
    Counters, Cycle, Lock, LockInfo, Mode, Session, Wait, WaitNotice,
)
from rowlock.errors import (
    Cancelled, ConnectionLost, DeadlockDetected, Error, IoError, LockNotAvailable, LockTimeout,
    Misuse, NoLockTable, OutOfMemory, Unsupported,
)

__all__ = [
    "Cancelled", "ConnectionLost", "Counters", "Cycle", "DeadlockDetected", "Error", "IoError",
    "Key", "Kind", "Lock", "LockInfo", "LockNotAvailable", "LockTimeout", "Misuse", "Mode",
    "NoLockTable", "OutOfMemory", "Session", "Unsupported", "Value", "Wait", "WaitNotice", "open",
]
__version__: str = _ffi.string(_lib.bridge_version()).decode()


def open(path: str | os.PathLike[str], *, label: str | None = None, existing_only: bool = False,
         notice_after: float = 1.0,
         on_wait: Callable[[WaitNotice], object] | None = None) -> Session:
    """Open the lock table of the database at path, and become an owner of locks in it.

    The table is a file beside the database, path + "-rowlock", made when it is not there; the
    database itself need not exist yet, its folder must.

    label: shown to others as the owner's name, 31 bytes at most; None: the program's name
    existing_only: answer NoLockTable rather than make the table
    on_wait: called once in each wait, after notice_after seconds, in the waiting thread; it must
        not use the session. What it raises ends the wait, and is raised by the waiting call.

    Waits only while one who needs to be alone (`rowlock doctor --repair`) has the table. Errors:
    IoError (cannot open, damaged), Unsupported (network file system, another version in use),
    OutOfMemory, LockNotAvailable (a process is stopped inside the table).
    """
    return Session(path, label=label, existing_only=existing_only, notice_after=notice_after,
                   on_wait=on_wait)
