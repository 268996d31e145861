# SPDX-License-Identifier: MIT
"""rowlock sync beside others: who holds what it wants, and what it costs."""

import collections
import json
import unittest

from harness import DB, ENGINE, SERVER, json_lines, left, named
from test_sync import SyncTest


class Unchanged(SyncTest):
    def test_costs_no_write_and_no_lock(self):
        records = [{"code": f"c{i}", "name": "x"} for i in range(1200)]
        definition = self.small(records)
        self.sync(definition)
        self.query(DB, "CREATE TABLE log (n INTEGER)")
        for what in ("INSERT", "UPDATE", "DELETE"):
            ENGINE.trigger(self.top, DB, what, "INSERT INTO log VALUES (1)")
        holder = self.hold(*range(1, 1201))
        self.assertEqual(self.outcome(definition), {"unchanged": 1200})
        self.assertEqual(self.query(DB, "SELECT count(*) FROM log"), [(0,)])
        holder.tell("")


class Held(SyncTest):
    def changed(self, n, locks):
        """A table of n records, a source that changes them all."""
        definition = self.small([{"code": f"c{i:04}", "name": "old"} for i in range(1, n + 1)])
        self.sync(definition)
        self.write("t.json", json.dumps([{"code": f"c{i:04}", "name": "new"}
                                         for i in range(1, n + 1)]))
        definition.write_text(definition.read_text() + f"locks: {locks}\n")
        return definition

    def names(self):
        return dict(self.query(DB, "SELECT id, name FROM t"))

    def test_a_thousand_held_records_are_deferred_by_name_and_the_others_written(self):
        definition = self.changed(2000, "{wait: 100ms, total: 1s}")
        held = range(501, 1501)
        holder = self.hold(*held)
        done = self.sync(definition, "--json", status=5)
        lines = left(done.stdout)
        self.assertEqual([line["record"] for line in lines], list(held))
        self.assertEqual([line["key"] for line in lines], [{"id": i} for i in held])
        self.assertEqual({line["outcome"] for line in lines}, {"deferred"})
        self.assertEqual({line["sqlstate"] for line in lines}, {"55P03"})
        last = json_lines(done.stdout)[-1]
        self.assertEqual((last["updated"], last["deferred"]), (1000, 1000))
        self.assertEqual(self.names(),
                         {i: "old" if i in held else "new" for i in range(1, 2001)})
        holder.tell("")
        self.assertEqual(holder.end(), 0)
        self.assertEqual(self.outcome(definition), {"updated": 1000, "unchanged": 1000})

    def test_the_next_run_writes_what_was_deferred(self):
        definition = self.changed(3, "{wait: 0s}")
        holder = self.hold(2)
        self.assertEqual(self.outcome(definition, status=5), {"updated": 2, "deferred": 1})
        holder.tell("")
        self.assertEqual(holder.end(), 0)
        self.assertEqual(self.outcome(definition), {"updated": 1, "unchanged": 2})

    def test_others_are_written_before_a_held_one_is_waited_for(self):
        definition = self.changed(3, "{wait: 1m}")
        holder = self.hold(1)
        sync = self.start_rowlock("sync", definition)
        sync.wait_for_err(f"waiting for {named('t', 1)}")
        self.assertEqual(self.names(), {1: "old", 2: "new", 3: "new"})
        self.run_rowlock("lock", DB, "t", "2", "3", "--nowait", "--", "true")
        holder.tell("")
        self.assertEqual(sync.end(), 0)
        self.assertEqual(self.names(), {1: "new", 2: "new", 3: "new"})

    def test_all_others_of_the_source_are_written_before_a_thousand_are_waited_for(self):
        definition = self.changed(2600, "{wait: 1m}")
        held = range(301, 1301)
        holder = self.hold(*held)
        sync = self.start_rowlock("sync", "--json", definition)
        self.wait_until_it_waits(sync, DB)
        self.assertEqual(self.names(),
                         {i: "old" if i in held else "new" for i in range(1, 2601)})
        holder.tell("")
        self.assertEqual(sync.end(), 0, sync.err)
        self.assertEqual(set(self.names().values()), {"new"})
        lines = [json.loads(line)["record"] for line in sync.out.splitlines()[:-1]]
        self.assertEqual(lines, [i for i in range(1, 2601) if i not in held] + list(held))

    def test_what_is_held_is_told_as_deferred_when_the_source_fails(self):
        definition = self.changed(600, "{wait: 1m}")
        self.write("t.json", (self.top / "t.json").read_text()[:-1])
        self.hold(2)
        line, = left(self.sync(definition, "--json", status=1).stdout)
        self.assertEqual((line["record"], line["outcome"], line["sqlstate"]),
                         (2, "deferred", "55P03"))
        self.assertEqual(collections.Counter(self.names().values()), {"new": 499, "old": 101})

    def test_what_changed_while_it_was_waited_for_is_compared_again(self):
        definition = self.changed(2, "{wait: 1m}")
        write = self.hold_and_write("UPDATE t SET name = 'new' WHERE id = 1")
        sync = self.start_rowlock("sync", "--json", definition)
        sync.wait_for_err(f"waiting for {named('t', 1)}")
        write()
        self.assertEqual(sync.end(), 0)
        line = json.loads(sync.out.splitlines()[-1])
        self.assertEqual((line["updated"], line["unchanged"]), (1, 1))

    def hold_and_write(self, sql):
        """Somebody holds record 1; what makes them run sql, and end."""
        if SERVER:
            db = ENGINE.connect(DB)
            self.addCleanup(db.close)
            cursor = db.cursor()
            cursor.execute("BEGIN; SELECT FROM t WHERE id = 1 FOR UPDATE")
            return lambda: cursor.execute(f"{sql}; COMMIT")
        holder = self.start_rowlock(
            "lock", DB, "t", "1", "--", "/usr/bin/python3", "-c",
            "import sqlite3, sys\n"
            "print('held', flush=True)\n"
            "sys.stdin.readline()\n"
            "with sqlite3.connect('t.db', timeout=60) as db:\n"
            f"    db.execute({sql!r})\n")
        holder.wait_for_out("held")
        return lambda: holder.tell("")

    def test_a_second_run_of_a_definition_ends_at_once_and_says_who_runs(self):
        definition = self.changed(2, "{wait: 1m}")
        holder = self.hold(1)
        first = self.start_rowlock("sync", definition)
        first.wait_for_err(f"waiting for {named('t', 1)}")
        number = ENGINE.claimant(DB) if SERVER else first.pid
        done = self.sync(definition, status=11)
        self.assertIn("another run of 't' is under way", done.stderr)
        self.assertRegex(done.stderr, rf"[Pp]rocess {number} \(rowlock sync t\)")
        first.signal(9)
        first.end()
        self.wait_until_left()
        holder.tell("")
        self.assertEqual(holder.end(), 0)
        self.assertEqual(self.outcome(definition), {"updated": 1, "unchanged": 1})

    def test_two_definitions_of_one_source_in_opposite_orders(self):
        """Both want all records, one from the front, one from the back."""
        definition = self.changed(3000, "{wait: 5s}")
        records = json.loads((self.top / "t.json").read_text())
        self.write("u.json", json.dumps(records[::-1]))
        self.write("u.yaml", definition.read_text().replace("sync: t", "sync: u")
                   .replace("t.json", "u.json"))
        runs = [self.start_rowlock("sync", name, "--json") for name in ("t.yaml", "u.yaml")]
        self.assertEqual([run.end() for run in runs], [0, 0])
        results = [json_lines(run.out)[-1] for run in runs]
        self.assertEqual(sum(r["updated"] for r in results), 3000)
        self.assertEqual(sum(r["unchanged"] for r in results), 3000)
        self.assertEqual(set(self.names().values()), {"new"})


if __name__ == "__main__":
    unittest.main()
