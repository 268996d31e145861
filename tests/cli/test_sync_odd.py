# SPDX-License-Identifier: MIT
"""rowlock sync where database, disk or table are not as one expects."""

import json
import os
import resource
import signal
import threading
import unittest

from harness import DB, ENGINE, SERVER, left, send_in_two, sqlites_own
from test_sync import EXISTING, SyncTest

TABLE = "CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT UNIQUE, name TEXT)"


class Parts(SyncTest):
    RECORDS = [{"code": f"c{i}", "name": "n" * 50} for i in range(3000)]

    def start_in_the_middle(self):
        """The database, a run that has committed three batches, and what lets the
        rest of its source come."""
        path, rest = self.database(TABLE, "t.db"), threading.Event()
        body = "\n".join(map(json.dumps, self.RECORDS)).encode() + b"\n"
        address = self.serve(lambda request: send_in_two(
            request, body, body.index(b'{"code": "c1600"'), rest,
            Content_Type="application/x-ndjson"))
        definition = self.small("", target=EXISTING)
        definition.write_text(definition.read_text().replace("t.json", f"{address}/t.ndjson"))
        sync = self.start_rowlock("sync", definition)
        self.wait_until(lambda: self.query(path, "SELECT count(*) FROM t") == [(1500,)],
                        "three batches")
        return path, sync, rest


@sqlites_own("file")
class Files(Parts):
    def check_complete(self, definition):
        self.sync(definition)
        self.assertEqual(self.query(DB, "SELECT count(*), count(DISTINCT code) "
                                        "FROM t"), [(3000, 3000)])
        self.check_sound(DB)

    def test_a_file_that_may_not_grow_fails_the_run_and_says_so(self):
        for most in (0, 50_000, 200_000):
            with self.subTest(most):
                path = self.database(TABLE, "t.db")
                definition = self.small(self.RECORDS, target=EXISTING)
                done = self.sync(definition, status=1, preexec_fn=lambda: resource.setrlimit(
                    resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY)))
                self.assertRegex(done.stderr, "File too large|disk is full")
                self.check_complete(definition)
                self.remove(DB)
                self.assertFalse(path.exists())

    def test_a_file_that_changes_while_it_is_read_is_to_be_read_again(self):
        records = [{"code": f"c{i}", "name": "n"} for i in range(50_000)]
        path = self.database(TABLE, "t.db")
        sync = self.start_rowlock("sync", self.small(records, target=EXISTING))
        self.wait_until(lambda: self.query(path, "SELECT 1 FROM t LIMIT 1"), "a record")
        sync.signal(signal.SIGSTOP)
        os.waitid(os.P_PID, sync.pid, os.WSTOPPED)
        with open(self.top / "t.json", "a", encoding="utf-8") as file:
            file.write("\n")
        sync.signal(signal.SIGCONT)
        self.assertEqual(sync.end(), 5, sync.err)
        self.assertIn(f"the file changed while it was read: '{self.top / 't.json'}'\n", sync.err)
        self.sync("t.yaml")
        self.assertEqual(self.query(path, "SELECT count(*) FROM t"), [(50_000,)])

    def test_a_database_that_is_replaced_during_the_run_gets_no_more_of_it(self):
        path, sync, rest = self.start_in_the_middle()
        path.rename(self.top / "old.db")
        rest.set()
        self.assertEqual(sync.end(), 1, sync.err)
        self.assertIn(f'rowlock: sync: database "{path}" was moved or replaced\n', sync.err)
        self.assertFalse(path.exists())


class Tables(SyncTest):
    """Twice over each: the second run finds all as it should be."""

    def twice(self, table, records, fields, match, rows, select="SELECT * FROM t"):
        path = self.database(table, "t.db")
        definition = self.small(records, fields=fields, match=match,
                                target=EXISTING)
        self.sync(definition)
        self.assertEqual(sorted(self.query(path, select), key=str), rows)
        self.assertEqual(self.outcome(definition), {"unchanged": len(records)})

    @sqlites_own("create")
    def test_without_rowid_and_a_text_for_a_key(self):
        self.twice("CREATE TABLE t (code TEXT NOT NULL PRIMARY KEY COLLATE NOCASE, name TEXT) "
                   "WITHOUT ROWID; INSERT INTO t VALUES ('B', 'old')",
                   [{"code": "a", "name": "x"}, {"code": "b", "name": "y"}],
                   "{code: /code, name: /name}", "[code]", [("a", "x"), ("b", "y")])

    def test_a_key_of_two_columns_whose_parts_change(self):
        for rowid in ("", " WITHOUT ROWID"):
            with self.subTest(rowid):
                self.remove(DB)
                self.twice("CREATE TABLE t (a INTEGER NOT NULL, b TEXT NOT NULL, rid TEXT, "
                           f"PRIMARY KEY (b, a)){rowid}; INSERT INTO t VALUES (1, 'x', 'r1'), "
                           "(2, 'x', 'r2')",
                           [{"a": 5, "b": "x", "rid": "r1"}, {"a": 1, "b": "x", "rid": "r2"},
                            {"a": 1, "b": "y", "rid": "r3"}],
                           "{rid: /rid, a: /a, b: /b}", "[rid, [a, b]]",
                           [(1, "x", "r2"), (1, "y", "r3"), (5, "x", "r1")])

    @sqlites_own("create")
    def test_generated_columns(self):
        self.twice("CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT, up TEXT GENERATED ALWAYS "
                   "AS (upper(code)) STORED UNIQUE, n AS (length(name)), name TEXT); "
                   "INSERT INTO t (code, name) VALUES ('a', 'old')",
                   [{"code": "a", "name": "xy"}, {"code": "b", "name": "z"}],
                   "{code: /code, name: /name}", "[code]",
                   [(1, "a", "A", 2, "xy"), (2, "b", "B", 1, "z")])

    def test_numbers_at_the_edges(self):
        self.twice("CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT, n INTEGER, r REAL)",
                   [{"code": "max", "n": 2**63 - 1}, {"code": "min", "n": -2**63},
                    {"code": "large", "r": 1.7976931348623157e308},
                    {"code": "small", "r": 5e-324}, {"code": "zero", "n": 0, "r": -0.0}],
                   "{code: /code, n: /n, r: /r}", "[code]",
                   [("large", None, 1.7976931348623157e308), ("max", 2**63 - 1, None),
                    ("min", -2**63, None), ("small", None, 5e-324), ("zero", 0, 0.0)],
                   "SELECT code, n, r FROM t")

    def test_records_of_ten_megabytes(self):
        long = 10_000_000 * "x"
        self.twice(TABLE, [{"code": str(i), "name": long} for i in range(3)],
                   "{code: /code, name: /name}", "[code]",
                   [("0", long), ("1", long), ("2", long)], "SELECT code, name FROM t")


class Held(SyncTest):
    """What a write would touch besides its record is held by somebody."""

    def check_deferred(self, schema, name, key, records, fields, trigger=None):
        self.database(schema, "t.db")
        for what in ("INSERT", "UPDATE") if trigger else ():
            ENGINE.trigger(self.top, DB, what, trigger)
        definition = self.small(records, fields=fields, match="[code]",
                                target=EXISTING)
        definition.write_text(definition.read_text() + "locks: {wait: 0s}\n")
        holder = self.hold(key, table=name)
        lines = left(self.sync(definition, "--json", status=5).stdout)
        self.assertEqual([(line["outcome"], line["record"]) for line in lines],
                         [("deferred", 1), ("deferred", 3)])
        self.assertEqual({line["reason"] for line in lines},
                         {"canceling statement due to lock timeout" if SERVER else
                          f"could not obtain lock on {name}/{key}"})
        holder.tell("")
        self.assertEqual(holder.end(), 0)
        counts = self.outcome(definition)
        self.assertEqual(counts["created"] + counts["updated"], 2)

    def test_the_parent_of_a_foreign_key(self):
        self.check_deferred(
            "CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1), (2);"
            "CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT, p INTEGER REFERENCES p);"
            "INSERT INTO t VALUES (1, 'a', 1)", "p", 2,
            [{"code": "a", "p": 2}, {"code": "b", "p": 1}, {"code": "c", "p": 2}],
            "{code: /code, p: /p}")

    def test_a_record_that_a_trigger_writes(self):
        self.check_deferred(
            "CREATE TABLE c (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO c VALUES (1, 0),"
            "(2, 0); CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT, c INTEGER);"
            "INSERT INTO t VALUES (1, 'a', 0)", "c", 2,
            [{"code": "a", "c": 2}, {"code": "b", "c": 1}, {"code": "c", "c": 2}],
            "{code: /code, c: /c}", "UPDATE c SET n = n + 1 WHERE id = new.c")
        self.assertEqual(self.query(DB, "SELECT n FROM c"), [(1,), (2,)])


class Altered(Parts):
    """The table is another one when the second part of the source comes."""

    def alter(self, sql, status):
        """What the run says."""
        self.remove(DB)
        path, sync, rest = self.start_in_the_middle()
        for statement in sql.split("; "):
            self.query(path, statement)
        rest.set()
        self.assertEqual(sync.end(), status, sync.err)
        return sync.err

    def test_a_new_column_and_a_new_index_do_no_harm(self):
        self.alter("ALTER TABLE t ADD COLUMN more TEXT DEFAULT 'd'; CREATE INDEX i ON t (name)", 0)
        self.assertEqual(self.query(DB, "SELECT count(*), count(more) FROM t"),
                         [(3000, 3000)])

    def test_a_table_that_is_gone_or_other_fails_the_run(self):
        # The server says it itself; it goes by the names of columns, not their order.
        gone = 'relation "public.t" does not exist' if SERVER else "no such table"
        changed = "column .* does not exist" if SERVER else "was changed during the run"
        for sql, said in (
                ("DROP TABLE t", gone),
                ("ALTER TABLE t RENAME TO u", gone),
                ("ALTER TABLE t RENAME COLUMN name TO title", changed),
                ("ALTER TABLE t DROP COLUMN name", changed),
                ("CREATE TABLE n (name TEXT, code TEXT UNIQUE, id INTEGER PRIMARY KEY); INSERT "
                 "INTO n SELECT name, code, id FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t",
                 None if SERVER else changed)):
            with self.subTest(sql):
                self.assertRegex(self.alter(sql, 1 if said else 0), said or "^$")


if __name__ == "__main__":
    unittest.main()
