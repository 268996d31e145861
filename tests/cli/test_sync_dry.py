# SPDX-License-Identifier: MIT
"""rowlock sync --dry-run: what it says, and that it writes nothing."""

import json
import sqlite3
import unittest

from harness import DB, CliTest, environment, sqlites_own

FIELDS = "{code: /code, name: /name, n: {from: /n, type: integer}}"
NOW = ("{code: /code, name: /name, at: {value: now, on: change}, "
       "u: {value: uuid, mode: create_only}}")
TABLE = ("CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT UNIQUE, name TEXT, n INTEGER);"
         "INSERT INTO t VALUES (1, 'a', 'old', 1), (2, 'b', 'same', 2)")
CHANGED = [{"code": "a", "name": "new", "n": 1}, {"code": "b", "name": "same", "n": 2},
           {"code": "c", "name": "more"}]


class DryTest(CliTest):
    def setUp(self):
        super().setUp()
        self.remove(DB)

    def definition(self, records, fields=FIELDS, match="[code]", create="true"):
        if not isinstance(records, str):
            records = json.dumps(records)
        self.write("t.json", records)
        return self.write("t.yaml", f"sync: t\ntarget: {{database: {DB}, table: t, create_table: "
                                    f"{create}}}\nsource: {{url: t.json}}\n"
                                    f"match: {match}\nfields: {fields}\n")

    def dry(self, definition, *options, status=3, **more):
        return self.run_rowlock("sync", "--dry-run", definition, *options, status=status, **more)

    def lines(self, definition, status=3):
        done = self.dry(definition, "--json", status=status)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def outcome(self, definition, status=3):
        last = self.lines(definition, status)[-1]
        return {k: last[k] for k in ("created", "updated", "unchanged", "conflicts", "deferred",
                                     "rejected") if last[k]}

    def real(self, definition, status=0):
        last = json.loads(self.run_rowlock("sync", "--json", definition, status=status)
                          .stdout.splitlines()[-1])
        return {k: last[k] for k in ("created", "updated", "unchanged", "conflicts", "deferred",
                                     "rejected") if last[k]}

    def folder(self):
        """Each file's bytes and time of change."""
        return {path.name: (path.read_bytes(), path.stat().st_mtime_ns)
                for path in self.top.iterdir()}


class Nothing(DryTest):
    @sqlites_own("file")
    def test_writes_nothing(self):
        definition = self.definition(CHANGED)
        self.database(TABLE, "t.db")
        before = self.folder()
        self.dry(definition)
        self.assertEqual(self.folder(), before)

    @sqlites_own("file")
    def test_leaves_a_log_of_somebody_who_died(self):
        definition = self.definition(CHANGED)
        path = self.database(TABLE, "t.db")
        db = sqlite3.connect(path)
        db.execute("UPDATE t SET name = 'in the log' WHERE id = 1")
        db.commit()
        copies = {name: (self.top / name).read_bytes() for name in ("t.db", "t.db-wal")}
        db.close()
        for name, content in copies.items():
            (self.top / name).write_bytes(content)
        self.assertIn("'in the log'  -> 'new'", self.dry(definition).stdout)
        self.assertEqual({name: (self.top / name).read_bytes() for name in copies}, copies)

    def test_creates_nothing(self):
        definition = self.definition(CHANGED)
        before = self.folder()
        self.assertEqual(self.outcome(definition), {"created": 3})
        self.assertEqual(self.folder(), before)
        self.assertFalse(self.there_is(DB))

    def test_creates_no_table(self):
        definition = self.definition(CHANGED)
        self.database("CREATE TABLE other (id INTEGER PRIMARY KEY)", "t.db")
        before = self.folder()
        self.assertEqual(self.outcome(definition), {"created": 3})
        self.assertEqual(self.folder(), before)

    def test_needs_no_run_lock(self):
        definition = self.definition(CHANGED)
        self.database(TABLE, "t.db")
        holder = self.start_rowlock("lock", DB, "t", "1", "--",
                                    "sh", "-c", "echo held; read line")
        holder.wait_for_out("held")
        self.assertEqual(self.outcome(definition), {"created": 1, "updated": 1, "unchanged": 1})
        holder.tell("")
        self.assertEqual(holder.end(), 0)


class Failures(DryTest):
    @sqlites_own("file")
    def test_missing_database_that_would_not_be_made(self):
        definition = self.definition(CHANGED, create="false")
        self.assertIn("No such file", self.dry(definition, status=1).stderr)

    @sqlites_own("file")
    def test_missing_folder(self):
        definition = self.definition(CHANGED)
        definition.write_text(definition.read_text().replace("t.db", "no/t.db"))
        self.assertIn("No such file", self.dry(definition, status=1).stderr)

    def test_field_that_the_table_lacks(self):
        definition = self.definition(CHANGED, fields="{code: /code, nam: /name}")
        self.database(TABLE, "t.db")
        self.assertIn('Did you mean "name"?', self.dry(definition, status=2).stderr)

    @sqlites_own("file")
    def test_database_in_another_journal_mode(self):
        definition = self.definition(CHANGED)
        self.database(TABLE, "t.db", journal_mode="delete")
        before = self.folder()
        self.assertIn("wal", self.dry(definition, status=1).stderr)
        self.assertEqual(self.folder(), before)


class Speech(DryTest):
    def test_shows_each_change_column_by_column(self):
        definition = self.definition(CHANGED)
        self.database(TABLE, "t.db")
        lines = self.dry(definition).stdout.splitlines()
        self.assertEqual(lines[:5], [
            "* t/1  (record 1, line 1)",
            "    name  'old'  -> 'new'",
            "+ t  (record 3, line 1)",
            "    code  'c'",
            "    name  'more'"])
        self.assertRegex(lines[5], r"^t: 3 records in ")
        self.assertEqual(lines[6:], [
            "  + created    1", "  * updated    1", "  = unchanged  1", "  ^ conflicts  0",
            "  ~ deferred   0", "  ! rejected   0",
            "dry run: nothing was written; this would be done"])

    def test_columns_line_up(self):
        definition = self.definition([{"code": "a", "name": None, "n": 100}])
        self.database(TABLE, "t.db")
        self.assertEqual(self.dry(definition).stdout.splitlines()[1:3],
                         ["    name  'old'  -> NULL", "    n     1      -> 100"])

    def test_long_values_are_shortened_and_steer_no_terminal(self):
        long = "x" * 1000
        definition = self.definition([{"code": "a", "name": long + "\x1b[31m"}])
        self.database(TABLE.replace("old", long), "t.db")
        line = self.dry(definition).stdout.splitlines()[1]
        self.assertLess(len(line), 200)
        self.assertIn("(differs further on)", line)
        self.write("t.json", json.dumps([{"code": "a", "name": "\x1b[31m"}]))
        self.assertNotIn("\x1b", self.dry(definition).stdout)

    def test_json(self):
        definition = self.definition(CHANGED)
        self.database(TABLE, "t.db")
        update, create, last = self.lines(definition)
        self.assertEqual(update, {
            "outcome": "would-update", "record": 1, "line": 1, "byte": 2, "table": "t",
            "key": {"id": 1}, "changes": [{"column": "name", "old": "old", "new": "new"}]})
        self.assertEqual((create["outcome"], create["key"]), ("would-create", None))
        self.assertEqual(create["changes"], [{"column": "code", "old": None, "new": "c"},
                                             {"column": "name", "old": None, "new": "more"}])
        self.assertTrue(last["dry_run"])

    def test_a_second_dry_run_says_the_same(self):
        definition = self.definition(CHANGED, fields=NOW)
        first = self.lines(definition)[:-1]
        self.assertEqual(self.lines(definition)[:-1], first)
        self.assertEqual(first[0]["changes"][2:],
                         [{"column": "at", "old": None, "new": None, "generated": "now"},
                          {"column": "u", "old": None, "new": None, "generated": "uuid"}])

    def test_after_a_real_run_nothing_would_change(self):
        definition = self.definition(CHANGED)
        self.run_rowlock("sync", definition)
        done = self.dry(definition, status=0)
        self.assertTrue(done.stdout.endswith("dry run: nothing would change\n"))
        self.assertEqual(self.outcome(definition, status=0), {"unchanged": 3})

    def test_environment_twin(self):
        definition = self.definition(CHANGED)
        self.run_rowlock("sync", definition, status=3, env=environment(ROWLOCK_DRY_RUN="1"))
        self.assertFalse(self.there_is(DB))


class AsItWouldBe(DryTest):
    """The counts are those of the real run."""

    def same(self, definition, status):
        dry = self.outcome(definition, status or 3)
        self.assertEqual(self.real(definition, status), dry)
        return dry

    def test_rejected(self):
        definition = self.definition('[{"code": "a"}, 7, {"code": "b", "n": "x"}]')
        self.assertIn("record 2 (", self.dry(definition, status=6).stderr)
        self.assertEqual(self.same(definition, 6), {"created": 1, "rejected": 2})

    def test_conflict(self):
        definition = self.definition([{"code": "b", "name": "old"}, {"code": "z", "name": "z"}],
                                     match="[code, name]")
        self.database(TABLE, "t.db")
        self.assertIn("conflict: its match keys find different records",
                      self.dry(definition, status=4).stderr)
        self.assertEqual(self.same(definition, 4), {"created": 1, "conflicts": 1})

    def test_two_remote_records_for_one_new_one(self):
        records = [{"code": f"c{i % 700}", "name": f"n{i % 1400 % 701}"} for i in range(1401)]
        self.assertEqual(self.same(self.definition(records), 4),
                         {"created": 700, "unchanged": 1, "conflicts": 700})

    def test_two_remote_records_for_one_old_one(self):
        records = [{"code": "a", "name": "x"}, {"code": "b", "name": "same"},
                   {"code": "a", "name": "x"}, {"code": "a", "name": "y"},
                   {"code": "b", "name": "y"}]
        definition = self.definition(records)
        self.database(TABLE, "t.db")
        self.assertEqual(self.same(definition, 4), {"updated": 1, "unchanged": 2, "conflicts": 2})


if __name__ == "__main__":
    unittest.main()
