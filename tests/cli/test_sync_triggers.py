# SPDX-License-Identifier: MIT
"""rowlock sync into a table with triggers: what an application hangs on its
table (a search index, a history) is told of changes, and of nothing else."""

import json
import unittest

from harness import left
from test_sync import SyncTest

COUNT = 3000  # more than a batch, and more than a block at the default pace

TABLE = """
CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT UNIQUE, name TEXT, rank INTEGER, seen TEXT);
CREATE TABLE fired (what TEXT, code TEXT);
CREATE TRIGGER a AFTER INSERT ON t BEGIN INSERT INTO fired VALUES ('insert', new.code); END;
CREATE TRIGGER b AFTER UPDATE ON t BEGIN INSERT INTO fired VALUES ('update', new.code); END;
CREATE TRIGGER c AFTER DELETE ON t BEGIN INSERT INTO fired VALUES ('delete', old.code); END;
CREATE TRIGGER d AFTER UPDATE OF name ON t BEGIN INSERT INTO fired VALUES ('name', new.code); END;
CREATE TRIGGER e AFTER UPDATE OF rank ON t BEGIN INSERT INTO fired VALUES ('rank', new.code); END;
CREATE TRIGGER f AFTER UPDATE OF code ON t BEGIN INSERT INTO fired VALUES ('code', new.code); END;
"""


class Triggers(SyncTest):
    fields = ("{code: /code, name: /name, rank: {from: /rank, type: integer}, "
              "seen: {value: now, on: change}}")

    def setUp(self):
        super().setUp()
        self.records = [{"code": f"c{i}", "name": f"Name {i}", "rank": i} for i in range(COUNT)]
        self.definition = self.small(self.records, fields=self.fields)
        self.database(TABLE, "t.db")

    def fired(self):
        """What fired since the last call."""
        found = sorted(self.query(self.top / "t.db", "SELECT what, code FROM fired"))
        self.query(self.top / "t.db", "DELETE FROM fired")
        return found

    def change(self, at, **more):
        self.records[at].update(more)
        self.write("t.json", json.dumps(self.records))

    def test_each_fires_once_for_what_it_is_for(self):
        self.assertEqual(self.outcome(self.definition), {"created": COUNT})
        self.assertEqual(self.fired(), sorted(("insert", r["code"]) for r in self.records))
        self.assertEqual(self.outcome(self.definition), {"unchanged": COUNT})
        self.assertEqual(self.fired(), [])
        self.change(0, name="new")
        self.change(1700, rank=-1)
        self.change(COUNT - 1, name="new", rank=-1)
        self.assertEqual(self.outcome(self.definition), {"updated": 3, "unchanged": COUNT - 3})
        last = f"c{COUNT - 1}"
        self.assertEqual(self.fired(), [
            ("name", "c0"), ("name", last), ("rank", "c1700"), ("rank", last),
            ("update", "c0"), ("update", "c1700"), ("update", last)])
        self.assertEqual(self.outcome(self.definition), {"unchanged": COUNT})
        self.assertEqual(self.fired(), [])

    def test_a_block_that_runs_again_fires_once(self):
        """A bad record makes its block run again with savepoints; what the first
        attempt fired is gone with it."""
        self.query(self.top / "t.db", "CREATE TRIGGER g BEFORE INSERT ON t WHEN new.rank = 1234 "
                   "BEGIN SELECT raise(ABORT, 'not this one'); END")
        done = self.sync(self.definition, "--json", status=6)
        bad, = left(done.stdout)
        self.assertEqual((bad["outcome"], bad["record"]), ("rejected", 1235))
        self.assertIn("not this one", bad["reason"] + bad["detail"])
        self.assertEqual(self.fired(), sorted(("insert", r["code"]) for r in self.records
                                              if r["rank"] != 1234))

    def test_a_trigger_that_ends_the_transaction_rejects_its_record_alone(self):
        """RAISE(ROLLBACK) undoes all of the block, savepoints and all."""
        self.query(self.top / "t.db", "CREATE TRIGGER g BEFORE INSERT ON t WHEN new.rank IN "
                   "(7, 1234, 1236) BEGIN SELECT raise(ROLLBACK, 'not this one'); END")
        lines = left(self.sync(self.definition, "--json", status=6).stdout)
        self.assertEqual([(line["outcome"], line["record"]) for line in lines],
                         [("rejected", 8), ("rejected", 1235), ("rejected", 1237)])
        self.assertIn("not this one", lines[0]["detail"])
        self.assertEqual(self.fired(), sorted(("insert", r["code"]) for r in self.records
                                              if r["rank"] not in (7, 1234, 1236)))

    def test_nothing_fires_for_a_held_record(self):
        self.sync(self.definition)
        self.fired()
        self.write("t.yaml", self.definition.read_text() + "locks: {wait: 0s}\n")
        self.change(0, name="new")
        self.change(1, name="new")
        holder = self.start_rowlock("lock", "t.db", "t", "1", "--",
                                    "sh", "-c", "echo held; read line")
        holder.wait_for_out("held")
        self.assertEqual(self.outcome(self.definition, status=5),
                         {"updated": 1, "deferred": 1, "unchanged": COUNT - 2})
        self.assertEqual(self.fired(), [("name", "c1"), ("update", "c1")])


if __name__ == "__main__":
    unittest.main()
