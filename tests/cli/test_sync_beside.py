# SPDX-License-Identifier: MIT
"""rowlock sync beside a program that knows no record locks and writes the same
records all the time: 100,000 of them, or a fifth of that where a sanitizer makes
each take several times as long."""

import json
import os
import unittest
from pathlib import Path

from harness import Program
from test_sync import SyncTest

STRANGERS = Path(__file__).with_name("strangers.py")
RECORDS = 100_000 if os.environ.get("SANITIZE", "none") == "none" else 20_000


class Beside(SyncTest):
    def stranger(self, *words):
        program = Program("/usr/bin/python3", "-B", STRANGERS, *words)
        self.addCleanup(program.kill)
        program.wait_for_out("ready")
        return program

    def of_new_records(self):
        path = self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT UNIQUE, "
                             "name TEXT, n INTEGER NOT NULL DEFAULT 0)", "t.db")
        self.definition = self.small([{"code": f"c{i}", "name": "new"} for i in range(RECORDS)],
                                     target="{database: t.db, table: t}")
        return path

    def beside(self, path, among=RECORDS):
        """A run beside a writer of the first so many records; what it said."""
        writer = self.stranger("upsert", path, among, 1)
        sync = self.start_rowlock("sync", "--json", self.definition)
        status = sync.end()
        self.assertEqual(writer.end(), 0, writer.err)
        self.assertEqual(status, 0, sync.err)
        result = json.loads(sync.out.splitlines()[-1])
        self.assertEqual(result["created"] + result["updated"] + result["unchanged"], RECORDS)
        return result, json.loads(writer.out.splitlines()[-1])

    def check(self, path, said):
        """What the writer wrote after the run is there; what it wrote before,
        the run has noticed. Its own column has each of its writes."""
        self.assertEqual(said["errors"], [])
        self.assertGreater(said["writes"], 10)
        mine = self.query(path, "SELECT code, name FROM t WHERE name <> 'new'")
        self.assertEqual(set(mine) ^ set(said["after"].items()), set())
        self.assertEqual(self.query(path, "SELECT count(*), sum(n) FROM t"),
                         [(RECORDS, said["writes"])])
        result = self.outcome(self.definition)
        self.assertEqual((result.get("updated", 0), result["unchanged"]),
                         (len(mine), RECORDS - len(mine)))

    def test_a_writer_beside_new_records_is_never_told_busy(self):
        path = self.of_new_records()
        result, said = self.beside(path, RECORDS // 2)
        # However fast the writer is, the other half is the run's.
        self.assertGreaterEqual(result["created"], RECORDS // 2)
        self.check(path, said)

    def test_a_writer_beside_changes_is_never_told_busy(self):
        path = self.of_new_records()
        self.query(path, "WITH RECURSIVE i (x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM i WHERE "
                         "x < ?) INSERT INTO t (code, name) SELECT 'c' || x, 'old' FROM i",
                   RECORDS - 1)
        result, said = self.beside(path)
        self.assertEqual(result["created"], 0)
        self.assertGreater(result["updated"], RECORDS // 2)
        self.check(path, said)

    def test_who_has_the_turn_to_write_is_said(self):
        path = self.of_new_records()
        self.write("t.json", '[{"code": "c1", "name": "new"}]')
        holder = self.stranger("hold", path)
        holder.wait_for_out("held")
        sync = self.start_rowlock("sync", self.definition)
        sync.wait_for_err("rowlock: waiting for the turn to write: locked by a program that does "
                          "not use Rowlock for ")
        self.assertEqual(holder.end(), 0)
        self.assertEqual(sync.end(), 0)


if __name__ == "__main__":
    unittest.main()
