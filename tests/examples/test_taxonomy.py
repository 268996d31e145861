# SPDX-License-Identifier: MIT
"""examples/taxonomy: the case that the library was made for."""

import os
import sqlite3
import subprocess
import tempfile
import unittest
from pathlib import Path

SCHEMA = """PRAGMA journal_mode = wal;
            CREATE TABLE taxonomy (id INTEGER PRIMARY KEY, remote_id TEXT,
                slug TEXT, name TEXT, description TEXT, published BOOLEAN);"""
COLUMNS = "id, remote_id, slug, name, description, published"


class Taxonomy(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="rowlock-test-")
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "site.db"
        self.sql(SCHEMA)

    def sql(self, script):
        db = sqlite3.connect(self.path)
        db.executescript(script)
        db.close()

    def rows(self):
        db = sqlite3.connect(self.path)
        try:
            return db.execute(f"SELECT {COLUMNS} FROM taxonomy ORDER BY id").fetchall()
        finally:
            db.close()

    def bring_in(self, *lines, status=0):
        done = subprocess.run([os.environ["ROWLOCK_TAXONOMY"], self.path], text=True,
                              input="".join("\t".join(line) + "\n" for line in lines),
                              capture_output=True, timeout=60)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout.splitlines() if status == 0 else done.stderr

    def test_an_unknown_taxonomy_is_created_from_the_creating_fields(self):
        self.assertEqual(self.bring_in((" 17 ", "fruit", "Fruit", "Sweet")), ["created 1"])
        self.assertEqual(self.rows(), [(1, "17", "fruit", "Fruit", "Sweet", 0)])

    def test_one_known_by_its_remote_id_gets_the_updating_fields_alone(self):
        self.sql("INSERT INTO taxonomy VALUES (5, '17', 'obst', 'Obst', 'Alt', 1), "
                 "(6, NULL, 'fruit', 'Other', 'Other', 1)")
        self.assertEqual(self.bring_in(("17", "fruit", "Fruit", "Sweet")), ["found 5"])
        self.assertEqual(self.rows(), [(5, "17", "obst", "Fruit", "Sweet", 1),
                                       (6, None, "fruit", "Other", "Other", 1)])

    def test_without_a_remote_id_the_slug_finds_it(self):
        self.sql("INSERT INTO taxonomy VALUES (5, '', 'nuts', 'Nuts', '', 1), "
                 "(6, '18', 'fruit', 'Obst', '', 1)")
        self.assertEqual(self.bring_in(("  ", "fruit", "Fruit", "Sweet")), ["found 6"])
        self.assertEqual(self.rows()[1], (6, "18", "fruit", "Fruit", "Sweet", 1))

    def test_twice_the_same_list_creates_nothing_twice(self):
        lines = [(str(n), f"s{n}", f"Name {n}", "") for n in range(20)]
        self.assertEqual(self.bring_in(*lines), [f"created {n + 1}" for n in range(20)])
        self.assertEqual(self.bring_in(*lines), [f"found {n + 1}" for n in range(20)])
        self.assertEqual(len(self.rows()), 20)

    def test_many_at_once_create_nothing_twice(self):
        lines = "".join(f"{n}\ts{n}\tName {n}\t\n" for n in range(40))
        programs = [subprocess.Popen([os.environ["ROWLOCK_TAXONOMY"], self.path], text=True,
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                    for _ in range(4)]
        for program in programs:
            program.stdin.write(lines)
            program.stdin.close()
            program.stdin = None
        told = "".join(program.communicate(timeout=60)[0] for program in programs)
        self.assertEqual([program.returncode for program in programs], [0] * 4)
        self.assertEqual(told.count("created"), 40)
        self.assertEqual(told.count("found"), 120)
        self.assertEqual(len(self.rows()), 40)

    def test_a_long_description_stays_whole(self):
        self.assertEqual(self.bring_in(("1", "a", "A", "x" * 10000)), ["created 1"])
        self.assertEqual(len(self.rows()[0][4]), 10000)

    def test_what_is_wrong_is_told(self):
        self.sql("DROP TABLE taxonomy")
        self.assertIn("taxonomy", self.bring_in(("1", "a", "A", ""), status=1))


if __name__ == "__main__":
    unittest.main()
