# SPDX-License-Identifier: MIT
"""rowlock sync that is ended in the middle: what is committed stays, and was told
as it is; the next run does the rest."""

import json
import re
import signal
import sqlite3
import threading
import time
import unittest
from pathlib import Path

from harness import LIMIT, json_lines, left
from test_sync import SyncTest

MANY = 50_000


class SignalTest(SyncTest):
    def rows(self, sql):
        return self.query(self.top / "t.db", sql)

    def changed(self, n):
        """A table of n records, a source that changes them all."""
        definition = self.small([{"code": f"c{i}", "name": "old"} for i in range(1, n + 1)])
        self.sync(definition)
        self.small([{"code": f"c{i}", "name": "new"} for i in range(1, n + 1)])
        definition.write_text(definition.read_text() + "locks: {wait: 1h, total: 1h}\n")
        return definition

    def new(self):
        return [key for key, in self.rows("SELECT id FROM t WHERE name = 'new' ORDER BY id")]


class InTheMiddle(SignalTest):
    def setUp(self):
        super().setUp()
        self.definition = self.small([{"code": f"c{i}", "name": "x"} for i in range(MANY)])

    def end_by(self, number):
        """Ends a run after its first line; the keys that are in the table."""
        sync = self.start_rowlock("sync", "--json", self.definition)
        sync.wait_for_out('"outcome": "created"')
        sync.signal(number)
        self.status = sync.end()
        self.out, self.err = sync.out, sync.err
        return [key for key, in self.rows("SELECT id FROM t ORDER BY id")]

    def check_told(self, there, status):
        lines = json_lines(self.out)
        self.assertEqual(self.status, status)
        self.assertEqual(sorted(line["key"]["id"] for line in lines[:-1]), there)
        self.assertEqual((lines[-1]["created"], lines[-1]["records"]), (len(there), len(there)))
        self.assertEqual(lines[-1]["error"]["sqlstate"], "57014")
        self.assertIn("interrupted; what is committed stays", self.err)

    def check_rest(self, there):
        self.assertLess(len(there), MANY)
        self.assertEqual(self.outcome(self.definition),
                         {"created": MANY - len(there), "unchanged": len(there)})
        self.assertEqual(self.rows("SELECT count(*), count(DISTINCT code) FROM t"), [(MANY, MANY)])

    def test_sigterm(self):
        there = self.end_by(signal.SIGTERM)
        self.check_told(there, 143)
        self.check_rest(there)

    def test_sigint(self):
        there = self.end_by(signal.SIGINT)
        self.check_told(there, 130)
        self.check_rest(there)

    def test_kill(self):
        """What was told is there, but not all that is there was told."""
        there = self.end_by(signal.SIGKILL)
        self.assertEqual(self.status, -signal.SIGKILL)
        told = [json.loads(line)["key"]["id"] for line in self.out.splitlines() if line[-1] == "}"]
        self.assertLessEqual(set(told), set(there))
        self.assertLessEqual(len(there) - len(told), 500)
        self.check_rest(there)


class Terminated(SignalTest):
    def test_all_that_is_free_is_written_and_nobody_waited_for(self):
        definition = self.changed(1200)
        self.hold(3)
        sync = self.start_rowlock("sync", "--json", definition)
        sync.wait_for_err("waiting for t/3")
        sync.signal(signal.SIGTERM)
        self.assertEqual(sync.end(), 143)
        free = [key for key in range(1, 1201) if key != 3]
        self.assertEqual(self.new(), free)
        lines = json_lines(sync.out)
        self.assertEqual([line["key"]["id"] for line in lines[:-1]], free + [3])
        self.assertEqual([line["outcome"] for line in left(sync.out)], ["deferred"])
        self.assertEqual((lines[-1]["updated"], lines[-1]["deferred"]), (1199, 1))

    def test_a_second_one_ends_it_at_once(self):
        """The writer is a stranger's, so the batch cannot end."""
        definition = self.changed(2)
        db = sqlite3.connect(self.top / "t.db", isolation_level=None)
        self.addCleanup(db.close)
        sync = self.start_rowlock("sync", definition)
        db.execute("BEGIN IMMEDIATE")
        sync.wait_for_err("waiting for the turn to write")
        sync.signal(signal.SIGTERM)
        self.wait_until_taken(sync, signal.SIGTERM)
        sync.signal(signal.SIGTERM)
        self.assertEqual(sync.end(), -signal.SIGTERM)

    def wait_until_taken(self, program, number):
        """Until the program has no handler for the signal any more."""
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            status = Path(f"/proc/{program.pid}/status").read_text()
            caught = int(re.search(r"^SigCgt:\s*(\w+)", status, re.M)[1], 16)
            if not caught >> number - 1 & 1:
                return
        self.fail("the signal is still caught")

    def test_the_source_is_not_waited_for(self):
        asked = threading.Event()

        def answer(request):
            asked.set()
            request.rfile.read()  # until the other side closes
        definition = self.small("[]")
        definition.write_text(definition.read_text().replace("t.json", self.serve(answer)))
        sync = self.start_rowlock("sync", definition)
        self.assertTrue(asked.wait(LIMIT))
        sync.signal(signal.SIGTERM)
        self.assertEqual(sync.end(), 143)


if __name__ == "__main__":
    unittest.main()
