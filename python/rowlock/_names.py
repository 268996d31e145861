# SPDX-License-Identifier: MIT
"""Names of locks, in C. Two names are one lock when kind, table, columns and values are equal
by type and bytes, so what is written here must be what C programs write."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any, Union

from rowlock._bridge import ffi, lib

Value = Union[int, float, str, bytes, bytearray, memoryview]
Key = Union[Value, tuple[Value, ...]]

LONGEST = 1000  # values in a name


class Kind(enum.IntEnum):
    """What a lock is on."""

    RECORD = lib.ROWLOCK_RECORD
    KEY = lib.ROWLOCK_KEY
    TABLE = lib.ROWLOCK_TABLE
    WRITER = lib.ROWLOCK_WRITER


class Name:
    """A lock's name. `c` points into this object: keep that as long as C looks at it."""

    __slots__ = ("c", "_kept")

    def __init__(self, kind: Kind, table: str | None = None, columns: str | None = None,
                 values: Sequence[Value] = ()) -> None:
        if len(values) > LONGEST:
            raise ValueError(f"a name has {LONGEST} values at most")
        self._kept: list[Any] = []
        self.c = ffi.new("rowlock_name *")
        self.c.kind = kind
        if kind != Kind.WRITER:
            self.c.table = self._text("table", table)
        if columns is not None:
            self.c.column = self._text("columns", columns)
        if values:
            self.c.values = array = self._keep(ffi.new("rowlock_value[]", len(values)))
            self.c.n_values = len(values)
            for place, value in zip(array, values):
                self._fill(place, value)

    def _keep(self, thing: Any) -> Any:
        self._kept.append(thing)
        return thing

    def _text(self, what: str, text: str | None) -> Any:
        if not isinstance(text, str):
            raise TypeError(f"{what} must be str, not {type(text).__name__}")
        if not text or "\0" in text:
            raise ValueError(f"{what} must not be empty, nor hold a NUL")
        return self._keep(ffi.new("char[]", text.encode()))

    def _fill(self, place: Any, value: Value) -> None:
        if isinstance(value, int):
            if not -(1 << 63) <= value < 1 << 63:
                raise OverflowError("an integer of a key has 64 bits")
            place.type = lib.ROWLOCK_INT
            place.u.i = value
        elif isinstance(value, str):
            self._bytes(place, lib.ROWLOCK_TEXT, value.encode())
        elif isinstance(value, (bytes, bytearray, memoryview)):
            self._bytes(place, lib.ROWLOCK_BLOB, bytes(value))
        elif isinstance(value, float):
            if value != value:
                raise ValueError("NaN is no value of a key: SQLite stores it as NULL")
            place.type = lib.ROWLOCK_DOUBLE
            place.u.d = value
        else:
            raise TypeError(f"no value of a key: {type(value).__name__}")

    def _bytes(self, place: Any, kind: int, data: bytes) -> None:
        place.type = kind
        place.u.s.ptr = self._keep(ffi.from_buffer("char[]", data))
        place.u.s.len = len(data)


def fold(value: Value) -> Value:
    """A whole number compares equal to itself as an integer, so a lock on a key's value names
    both alike."""
    if isinstance(value, float) and value.is_integer() and -(2.0**63) <= value < 2.0**63:
        return int(value)
    return value


def record(table: str, key: Key) -> Name:
    values = key if isinstance(key, tuple) else (key,)
    if not values:
        raise ValueError("a record's key has a value at least")
    return Name(Kind.RECORD, table, None, values)


def key(table: str, columns: str | Sequence[str], values: Key | Sequence[Value]) -> Name:
    if isinstance(columns, str):
        columns = (columns,)
    several = tuple(values) if isinstance(values, (tuple, list)) else (values,)
    if len(several) != len(columns):
        raise ValueError(f"{len(columns)} columns, but {len(several)} values")
    return Name(Kind.KEY, table, ",".join(columns), [fold(value) for value in several])


def table(name: str) -> Name:
    return Name(Kind.TABLE, name)


WRITER = Name(Kind.WRITER)
