# SPDX-License-Identifier: MIT
"""rowlock sync: a program that knows no record locks writes between the look
and the write.

Nothing is left to chance: the run has looked and waits, for a record that is
held or for the turn to write; then the stranger's transaction commits."""

import json
import sqlite3
import threading
import unittest

from harness import LIMIT, send
from test_sync import SyncTest

HOLD_THEN_WRITE = """import sqlite3, sys
print('held', flush=True)
sys.stdin.readline()
with sqlite3.connect('t.db', timeout=60) as db:
    db.executescript(sys.argv[1])
"""


class Between(SyncTest):
    """Local records 1 to 3; the source changes the name of the first two."""

    def prepare(self, way, more):
        self.name = f"{way}.db"
        self.path = self.database(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, rid TEXT, slug TEXT, name TEXT, note TEXT);"
            "INSERT INTO t VALUES (1, 'r1', 'a', 'old', 'mine'), (2, 'r2', 'b', 'old', 'mine'),"
            " (3, 'r3', 'c', 'old', 'mine');" + more, self.name)
        self.source = json.dumps([{"rid": f"r{i}", "slug": slug, "name": "new"}
                                  for i, slug in ((1, "a"), (2, "b"))])
        definition = self.small(self.source, fields="{rid: /rid, slug: /slug, name: /name}",
                                match="[rid, slug]",
                                target=f"{{database: {self.name}, table: t}}")
        definition.write_text(definition.read_text() + "locks: {wait: 1m}\n")
        return definition

    def at_the_record(self, sql, more=""):
        """Record 1 is held until the run waits for it."""
        definition = self.prepare("record", more)
        holder = self.start_rowlock("lock", self.name, "t", "1", "--", "/usr/bin/python3", "-c",
                                    HOLD_THEN_WRITE.replace("t.db", self.name), sql)
        holder.wait_for_out("held")
        sync = self.start_rowlock("sync", "--json", definition)
        self.wait_until_it_waits(sync, self.name)
        holder.tell("")
        self.assertEqual(holder.end(), 0, holder.err)
        return sync

    def at_the_writer(self, sql, more=""):
        """A transaction that has written is open when the source answers, and
        until the run waits for its turn."""
        definition = self.prepare("writer", more)
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        self.addCleanup(db.close)
        written = threading.Event()

        def answer(request):
            if not written.is_set():
                db.executescript("BEGIN IMMEDIATE;" + sql)
                written.set()
            send(request, self.source.encode(), Content_Type="application/json")

        definition.write_text(definition.read_text().replace("t.json", self.serve(answer)))
        sync = self.start_rowlock("sync", "--json", definition)
        self.assertTrue(written.wait(LIMIT))
        self.wait_for_lock(sync, self.name, kind="writer", state="held")
        db.execute("COMMIT")
        return sync

    def outcomes(self, sync, status=0):
        """What became of the records, but for those of which all are told, and
        the lines of those that were left."""
        self.assertEqual(sync.end(), status, sync.err)
        lines = [json.loads(line) for line in sync.out.splitlines()]
        counts = {k: lines[-1][k] for k in ("created", "updated", "unchanged", "conflicts",
                                            "deferred", "rejected") if lines[-1][k]}
        return counts, [line for line in lines[:-1]
                        if line["outcome"] in ("conflict", "deferred", "rejected")]

    def rows(self):
        return self.query(self.path, "SELECT * FROM t ORDER BY id")

    def both(self, sql, expected, rows, more="", status=0):
        """Either way the same comes of it."""
        for way in (self.at_the_record, self.at_the_writer):
            with self.subTest(way.__name__):
                counts, left = self.outcomes(way(sql, more), status)
                self.assertEqual(counts, expected)
                self.assertEqual(self.rows(), rows)
                self.left = left

    def test_a_new_value_is_seen_and_decided_anew(self):
        self.both("UPDATE t SET name = 'theirs' WHERE id = 1", {"updated": 2},
                  [(1, "r1", "a", "new", "mine"), (2, "r2", "b", "new", "mine"),
                   (3, "r3", "c", "old", "mine")])

    def test_what_a_stranger_made_right_is_unchanged(self):
        self.both("UPDATE t SET name = 'new' WHERE id = 1", {"updated": 1, "unchanged": 1},
                  [(1, "r1", "a", "new", "mine"), (2, "r2", "b", "new", "mine"),
                   (3, "r3", "c", "old", "mine")])

    def test_columns_that_the_source_does_not_know_keep_what_the_stranger_wrote(self):
        self.both("UPDATE t SET note = 'theirs', name = 7 WHERE id = 1", {"updated": 2},
                  [(1, "r1", "a", "new", "theirs"), (2, "r2", "b", "new", "mine"),
                   (3, "r3", "c", "old", "mine")])

    def test_a_deleted_record_is_created_anew(self):
        self.both("DELETE FROM t WHERE id = 1", {"created": 1, "updated": 1},
                  [(2, "r2", "b", "new", "mine"), (3, "r3", "c", "old", "mine"),
                   (4, "r1", "a", "new", None)])

    def test_a_record_that_lost_one_key_is_found_by_the_other_and_gets_it(self):
        self.both("UPDATE t SET rid = NULL WHERE id = 1", {"updated": 2},
                  [(1, "r1", "a", "new", "mine"), (2, "r2", "b", "new", "mine"),
                   (3, "r3", "c", "old", "mine")])

    def test_a_record_that_got_another_key_is_left_alone(self):
        self.both("UPDATE t SET rid = 'other' WHERE id = 1", {"updated": 1, "conflicts": 1},
                  [(1, "other", "a", "old", "mine"), (2, "r2", "b", "new", "mine"),
                   (3, "r3", "c", "old", "mine")], status=4)
        self.assertEqual(self.left[0]["detail"],
                         "slug 'a' finds t/1, which has rid 'other', not rid 'r1'.")

    def test_a_record_with_all_other_keys_is_none_of_ours(self):
        self.both("UPDATE t SET rid = 'other', slug = 'other' WHERE id = 1",
                  {"created": 1, "updated": 1},
                  [(1, "other", "other", "old", "mine"), (2, "r2", "b", "new", "mine"),
                   (3, "r3", "c", "old", "mine"), (4, "r1", "a", "new", None)])

    def test_keys_that_moved_to_another_record_are_followed(self):
        self.both("UPDATE t SET rid = 'x1', slug = 'x' WHERE id = 1;"
                  "UPDATE t SET rid = 'r1', slug = 'a' WHERE id = 3", {"updated": 2},
                  [(1, "x1", "x", "old", "mine"), (2, "r2", "b", "new", "mine"),
                   (3, "r1", "a", "new", "mine")])

    def test_keys_that_now_find_two_records_are_a_conflict(self):
        self.both("UPDATE t SET slug = 'x' WHERE id = 1; UPDATE t SET slug = 'a' WHERE id = 3",
                  {"updated": 1, "conflicts": 1},
                  [(1, "r1", "x", "old", "mine"), (2, "r2", "b", "new", "mine"),
                   (3, "r3", "a", "old", "mine")], status=4)
        self.assertEqual(self.left[0]["detail"], "rid 'r1' finds t/1, slug 'a' finds t/3.")

    def test_a_record_that_was_replaced_is_found(self):
        self.both("DELETE FROM t WHERE id = 1;"
                  "INSERT INTO t VALUES (9, 'r1', 'a', 'theirs', 'theirs')", {"updated": 2},
                  [(2, "r2", "b", "new", "mine"), (3, "r3", "c", "old", "mine"),
                   (9, "r1", "a", "new", "theirs")])

    def test_a_value_that_must_be_unique_and_is_taken_rejects_its_record_alone(self):
        self.both("UPDATE t SET name = 'new' WHERE id = 3", {"updated": 1, "rejected": 1},
                  [(1, "r1", "a", "old", "mine"), (2, "r2", "b", "new", "mine"),
                   (3, "r3", "c", "new", "mine")],
                  more="UPDATE t SET name = 'other' WHERE id = 3;"
                       "CREATE UNIQUE INDEX u ON t (name) WHERE id <> 2", status=6)
        self.assertEqual([line["sqlstate"] for line in self.left], ["23505"])

    def test_a_new_record_that_a_stranger_has_created_is_found(self):
        for more in ("", "; CREATE UNIQUE INDEX u ON t (rid)"):
            with self.subTest(more):
                sync = self.at_the_writer(
                    "INSERT INTO t VALUES (9, 'r2', 'b', 'theirs', 'theirs')",
                    "DELETE FROM t WHERE id = 2" + more)
                self.assertEqual(self.outcomes(sync), ({"updated": 2}, []))
                self.assertEqual(self.rows(), [(1, "r1", "a", "new", "mine"),
                                               (3, "r3", "c", "old", "mine"),
                                               (9, "r2", "b", "new", "theirs")])
                for name in ("writer.db", "writer.db-wal", "writer.db-shm", "writer.db-rowlock"):
                    (self.top / name).unlink(missing_ok=True)


if __name__ == "__main__":
    unittest.main()
