# SPDX-License-Identifier: MIT
"""`make demo` shows what it claims: its own numbers are read back here."""

import os
import re
import sqlite3
import subprocess
import tempfile
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = os.environ.get("ROWLOCK_BUILD", TOP / "build")


class Demo(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="rowlock-test-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.where = Path(cls.folder.name) / "demo"
        done = subprocess.run([TOP / "tools/demo", BUILD, cls.where], text=True, timeout=300,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        cls.status, cls.text = done.returncode, done.stdout
        if cls.status != 0:
            raise AssertionError(cls.text)

    def ask(self, name, sql):
        db = sqlite3.connect(self.where / name)
        self.addCleanup(db.close)
        return db.execute(sql).fetchall()

    def test_updates_are_lost_without_locks_and_the_number_is_the_real_one(self):
        shown = re.search(r"SQLite alone: .* ([\d,]+) stored, ([\d,]+) of them lost", self.text)
        stored, lost = (int(n.replace(",", "")) for n in shown.groups())
        self.assertEqual(stored + lost, 2000)
        self.assertGreater(lost, 0)
        self.assertEqual(self.ask("plain.db", "SELECT sum(n) FROM counter"), [(stored,)])

    def test_no_update_is_lost_with_rowlock(self):
        self.assertRegex(self.text, r"with Rowlock: .* 2,000 stored, none lost")
        self.assertEqual(self.ask("rowlock.db", "SELECT sum(n) FROM counter"), [(2000,)])

    def test_all_regions_are_there_with_the_changed_names(self):
        self.assertEqual(self.ask("regions.db", "SELECT count(*) FROM region"), [(5127,)])
        self.assertEqual(self.ask("regions.db", "SELECT count(*) FROM region "
                                  "WHERE name LIKE '% (new)'"), [(3,)])

    def test_the_waiter_of_a_killed_holder_goes_on(self):
        self.assertRegex(self.text.split("kill -9")[-1], r"(?m)^ +my turn$")

    def test_it_ends_with_what_to_type_next(self):
        self.assertIn("make test", self.text.rstrip().splitlines()[-1])


if __name__ == "__main__":
    unittest.main()
