# SPDX-License-Identifier: MIT
"""rowlock sync: which local record a remote one is."""

import unittest

from harness import DB, SERVER, left, sqlites_own
from test_sync import SyncTest

FIELDS = "{rid: /id, slug: /slug, name: /name}"


class Match(SyncTest):
    def table(self, *rows):
        """Local records: (id, rid, slug, name)."""
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, rid TEXT, slug TEXT, name TEXT)",
                      "t.db")
        for i in range(0, len(rows), 200):
            part = rows[i:i + 200]
            self.query(DB,
                       "INSERT INTO t VALUES " + ", ".join(["(?, ?, ?, ?)"] * len(part)),
                       *(value for row in part for value in row))

    def rows(self):
        return self.query(DB, "SELECT id, rid, slug, name FROM t ORDER BY id")

    def define(self, *remote, fields=FIELDS, match="[rid, slug]"):
        """Remote records: (rid, slug, name)."""
        return self.small([dict(zip(("id", "slug", "name"), r)) for r in remote],
                          fields=fields, match=match)

    def left(self, definition, status):
        done = self.sync(definition, "--json", status=status)
        return left(done.stdout)

    def test_no_hit_creates(self):
        self.table((1, "1", "a", "x"))
        self.assertEqual(self.outcome(self.define(("2", "b", "y"))), {"created": 1})
        self.assertEqual(self.rows(), [(1, "1", "a", "x"), (2, "2", "b", "y")])

    def test_two_for_one_far_apart_are_seen_as_if_they_stood_together(self):
        """Batches are looked up before those ahead of them are written: what
        such a look missed counts all the same."""
        def listing(name):
            records = [(str(n), f"s{n}", name) for n in range(3000)]
            for k, n in enumerate(range(2993, 0, -7)):
                again = (str(n), f"s{n}", name if k % 2 else "other")
                records.insert(min(n + 1 + n * 37 % 1400, len(records)), again)
            return records

        self.table()
        if SERVER:  # else each record costs several messages, and time
            self.query(DB, "CREATE UNIQUE INDEX r ON t (rid)")
            self.query(DB, "CREATE UNIQUE INDEX s ON t (slug)")
        for pace in ("polite", "full"):
            for name, wanted in (("old", {"created": 3000}), ("new", {"updated": 3000})):
                remote = listing(f"{name} {pace}")
                others = sum(r[2] == "other" for r in remote)
                definition = self.define(*remote)
                definition.write_text(definition.read_text() + f"pace: {pace}\n")
                self.assertEqual(
                    self.outcome(definition, status=4),
                    {**wanted, "unchanged": len(remote) - 3000 - others, "conflicts": others})
                self.assertEqual(
                    sorted(row[1:] for row in self.rows()),
                    sorted((str(n), f"s{n}", f"{name} {pace}") for n in range(3000)))
            self.query(DB, "DELETE FROM t")

    @sqlites_own("cost")
    def test_a_chain_of_renames_far_apart_loses_nothing(self):
        """Each takes the slug that another gives up, some batches on."""
        n = 1009  # no multiple of a divisor of 700: all are one chain
        self.table(*((i + 1, str(i), f"s{i}", "x") for i in range(n)))
        for column in ("rid", "slug"):
            self.query(DB, f"CREATE UNIQUE INDEX t_{column} ON t ({column})")
        remote = [(str(i), f"s{(i + 700) % n}", "x") for i in range(n)]
        fast = self.define(*remote, match="{keys: [rid, slug], on_disagree: report}")
        fast.write_text(fast.read_text() + "pace: full\n")
        done = self.outcome(fast, status=4)
        self.assertEqual(done, {"conflicts": n})
        self.query(DB, "UPDATE t SET slug = 'free' WHERE rid = '700'")
        self.assertEqual(self.outcome(fast), {"updated": n})
        self.assertEqual(sorted(self.rows()),
                         sorted((i + 1, str(i), f"s{(i + 700) % n}", "x") for i in range(n)))

    def test_another_value_in_a_later_key_is_a_rename(self):
        self.table((1, "1", "a", "x"))
        self.assertEqual(self.outcome(self.define(("1", "b", "x"))), {"updated": 1})
        self.assertEqual(self.rows(), [(1, "1", "b", "x")])

    def test_a_rename_obeys_the_mode_of_its_field(self):
        self.table((1, "1", "a", "x"))
        fields = "{rid: /id, slug: {from: /slug, mode: create_only}, name: /name}"
        self.assertEqual(self.outcome(self.define(("1", "b", "y"), fields=fields)),
                         {"updated": 1})
        self.assertEqual(self.rows(), [(1, "1", "a", "y")])

    def test_another_value_in_an_earlier_key_is_a_conflict(self):
        self.table((1, "1", "a", "x"))
        definition = self.define(("2", "a", "y"))
        line, = self.left(definition, 4)
        self.assertEqual((line["outcome"], line["record"]), ("conflict", 1))
        self.assertEqual(line["detail"], "slug 'a' finds t/1, which has rid '1', not rid '2'.")
        self.assertEqual(self.rows(), [(1, "1", "a", "x")])

    def test_hits_on_different_records_are_a_conflict(self):
        self.table((1, "1", "a", "x"), (2, "2", "b", "y"))
        line, = self.left(self.define(("1", "b", "z")), 4)
        self.assertEqual(line["detail"], "rid '1' finds t/1, slug 'b' finds t/2.")
        self.assertEqual(self.rows(), [(1, "1", "a", "x"), (2, "2", "b", "y")])

    def test_first_takes_the_first_hit_and_leaves_the_other_keys(self):
        self.table((1, "1", "a", "x"), (2, "2", "b", "y"), (3, "3", "c", "z"))
        definition = self.define(("1", "b", "X"), ("4", "c", "Z"),
                                 match="{keys: [rid, slug], on_disagree: first}")
        self.assertEqual(self.outcome(definition), {"updated": 2})
        self.assertEqual(self.rows(), [(1, "1", "a", "X"), (2, "2", "b", "y"),
                                       (3, "3", "c", "Z")])

    def test_rekey_gives_the_hit_all_keys(self):
        self.table((1, "1", "a", "x"))
        fields = "{rid: {from: /id, mode: create_only}, slug: /slug, name: /name}"
        definition = self.define(("2", "a", "y"), fields=fields,
                                 match="{keys: [rid, slug], on_disagree: rekey}")
        self.assertEqual(self.outcome(definition), {"updated": 1})
        self.assertEqual(self.rows(), [(1, "2", "a", "y")])

    def test_rekey_takes_no_key_from_another_record(self):
        self.table((1, "1", "a", "x"), (2, "2", "b", "y"))
        definition = self.define(("1", "b", "z"),
                                 match="{keys: [rid, slug], on_disagree: rekey}")
        self.assertEqual(self.outcome(definition, status=4), {"conflicts": 1})
        self.assertEqual(self.rows(), [(1, "1", "a", "x"), (2, "2", "b", "y")])

    def test_conflicts_are_settled_by_what_comes_later(self):
        """A chain: each record takes the slug that the next one gives up."""
        n = 600
        self.table(*((i, f"r{i}", f"s{i}", "x") for i in range(1, n + 1)))
        remote = [(f"r{i}", f"s{i + 1}", "x") for i in range(1, n + 1)]
        self.query(DB, "CREATE UNIQUE INDEX u ON t (slug)")
        self.assertEqual(self.outcome(self.define(*remote)), {"updated": n})
        self.assertEqual([row[2] for row in self.rows()], [r[1] for r in remote])

    def test_a_swap_of_keys_is_reported(self):
        self.table((1, "1", "a", "x"), (2, "2", "b", "y"))
        lines = self.left(self.define(("1", "b", "x"), ("2", "a", "y")), 4)
        self.assertEqual([line["outcome"] for line in lines], ["conflict"] * 2)
        self.assertEqual(self.rows(), [(1, "1", "a", "x"), (2, "2", "b", "y")])

    def test_two_remote_records_for_one_local_one_are_reported(self):
        self.table((1, "1", "a", "x"))
        lines = self.left(self.define(("1", "a", "y"), ("1", "a", "z")), 4)
        self.assertEqual([(line["outcome"], line["record"]) for line in lines], [("conflict", 2)])
        self.assertIn("another record of this run", lines[0]["reason"])
        self.assertEqual(self.rows(), [(1, "1", "a", "y")])

    def test_a_new_record_that_is_there_twice_is_created_once(self):
        self.table()
        lines = self.left(self.define(("1", "a", "y"), ("1", "a", "y"), ("1", "a", "z")), 4)
        self.assertEqual([line["record"] for line in lines], [3])
        self.assertEqual(self.rows(), [(1, "1", "a", "y")])

    def test_composite_keys(self):
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, site INTEGER, rid TEXT, slug TEXT);"
                      "INSERT INTO t VALUES (1, 1, 'r', 'a'), (2, 2, 'r', 'a'), (3, 1, NULL, 'b'),"
                      " (4, 1, 'q', 'c')", "t.db")
        definition = self.small(
            [{"s": 2, "r": "r", "g": "A"}, {"s": 1, "r": "n", "g": "b"}, {"s": 1, "g": "a"},
             {"s": 3, "r": "r", "g": "a"}, {"s": 1, "r": "p", "g": "c"}],
            fields="{site: /s, rid: /r, slug: /g}", match="[[site, rid], [site, slug]]")
        self.assertEqual(self.outcome(definition, status=4),
                         {"created": 1, "updated": 2, "unchanged": 1, "conflicts": 1})
        self.assertEqual(self.query(DB, "SELECT * FROM t ORDER BY id"),
                         [(1, 1, "r", "a"), (2, 2, "r", "A"), (3, 1, "n", "b"), (4, 1, "q", "c"),
                          (5, 3, "r", "a")])

    @sqlites_own("collation")
    def test_a_column_without_case_matches_without_case(self):
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, rid TEXT COLLATE NOCASE, "
                      "slug TEXT, name TEXT); INSERT INTO t VALUES (1, 'a', 's', 'x')", "t.db")
        self.assertEqual(self.outcome(self.define(("A", "s", "x"), match="[rid]")),
                         {"updated": 1})

    def test_columns_that_the_source_knows_nothing_of(self):
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, rid TEXT NOT NULL, "
                      "live BOOLEAN NOT NULL, kind TEXT NOT NULL, day DATE NOT NULL, "
                      "at DATETIME NOT NULL, uid CHAR(32) NOT NULL UNIQUE, name TEXT)", "t.db")
        definition = self.small(
            [{"id": "A", "name": " "}, {"id": "B", "name": "b"}],
            fields="{rid: {from: /id, lower: true}, live: {value: true, mode: create_only}, "
                   "kind: {value: 'now'}, day: {value: now, mode: create_only}, "
                   "at: {value: now, on: change}, uid: {value: uuid, mode: create_only}, "
                   "name: {from: /name, empty: null}}", match="[rid]")
        self.assertEqual(self.outcome(definition), {"created": 2})
        select = "SELECT rid, live, kind, name, day, at, uid FROM t ORDER BY id"
        first = self.query(DB, select)
        self.assertEqual([row[:4] for row in first], [("a", 1, "now", None), ("b", 1, "now", "b")])
        for row in first:
            self.assertRegex(row[4], r"^\d{4}-\d\d-\d\d$")
            self.assertRegex(row[5], r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
            self.assertRegex(row[6], r"^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$")
        self.assertEqual(self.outcome(definition), {"unchanged": 2})
        self.assertEqual(self.query(DB, select), first)
        self.write("t.json", '[{"id": "A", "name": null}, {"id": "b", "name": "c"}]')
        self.assertEqual(self.outcome(definition), {"updated": 1, "unchanged": 1})
        second = self.query(DB, select)
        self.assertEqual(second[0], first[0])
        self.assertNotEqual(second[1][5], first[1][5])
        self.assertEqual(second[1][6], first[1][6])

    def test_a_value_that_its_column_cannot_hold_is_the_definitions_fault(self):
        self.table()
        self.query(DB, "ALTER TABLE t ADD COLUMN n INTEGER")
        for value, said in (("seven", "t.yaml:5:57: t.n cannot hold"), ("now, on: change", "cannot hold now")):
            fields = FIELDS[:-1] + f", n: {{value: {value}}}}}"
            definition = self.define(("1", "a", "x"), fields=fields)
            self.assertIn(said, self.sync(definition, status=2).stderr)

    def test_fill_writes_only_where_there_is_nothing(self):
        self.table((1, "1", "a", "mine"), (2, "2", "b", " "), (3, "3", "c", None))
        fields = "{rid: /id, slug: /slug, name: {from: /name, mode: fill}}"
        remote = [(str(i), s, "theirs") for i, s in ((1, "a"), (2, "b"), (3, "c"), (4, "d"))]
        self.assertEqual(self.outcome(self.define(*remote, fields=fields)),
                         {"created": 1, "updated": 2, "unchanged": 1})
        self.assertEqual([row[3] for row in self.rows()], ["mine"] + ["theirs"] * 3)


if __name__ == "__main__":
    unittest.main()
