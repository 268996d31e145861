# SPDX-License-Identifier: MIT
"""Python and C on one database: who names alike excludes each other."""

import ctypes
import json
import os
import threading
import unittest

import rowlock
from rowlock import Mode
from support import TABLES, PythonTest

MORE = """CREATE TABLE stock (site INTEGER, item TEXT, n INTEGER, PRIMARY KEY (site, item));
    INSERT INTO stock VALUES (1, 'cup', 3), (-2, 'Tee ☕', 4);
    CREATE TABLE word (word TEXT COLLATE NOCASE PRIMARY KEY, n INTEGER);
    INSERT INTO word VALUES ('Tea', 0), ('', 0), (printf('%.*c', 300, 'x'), 0),
        (printf('%.*c', 2000, 'x'), 0);
    CREATE TABLE weight (kg REAL PRIMARY KEY);
    INSERT INTO weight VALUES (1.5), (7);
    CREATE TABLE hash (hash BLOB PRIMARY KEY);
    INSERT INTO hash VALUES (x'6142');
    CREATE TABLE loose (id PRIMARY KEY);
    INSERT INTO loose VALUES (7), ('8'), (x'39');
    CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, code TEXT COLLATE NOCASE, size REAL);
"""
RECORDS = [  # as the program reads a key, and as SQLite gives it to Python
    ("region", "7", 7),
    ("stock", "site=1,item=cup", (1, "cup")),
    ("stock", "site=-2,item=Tee ☕", (-2, "Tee ☕")),
    ("word", "tea", "Tea"),
    ("word", "", ""),
    ("word", "x" * 300, "x" * 300),
    ("word", "x" * 2000, "x" * 2000),
    ("weight", "1.5", 1.5),
    ("weight", "7", 7.0),
]


class NamesTest(PythonTest):
    def setUp(self):
        super().setUp()
        self.query(self.path, "VACUUM")
        self.path = self.database(TABLES + MORE, "more.db")

    def lock(self, table, key, status):
        """Whether the program gets a record."""
        self.run_rowlock("lock", self.path, table, key, "--nowait", "--", "true", status=status)


class Names(NamesTest):
    def test_what_python_holds_the_program_does_not_get(self):
        for table, words, key in RECORDS:
            with self.session().lock(table, key):
                self.lock(table, words, status=5)
            self.lock(table, words, status=0)

    def test_what_the_program_holds_python_does_not_get(self):
        s = self.session()
        for table, words, key in RECORDS:
            holder = self.start_rowlock("lock", self.path, table, words, "--", "sh", "-c",
                                        "echo held; read line; exit 0")
            holder.wait_for_out("held")
            self.assertFalse(s.lock(table, key, wait="skip"), (table, key))
            self.assertEqual(holder.end(), 0)
            self.assertTrue(s.lock(table, key, wait="skip"), (table, key))

    def test_the_bytes_that_sqlite_gives_are_the_name_that_the_program_shows(self):
        s = self.session()
        for key in (7, "8", b"9", True, -(1 << 63), (1 << 63) - 1, 0.5):
            s.lock("loose", key)
        shown = json.loads(self.run_rowlock("locks", self.path, "--json").stdout)
        self.assertEqual([lock["key"] for lock in shown if lock["kind"] == "record"],
                         ["-9223372036854775808", "0.5", "1", "1 bytes", "7", "8",
                          "9223372036854775807"])

    def test_values_of_another_type_are_another_name(self):
        a, b = self.session(), self.session()
        for one, other in ((7, "7"), (7, 7.0), ("a", b"a"), ((1, 2), (2, 1)), (("a", "b"), "ab"),
                           (("a", "bc"), ("ab", "c")), ("", (" "))):
            with a.lock("loose", one):
                self.assertTrue(b.lock("loose", other, wait="skip"), (one, other))
                b.release_to(0)
        for one, other in ((1, True), (b"a", bytearray(b"a")), (b"a", memoryview(b"a")),
                           ("a", ("a",))):
            with a.lock("loose", one):
                self.assertFalse(b.lock("loose", other, wait="skip"), (one, other))

    def test_what_can_be_no_key_is_refused(self):
        s = self.session()
        for key, error in ((None, TypeError), ((1, None), TypeError), ([1], TypeError),
                           ((), ValueError), (float("nan"), ValueError), (1 << 63, OverflowError),
                           ("\ud800", ValueError), ((1,) * 1001, ValueError)):
            with self.assertRaises(error):
                s.lock("region", key)
        for table, error in (("", ValueError), ("a\0b", ValueError), (7, TypeError),
                             (None, TypeError)):
            with self.assertRaises(error):
                s.lock(table, 1)
        with self.assertRaises(ValueError):
            s.lock_key("item", ("name", "code"), "one")
        self.assertEqual(s.mark(), 0)


class Upsert(NamesTest):
    def upsert(self, *words, **options):
        return self.run_rowlock("upsert", self.path, "item", *words, **options)

    def test_a_key_that_python_holds_cannot_be_created_by_the_program(self):
        s = self.session()
        for columns, values, match in (
                ("name", "new", ["--match", "name", "name=new"]),
                ("code", "ab", ["--match", "code", "code=AB"]),
                ("size", 7, ["--match", "size", "size:=7.0"]),
                ("size", 8.0, ["--match", "size", "size:=8"]),
                (("name", "code"), ("x", "y"), ["--match", "name+code", "name=x", "code=Y"])):
            with s.lock_key("item", columns, values):
                self.upsert(*match, "--nowait", status=5)
            self.assertIn("created", self.upsert(*match).stdout)

    def test_the_program_waits_for_python_s_record_and_then_updates_it(self):
        s = self.session()
        self.upsert("--match", "name", "name=a", "size:=1")
        with s.lock("item", 1):
            program = self.start_rowlock("upsert", self.path, "item", "--match", "name",
                                         "name=a", "size:=2")
            self.wait_until_it_waits(program, self.path)
            self.assertEqual(self.query(self.path, "SELECT size FROM item"), [(1.0,)])
        self.assertEqual(program.end(), 0)
        self.assertEqual(self.query(self.path, "SELECT size FROM item"), [(2.0,)])

    def test_python_and_the_program_create_each_record_once(self):
        """The column has no unique index: only the lock on the key keeps it single."""
        peers = [self.peer() for _ in range(2)]
        for peer in peers:
            peer.do("s.close()")
            peer.do(f"import sqlite3; s = rowlock.open({str(self.path)!r})")
            peer.do(f"db = sqlite3.connect({str(self.path)!r}, isolation_level=None)")
            peer.do("exec('''def make(name):\\n"
                    " with s.lock_key('item', 'name', name):\\n"
                    "  if not db.execute('SELECT 1 FROM item WHERE name=?',[name]).fetchone():\\n"
                    "   with s.lock_writer():\\n"
                    "    db.execute('INSERT INTO item (name) VALUES (?)',[name])''')")
        for name in range(20):
            for peer in peers:
                peer.start(f"make('{name}')")
            self.upsert("--match", "name", f"name={name}")
            for peer in peers:
                self.assertEqual(peer.answer(), "None")
        self.assertEqual(self.query(self.path, "SELECT count(*), count(DISTINCT name) FROM item"),
                         [(20, 20)])


class Counting(PythonTest):
    """Read, then write what was read and one more: what is lost without locks."""

    def test_no_count_is_lost_between_python_and_the_program(self):
        n, peers = 100, [self.peer() for _ in range(3)]
        for peer in peers:
            peer.start("exec('''for _ in range(%d):\\n"
                       " with s.lock('region', 1):\\n"
                       "  n = db.execute('SELECT n FROM region WHERE id=1').fetchone()[0]\\n"
                       "  with s.lock_writer():\\n"
                       "   db.execute('BEGIN IMMEDIATE')\\n"
                       "   db.execute('UPDATE region SET n=? WHERE id=1', [n + 1])\\n"
                       "   db.execute('COMMIT')''')" % n)
        script = ("n=$(sqlite3 app.db '.timeout 60000' 'SELECT n FROM region WHERE id = 1') && "
                  "sqlite3 app.db '.timeout 60000' \"UPDATE region SET n = $n + 1 WHERE id = 1\"")
        for _ in range(10):
            self.run_rowlock("lock", "app.db", "region", "1", "--", "sh", "-c", script)
            self.run_rowlock("upsert", "app.db", "region", "--match", "name", "name=other")
        for peer in peers:
            self.assertEqual(peer.answer(), "None")
        self.assertEqual(self.query(self.path, "SELECT n FROM region WHERE id = 1"),
                         [(3 * n + 10,)])


class Value(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("i", ctypes.c_int64), ("len", ctypes.c_size_t)]


class Name(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_int), ("table", ctypes.c_char_p), ("column", ctypes.c_char_p),
                ("values", ctypes.POINTER(Value)), ("n_values", ctypes.c_size_t)]


class TwoCopies(PythonTest):
    """librowlock.so beside the module, in one process: each has its own file description, and
    closing one must not free the locks of the other (as POSIX record locks would)."""

    def setUp(self):
        super().setUp()
        self.lib = ctypes.CDLL(os.environ["LIBROWLOCK"], mode=ctypes.RTLD_GLOBAL)
        for call in ("close", "take", "release_to"):
            getattr(self.lib, "rowlock_locks_" + call).argtypes = {
                "close": [ctypes.c_void_p],
                "take": [ctypes.c_void_p, ctypes.POINTER(Name), ctypes.c_int, ctypes.c_int32,
                         ctypes.c_void_p],
                "release_to": [ctypes.c_void_p, ctypes.c_size_t]}[call]
        self.other = ctypes.c_void_p()
        self.assertEqual(self.lib.rowlock_locks_open(
            os.fsencode(self.path), None, ctypes.byref(self.other), None), 0)

    def take(self, key, wait_ms=-1):
        if isinstance(key, bytes):
            text = ctypes.create_string_buffer(key)
            value = Value(4, ctypes.addressof(text), len(key))
        else:
            value = Value(1, key, 0)
        name = Name(0, b"region", None, ctypes.pointer(value), 1)
        return self.lib.rowlock_locks_take(self.other, ctypes.byref(name), Mode.UPDATE, wait_ms,
                                           None)

    def test_two_copies_of_the_library_exclude_each_other(self):
        s = self.session()
        with s.lock("region", 1):
            self.assertNotEqual(self.take(1), 0)
            self.assertEqual(self.take(2), 0)
            self.assertFalse(s.lock("region", 2, wait="skip"))
        self.assertEqual(self.take(1), 0)
        self.lib.rowlock_locks_close(self.other)

    def test_bytes_are_named_as_in_c(self):
        s = self.session()
        for key in (b"", b"a\0b", bytes(range(256)) * 9):
            with s.lock("region", key):
                self.assertNotEqual(self.take(key), 0)
            self.assertEqual(self.take(key), 0)
        self.lib.rowlock_locks_close(self.other)

    def test_a_copy_that_closes_leaves_the_other_s_locks(self):
        s = self.session()
        s.lock("region", 1)
        self.lib.rowlock_locks_close(self.other)
        self.assertEqual(self.peer().do("bool(s.lock('region', 1, wait='skip'))"), "False")

    def test_one_copy_wakes_the_other(self):
        s = self.session()
        s.lock("region", 1)
        granted = []
        waiter = threading.Thread(target=lambda: granted.append(self.take(1, 60_000)))
        waiter.start()
        self.wait_until(lambda: any(lock.waiting for lock in s.list()), "a waiter")
        s.release_to(0)
        waiter.join()
        self.assertEqual(granted, [0])
        self.lib.rowlock_locks_close(self.other)


if __name__ == "__main__":
    unittest.main()
