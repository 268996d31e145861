# SPDX-License-Identifier: MIT
"""rowlock sync --json: what a program behind the import is told, and when."""

import json
import os
import subprocess
import unittest

from harness import DB, LIMIT, PROGRAM, json_lines, named, sqlites_own
from test_sync import SyncTest

FIELDS = "{code: /code, name: /name, n: {from: /n, type: integer}}"


class JsonTest(SyncTest):
    def lines(self, definition, status=0):
        return json_lines(self.sync(definition, "--json", status=status).stdout)

    def rows(self, sql):
        return self.query(DB, sql)


class Lines(JsonTest):
    def test_created(self):
        definition = self.small('[\n{"code": "a", "name": "x", "n": 7},\n{"code": "b"}]', FIELDS)
        self.assertEqual(self.lines(definition)[:-1], [
            {"outcome": "created", "record": 1, "line": 2, "byte": 3, "table": "t",
             "key": {"id": 1}, "changes": [{"column": "code", "old": None, "new": "a"},
                                           {"column": "name", "old": None, "new": "x"},
                                           {"column": "n", "old": None, "new": 7}]},
            {"outcome": "created", "record": 2, "line": 3, "byte": 39, "table": "t",
             "key": {"id": 2}, "changes": [{"column": "code", "old": None, "new": "b"}]}])

    @sqlites_own("values")
    def test_updated_with_old_and_new_values_and_unchanged_ones_counted_only(self):
        definition = self.small([{"code": "a", "name": "x"}, {"code": "b", "name": "y"}])
        self.database('CREATE TABLE "T" (id INTEGER PRIMARY KEY, "Code" TEXT, name);'
                      "INSERT INTO t VALUES (5, 'a', 'x'), (6, 'b', x'00ff')", "t.db")
        lines = self.lines(definition)
        self.assertEqual(lines[:-1], [
            {"outcome": "updated", "record": 2, "line": 1, "byte": 30, "table": "T",
             "key": {"id": 6}, "changes": [{"column": "name", "old": "00ff", "new": "y"}]}])
        self.assertEqual((lines[-1]["updated"], lines[-1]["unchanged"]), (1, 1))

    def test_a_key_of_several_columns_that_changes_is_told_as_it_is_now(self):
        definition = self.small([{"code": "a", "site": 2, "name": "x"}],
                                "{code: /code, site: /site, name: /name}")
        self.database("CREATE TABLE t (site INTEGER, code TEXT, name TEXT, "
                      "PRIMARY KEY (site, code)); INSERT INTO t VALUES (1, 'a', 'x')", "t.db")
        line = self.lines(definition)[0]
        self.assertEqual(line["key"], {"site": 2, "code": "a"})
        self.assertEqual(line["changes"], [{"column": "site", "old": 1, "new": 2}])

    def test_generated_values_are_those_that_were_written(self):
        definition = self.small([{"code": "a"}],
                                "{code: /code, u: {value: uuid, mode: create_only}, "
                                "at: {value: now, mode: create_only}}")
        changes = {c["column"]: c["new"] for c in self.lines(definition)[0]["changes"]}
        self.assertEqual(self.rows("SELECT code, u, at FROM t"),
                         [(changes["code"], changes["u"], changes["at"])])

    def test_records_that_are_left_name_the_local_one_where_it_is_known(self):
        definition = self.small(
            [{"code": "a", "name": "no"}, {"code": "b", "name": [1]},
             {"code": "c", "name": "same"}, {"code": "new", "name": "no"}], match="[code, name]")
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT, "
                      "name TEXT CHECK (name <> 'no'));"
                      "INSERT INTO t VALUES (5, 'a', 'yes'), (6, 'c', 'x'), (7, 'd', 'same')",
                      "t.db")
        lines = self.lines(definition, status=4)
        self.assertEqual({line["record"]: (line["outcome"], line["table"], line["key"])
                          for line in lines[:-1]},
                         {1: ("rejected", "t", {"id": 5}), 2: ("rejected", "t", None),
                          3: ("conflict", "t", {"id": 6}), 4: ("rejected", "t", None)})

    def test_each_record_of_a_block_that_ran_again_is_told_once(self):
        """One record is refused by the table, so its block runs again with
        savepoints; the tables and the lines agree."""
        definition = self.small([{"code": f"c{i}", "name": "x", "n": i} for i in range(1500)],
                                FIELDS)
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT, name TEXT, "
                      "n INTEGER CHECK (n <> 700))", "t.db")
        lines = self.lines(definition, status=6)
        created = [line for line in lines[:-1] if line["outcome"] == "created"]
        self.assertEqual([line["record"] for line in created],
                         [i + 1 for i in range(1500) if i != 700])
        self.assertEqual([(line["key"]["id"], line["changes"][0]["new"]) for line in created],
                         self.rows("SELECT id, code FROM t ORDER BY id"))

    def test_a_conflict_that_settles_later_is_told_as_what_it_became(self):
        definition = self.small([{"code": "a", "name": "2"}, {"code": "b", "name": "3"}],
                                match="[code, name]")
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT, name TEXT);"
                      "INSERT INTO t VALUES (1, 'a', '1'), (2, 'b', '2')", "t.db")
        lines = self.lines(definition)
        self.assertEqual([(line["outcome"], line["record"], line["key"]) for line in lines[:-1]],
                         [("updated", 2, {"id": 2}), ("updated", 1, {"id": 1})])

    def test_dry_run_has_the_same_shape(self):
        definition = self.small([{"code": "a", "name": "new"}, {"code": "b"}])
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT, name TEXT);"
                      "INSERT INTO t VALUES (1, 'a', 'old')", "t.db")
        dry = json_lines(self.sync(definition, "--json", "--dry-run", status=3).stdout)[:-1]
        real = self.lines(definition)[:-1]
        self.assertEqual([line.pop("outcome") for line in dry], ["would-update", "would-create"])
        self.assertEqual([line.pop("outcome") for line in real], ["updated", "created"])
        self.assertIsNone(dry[1].pop("key"))
        self.assertEqual(real[1].pop("key"), {"id": 2})
        self.assertEqual(dry, real)


class When(JsonTest):
    def test_lines_are_out_once_their_block_is_committed(self):
        """While a held record is waited for, what was written beside it is in
        the table, and told."""
        definition = self.small([{"code": f"c{i}", "name": "old"} for i in range(3)])
        self.sync(definition)
        self.small([{"code": f"c{i}", "name": "new"} for i in range(3)])
        definition.write_text(definition.read_text() + "locks: {wait: 1m}\n")
        holder = self.hold(2)
        sync = self.start_rowlock("sync", "--json", definition)
        sync.wait_for_err(f"waiting for {named('t', 2)}")
        sync.wait_for_out('"key": {"id": 3}')
        self.assertEqual([line["key"]["id"] for line in json_lines(sync.out)], [1, 3])
        self.assertEqual(self.rows("SELECT id FROM t WHERE name = 'new' ORDER BY id"), [(1,), (3,)])
        holder.tell("")
        self.assertEqual(sync.end(), 0)
        self.assertEqual([line["key"]["id"] for line in json_lines(sync.out)[:-1]], [1, 3, 2])

    def test_killed_at_any_moment_it_has_told_nothing_that_is_not_there(self):
        definition = self.small([{"code": f"c{i}", "name": "x"} for i in range(20_000)])
        for told in (1, 700, 5_000):
            with self.subTest(told=told):
                sync = self.start_rowlock("sync", "--json", definition)
                sync.wait_for_out(f'"key": {{"id": {told}}}')
                sync.kill()
                lines = [line for line in sync.out.splitlines() if line.endswith("}")]
                there = {key for key, in self.rows("SELECT id FROM t")}
                self.assertLessEqual({json.loads(line)["key"]["id"] for line in lines
                                      if '"key"' in line}, there)
                self.assertGreaterEqual(len(there), told)
                self.remove(DB)


class Reader(JsonTest):
    """What reads the lines has gone, or cannot take them."""

    def many(self):
        return self.small([{"code": f"c{i}", "name": "x" * 100} for i in range(20_000)])

    def check_stopped(self, done_status, err, why):
        self.assertEqual(done_status, 1, err)
        self.assertEqual(err, f"rowlock: sync: could not write the result: {why}\n"
                              " detail: What is committed stays.\n")
        n = self.rows("SELECT count(*) FROM t")[0][0]
        self.assertLess(n, 20_000)
        return n

    def test_a_reader_that_goes_away_ends_the_run_after_a_block(self):
        definition = self.many()
        sync = subprocess.Popen([PROGRAM, "sync", "--json", definition], text=True,
                                cwd=self.top, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(sync.wait)
        first = json.loads(sync.stdout.readline())
        sync.stdout.close()
        err = sync.stderr.read()
        sync.stderr.close()
        n = self.check_stopped(sync.wait(LIMIT), err, os.strerror(32))
        self.assertEqual(first["key"], {"id": 1})
        self.assertGreater(n, 0)
        self.assertEqual(self.outcome(definition), {"created": 20_000 - n, "unchanged": n})

    def test_a_full_disk_ends_the_run(self):
        definition = self.many()
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([PROGRAM, "sync", "--json", definition], text=True, check=False,
                                  cwd=self.top, stdout=full, stderr=subprocess.PIPE, timeout=LIMIT)
        self.check_stopped(done.returncode, done.stderr, os.strerror(28))

    def test_a_dry_run_ends_silently(self):
        definition = self.many()
        sync = subprocess.Popen([PROGRAM, "sync", "--json", "--dry-run", definition], text=True,
                                cwd=self.top, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(sync.wait)
        sync.stdout.readline()
        sync.stdout.close()
        self.assertEqual(sync.stderr.read(), "")
        sync.stderr.close()
        self.assertEqual(sync.wait(LIMIT), -13)

    def test_a_pipe_that_does_not_block_gets_every_line(self):
        definition = self.many()
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        sync = subprocess.Popen([PROGRAM, "sync", "--json", definition], cwd=self.top,
                                stdout=writing)
        self.addCleanup(sync.wait)
        os.close(writing)
        with open(reading, encoding="utf-8") as stream:
            self.assertEqual(len(stream.readlines()), 20_001)
        self.assertEqual(sync.wait(LIMIT), 0)


if __name__ == "__main__":
    unittest.main()
