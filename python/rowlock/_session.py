# SPDX-License-Identifier: MIT
"""A session: an owner of locks in the lock table of one database."""

from __future__ import annotations

import enum
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Union

from rowlock import _names, errors
from rowlock._bridge import ffi, lib
from rowlock._names import Key, Kind, Name, Value

Wait = Union[bool, float, Literal["skip"]]
LONGEST_MS = (1 << 31) - 1
FOR_EVER: int = lib.ROWLOCK_WAIT
NOT_AT_ALL: int = lib.ROWLOCK_NOWAIT
SKIP: int = lib.ROWLOCK_SKIP_LOCKED


class Mode(enum.IntEnum):
    """PostgreSQL's four row lock modes, the weakest first. KEY_SHARE conflicts with UPDATE;
    SHARE with NO_KEY_UPDATE too; NO_KEY_UPDATE with all but KEY_SHARE; UPDATE with all. READ is
    what a session holds that holds nothing."""

    READ = lib.ROWLOCK_READ
    KEY_SHARE = lib.ROWLOCK_KEY_SHARE
    SHARE = lib.ROWLOCK_SHARE
    NO_KEY_UPDATE = lib.ROWLOCK_NO_KEY_UPDATE
    UPDATE = lib.ROWLOCK_UPDATE


@dataclass(frozen=True)
class WaitNotice:
    """For whom a call waits. Texts are shortened for display."""

    kind: Kind
    table: str
    key: str
    owner: int  #: the holder's slot in the lock table
    pid: int  #: the holder's process; 0: not known
    label: str  #: what the holder called itself
    held: float  #: for how long the holder has had it, in seconds
    waited: float  #: for how long this call waits already, in seconds


@dataclass(frozen=True)
class LockInfo:
    """One lock that somebody holds or waits for. Texts are shortened for display."""

    kind: Kind
    mode: Mode  #: held, or wanted when waiting
    waiting: bool
    owner: int
    pid: int
    age: float  #: since it was granted, or since it waits, in seconds
    label: str
    table: str
    key: str
    blocked_by: tuple[int, ...]  #: owners that it waits for


@dataclass(frozen=True)
class Counters:
    """How often and how long, in all sessions of all processes, since `since`."""

    grants: int
    waits: int
    in_vain: int  #: waits that ended without the lock
    deadlocks: int
    bypasses: int  #: grants past a waiter in their way
    replays: int
    reaps: int  #: owners that died without closing
    rebuilds: int
    waited: float  #: all waits together, in seconds
    longest: float  #: the longest wait, in seconds
    since: int  #: seconds of Unix time
    flushes: int


@dataclass(frozen=True)
class Cycle:
    """A deadlock that was resolved."""

    at: int  #: seconds of Unix time
    victim: int  #: the process that got DeadlockDetected
    text: str  #: who waited for what held by whom


# ---- errors ----

_CLASSES: dict[int, type[errors.Error]] = {
    lib.ROWLOCK_MISUSE: errors.Misuse,
    lib.ROWLOCK_NOT_AVAILABLE: errors.LockNotAvailable,
    lib.ROWLOCK_DEADLOCK: errors.DeadlockDetected,
    lib.ROWLOCK_CANCELLED: errors.Cancelled,
    lib.ROWLOCK_UNSUPPORTED: errors.Unsupported,
    lib.ROWLOCK_UNDEFINED: errors.NoLockTable,
    lib.ROWLOCK_CONNECTION: errors.ConnectionLost,
    lib.ROWLOCK_IO: errors.IoError,
    lib.ROWLOCK_NO_MEMORY: errors.OutOfMemory,
}


def _text(c: Any) -> str:
    return str(ffi.string(c), errors="replace")


def _failure(code: int, err: Any, kind: type[errors.Error] | None = None) -> errors.Error:
    kind = kind or _CLASSES.get(code, errors.Error)
    hint = _text(err.hint) if code != lib.ROWLOCK_DEADLOCK else ""  # it speaks of a call in C
    return kind(_text(err.message), code=_text(lib.rowlock_code_name(code)),
                sqlstate=_text(err.sqlstate), detail=_text(err.detail), hint=hint)


def _call(function: Any, *arguments: Any) -> None:
    err = ffi.new("rowlock_error *")
    code = function(*arguments, err)
    if code:
        raise _failure(code, err)


# ---- what C asks ----


class _Ears:
    """Who hears what C asks during a wait, and keeps what was raised meanwhile."""

    __slots__ = ("on_wait", "raised", "__weakref__")

    def __init__(self, on_wait: Callable[[WaitNotice], object] | None) -> None:
        self.on_wait = on_wait
        self.raised: BaseException | None = None


def _keep(kind: Any, error: BaseException, trace: TracebackType) -> None:
    """What a callback raised ends the wait: take() raises it again."""
    ffi.from_handle(trace.tb_frame.f_locals["handle"]).raised = error


@ffi.def_extern(error=1, onerror=_keep)  # type: ignore[untyped-decorator]
def python_ask(handle: Any) -> int:
    """Python runs its signal handlers as this is entered and looped, not for C's sake: what
    they raise goes to _keep()."""
    for _ in range(2):
        pass
    return 0


@ffi.def_extern(error=1, onerror=_keep)  # type: ignore[untyped-decorator]
def python_tell(notice: Any, handle: Any) -> int:
    on_wait = ffi.from_handle(handle).on_wait
    on_wait(WaitNotice(
        kind=Kind(notice.kind), table=_text(notice.table), key=_text(notice.key),
        owner=notice.owner, pid=notice.pid, label=_text(notice.owner_label),
        held=notice.held_ms / 1000, waited=notice.waited_ms / 1000))
    return 0


def _wait_ms(wait: Wait) -> int:
    if wait is True:
        return FOR_EVER
    if wait is False:
        return NOT_AT_ALL
    if wait == "skip":
        return SKIP
    if not isinstance(wait, (int, float)):
        raise TypeError('wait is True, False, "skip", or a number of seconds')
    if not wait >= 0:
        raise ValueError("wait must not be negative")
    if wait == 0:
        return NOT_AT_ALL
    return FOR_EVER if wait == math.inf else min(math.ceil(wait * 1000), LONGEST_MS)


# ---- sessions ----


class Lock:
    """What taking a lock answers. True, unless `wait="skip"` found it held by another.

    As a context manager, or by release(), it gives back what its call took: the lock, and the
    KEY SHARE on a record's table, which it keeps as long as it must for what was taken later.
    A lock that the session held before stays, in the mode it had before; but one that was
    strengthened stays so while something taken later stays. Nothing else is given back.
    """

    __slots__ = ("_session", "_name", "_taken", "_era")

    def __init__(self, session: Session, name: Name, taken: Any) -> None:
        self._session: Session | None = session if taken is not None else None
        self._name = name
        self._taken = taken
        self._era = session._era

    def release(self) -> None:
        """Give it back. The second time, on a closed session and in a forked child it does
        nothing. Never waits. Errors: Misuse (the session is in use by another thread)."""
        session = self._session
        if session is not None:
            _call(lib.bridge_give_back, session._c, self._name.c, self._taken,
                  self._era == session._era)
            self._session = None

    def __bool__(self) -> bool:
        return self._taken is not None

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class Session:
    """An owner of locks in a database's lock table; made by rowlock.open().

    Locks belong to the session, which never conflicts with itself: threads that are to exclude
    each other need a session each. One thread at a time may use it, any thread may cancel():
    a second one gets Misuse. When the process dies, however it dies, its locks are free. After
    os.fork() the child may only close its copy; all else answers Misuse there, and nothing of
    the parent's is given back.

    Python's signal handlers run while a call waits in the main thread, 50 ms late at most; what
    they raise, such as KeyboardInterrupt, ends the wait.
    """

    def __init__(self, path: str | os.PathLike[str], *, label: str | None = None,
                 existing_only: bool = False, notice_after: float = 1.0,
                 on_wait: Callable[[WaitNotice], object] | None = None) -> None:
        if not notice_after >= 0:
            raise ValueError("notice_after must not be negative")
        place = os.fsencode(path)
        if b"\0" in place or (label is not None and "\0" in label):
            raise ValueError("a path or label must not hold a NUL")
        self._era = 0  # how often something was given back by a mark
        self._c = ffi.new("struct bridge *")
        self._ears = _Ears(on_wait)
        self._handle = ffi.new_handle(self._ears)
        self._c.ask = lib.python_ask
        self._c.tell = lib.python_tell if on_wait else ffi.NULL
        self._c.handle = self._handle
        notice_ms = min(max(math.ceil(notice_after * 1000), 1), LONGEST_MS)
        _call(lib.bridge_open, self._c, place,
              ffi.NULL if label is None else label.encode(), existing_only, notice_ms)

    # -- taking and giving back --

    def _take(self, name: Name, mode: Mode, wait: Wait) -> Lock:
        wait_ms = _wait_ms(wait)
        mode = Mode(mode)
        if mode == Mode.READ:
            raise ValueError("READ is no lock")
        taken = ffi.new("struct bridge_taken *")
        err = ffi.new("rowlock_error *")
        code = lib.bridge_take(self._c, name.c, mode, wait_ms, taken, err)
        raised, self._ears.raised = self._ears.raised, None
        if raised is not None:
            if code == 0:
                Lock(self, name, taken).release()
            try:
                raise raised
            finally:
                del raised  # or it would refer to this frame, and that to it
        if code == lib.ROWLOCK_NOT_AVAILABLE:
            if wait_ms == SKIP:
                return Lock(self, name, None)
            raise _failure(code, err, errors.LockTimeout if wait_ms > 0 else None)
        if code:
            raise _failure(code, err)
        return Lock(self, name, taken)

    def lock(self, table: str, key: Key, mode: Mode = Mode.UPDATE, *, wait: Wait = True) -> Lock:
        """Lock one record, or strengthen the mode held; less than is held does nothing.

        table: as the catalogue spells it. key: the primary key as SQLite gives it back, by type
        (7 and "7" are two records); a tuple in the order of the key's columns.
        wait: True, for ever; False, not at all; "skip", not at all, and a false answer in place
        of an error; or seconds at most, rounded up to milliseconds. Waiters are served in turn.
        It takes KEY SHARE on the table too.

        Errors: LockNotAvailable, LockTimeout, DeadlockDetected, Cancelled, ConnectionLost,
        OutOfMemory, IoError; Misuse. On failure nothing is held that was not held before.
        """
        return self._take(_names.record(table, key), mode, wait)

    def lock_key(self, table: str, columns: str | Sequence[str], values: Key | Sequence[Value],
                 mode: Mode = Mode.UPDATE, *, wait: Wait = True) -> Lock:
        """Lock one value of a key, whether or not a record has it: so that two do not create it
        at once. Columns in the table's order, as the catalogue spells them. Values as the column
        compares them: in lower case under NOCASE, without spaces at the end under RTRIM; 7.0
        counts as 7. Waits and errors as lock()."""
        return self._take(_names.key(table, columns, values), mode, wait)

    def lock_table(self, table: str, mode: Mode = Mode.UPDATE, *, wait: Wait = True) -> Lock:
        """Lock a whole table: UPDATE excludes all locks on its records, KEY SHARE only such a
        lock. Waits and errors as lock()."""
        return self._take(_names.table(table), mode, wait)

    def lock_writer(self, *, wait: Wait = True) -> Lock:
        """Take the turn to write to the database; then BEGIN IMMEDIATE. Take it last, and hold
        it for one short transaction: nobody else writes meanwhile. It follows no mark.
        Waits and errors as lock()."""
        return self._take(_names.WRITER, Mode.UPDATE, wait)

    def mark(self) -> int:
        """How far the session's log of locks has come, for release_to(), as with a savepoint."""
        mark = ffi.new("size_t *")
        _call(lib.bridge_mark, self._c, mark)
        return int(mark[0])

    def release_to(self, mark: int) -> None:
        """Give back what was taken since mark, or lower it to what was held then, and wake who
        waited. 0 gives back everything; only that includes the turn to write. Never waits."""
        self._era += 1
        _call(lib.bridge_release_to, self._c, mark)

    def _drop(self, name: Name) -> None:
        _call(lib.bridge_drop, self._c, name.c)

    def drop(self, table: str, key: Key) -> None:
        """Give back this record's lock alone, however often it was taken. A table's KEY SHARE
        goes with release_to() only."""
        self._drop(_names.record(table, key))

    def drop_key(self, table: str, columns: str | Sequence[str],
                 values: Key | Sequence[Value]) -> None:
        """Give back the lock on this key's value alone."""
        self._drop(_names.key(table, columns, values))

    def drop_writer(self) -> None:
        """Give the turn to write back."""
        self._drop(_names.WRITER)

    def _held(self, name: Name) -> Mode:
        mode = ffi.new("enum rowlock_mode *")
        _call(lib.bridge_held, self._c, name.c, mode)
        return Mode(mode[0])

    def held(self, table: str, key: Key) -> Mode:
        """The mode in which the session holds this record; Mode.READ when it does not."""
        return self._held(_names.record(table, key))

    def held_key(self, table: str, columns: str | Sequence[str],
                 values: Key | Sequence[Value]) -> Mode:
        """The same, of a key's value."""
        return self._held(_names.key(table, columns, values))

    def held_table(self, table: str) -> Mode:
        """The same, of a table; KEY SHARE while a record of it is locked."""
        return self._held(_names.table(table))

    def held_writer(self) -> bool:
        """Is it this session's turn to write?"""
        return self._held(_names.WRITER) != Mode.READ

    def cancel(self) -> None:
        """End this session's wait, now or when it next waits: that call raises Cancelled. From
        any thread and any signal handler; does nothing when it is closed."""
        lib.bridge_cancel(self._c)

    # -- looking --

    def check(self) -> None:
        """Are the locks still worth something? Ask before COMMIT. Errors: ConnectionLost."""
        _call(lib.bridge_check, self._c)

    def counters(self) -> Counters:
        """What happened in the lock table since the machine started."""
        c = ffi.new("rowlock_lock_counters *")
        _call(lib.bridge_counters, self._c, c)
        return Counters(
            grants=c.grants, waits=c.waits, in_vain=c.in_vain, deadlocks=c.deadlocks,
            bypasses=c.bypasses, replays=c.replays, reaps=c.reaps, rebuilds=c.rebuilds,
            waited=c.waited_ms / 1000, longest=c.longest_ms / 1000, since=c.since_s,
            flushes=c.flushes)

    def cycles(self) -> list[Cycle]:
        """The last deadlocks, eight at most, the newest first."""
        c, n = ffi.new("rowlock_lock_cycle[]", lib.ROWLOCK_CYCLES), ffi.new("size_t *")
        _call(lib.bridge_cycles, self._c, c, n)
        return [Cycle(at=c[i].at_s, victim=c[i].victim, text=_text(c[i].text))
                for i in range(n[0])]

    def list(self) -> list[LockInfo]:
        """Everyone's locks: by name, holders first, waiters as they will be served.
        Errors: IoError, LockNotAvailable (a process is stopped inside the table)."""
        array, n = ffi.new("rowlock_lock_info **"), ffi.new("size_t *")
        _call(lib.bridge_list, self._c, array, n)
        try:
            return [LockInfo(
                kind=Kind(c.kind), mode=Mode(c.mode), waiting=bool(c.waiting), owner=c.owner,
                pid=c.pid, age=c.age_ms / 1000, label=_text(c.label), table=_text(c.table),
                key=_text(c.key), blocked_by=tuple(c.blocked_by[0:c.n_blocked_by]))
                for c in array[0][0:n[0]]]
        finally:
            lib.rowlock_locks_list_free(array[0])

    # -- the disk --

    def ticket(self) -> int:
        """The number of a commit, for make_durable(). Take it after COMMIT, before the turn to
        write goes back; or after a read, to learn when what it saw is on disk."""
        ticket = ffi.new("uint64_t *")
        _call(lib.bridge_ticket, self._c, ticket)
        return int(ticket[0])

    def make_durable(self, ticket: int, wal_fd: int) -> None:
        """Wait until all commits up to ticket are on disk: one flush serves all who wait. With
        PRAGMA synchronous = NORMAL a COMMIT itself does not flush. wal_fd: a descriptor of the
        database's -wal file, opened while a connection is open, and only for this; never open
        and close the database file itself, which would give up SQLite's locks in this process.
        Give locks back before. Not ended by cancel() or a signal. Errors: IoError."""
        _call(lib.bridge_make_durable, self._c, ticket, wal_fd)

    def poisoned(self) -> bool:
        """Did a flush fail in this boot? Then nothing is called durable any more."""
        err = ffi.new("rowlock_error *")
        code = lib.bridge_poisoned(self._c, err)
        if code not in (lib.ROWLOCK_OK, lib.ROWLOCK_IO):
            raise _failure(code, err)
        return bool(code == lib.ROWLOCK_IO)

    # -- its end --

    def close(self) -> None:
        """Give back all locks, and the place in the lock table. Never waits; the second time it
        does nothing. Errors: Misuse (it is in use by another thread: cancel() that first)."""
        _call(lib.bridge_close, self._c)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self, _close: Any = lib.bridge_close, _null: Any = ffi.NULL) -> None:
        c = getattr(self, "_c", None)
        if c is not None:
            _close(c, _null)
