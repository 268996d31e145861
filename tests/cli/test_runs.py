# SPDX-License-Identifier: MIT
"""The history of runs: what a sync leaves in rowlock_runs, and rowlock runs."""

import json
import signal
import sqlite3
import threading
import unittest
from datetime import datetime, timedelta, timezone

from harness import (DB, LIMIT, SERVER, environment, json_lines, named, send,
                     sqlites_own)
from test_sync import EXISTING, SyncTest

COUNTS = ("records", "created", "updated", "unchanged", "conflicts", "deferred", "rejected")


class RunsTest(SyncTest):
    def runs(self, *options, database=DB):
        return json.loads(self.run_rowlock("runs", database, "--json", *options).stdout)

    def stored(self, columns="status", database=DB):
        return self.query(database, f"SELECT {columns} FROM rowlock_runs ORDER BY id")

    def held_sync(self, *options):
        """A sync that waits for a record, and who holds that."""
        definition = self.small([{"code": "a", "name": "old"}])
        self.sync(definition)
        self.write("t.json", '[{"code": "a", "name": "new"}]')
        definition.write_text(definition.read_text() + "locks: {wait: 1m}\n")
        holder = self.start_rowlock("lock", DB, "t", "1", "--", "sh", "-c",
                                    "echo held; read line")
        holder.wait_for_out("held")
        sync = self.start_rowlock("sync", definition, *options)
        sync.wait_for_err(f"waiting for {named('t', 1)}")
        return definition, sync, holder


class History(RunsTest):
    def test_a_run_leaves_one_row_with_what_came_of_it(self):
        before = datetime.now(timezone.utc)
        definition = self.small([{"code": "a", "name": "x"}, {"code": "b", "name": "x"}, 7])
        self.sync(definition, status=6)
        run, = self.runs()
        self.assertEqual({k: run[k] for k in COUNTS},
                         {"records": 3, "created": 2, "updated": 0, "unchanged": 0,
                          "conflicts": 0, "deferred": 0, "rejected": 1})
        self.assertEqual((run["sync"], run["status"], run["exit_status"], run["error"]),
                         ("t", "done", 6, None))
        started, ended = (datetime.fromisoformat(run[k].replace("Z", "+00:00"))
                          for k in ("started", "ended"))
        self.assertLessEqual(before, started)
        self.assertLessEqual(started, ended)
        self.assertLessEqual(ended, datetime.now(timezone.utc))
        self.assertAlmostEqual(run["seconds"], (ended - started) / timedelta(seconds=1), 2)

    @sqlites_own("times")
    def test_times_are_stored_as_django_stores_them(self):
        self.sync(self.small("[]"))
        for text in self.stored("started, ended")[0]:
            self.assertRegex(text, r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{6})?$")

    def test_the_hash_is_that_of_the_definitions_bytes(self):
        definition = self.small("[]")
        self.sync(definition)
        self.sync(definition)
        definition.write_text(definition.read_text() + "# a comment\n")
        self.sync(definition)
        one, two, three = (row[0] for row in self.stored("definition"))
        self.assertEqual((one, len(one)), (two, 32))
        self.assertNotEqual(two, three)

    def test_a_failed_run_says_why_and_what_it_committed(self):
        definition = self.small([{"code": f"c{i}"} for i in range(1100)])
        self.sync(definition)
        self.write("t.json", json.dumps([{"code": f"d{i}"} for i in range(1100)])[:-1])
        error = self.sync(definition, status=1).stderr
        run = self.runs()[0]
        self.assertEqual((run["status"], run["exit_status"], run["created"], run["records"]),
                         ("failed", 1, 1000, 1000))
        self.assertIn(run["error"], error)

    def test_a_source_that_is_away_leaves_a_row_of_status_5(self):
        server = self.serve(lambda request: send(request, b"", status=503))
        definition = self.small("[]")
        self.sync(definition)
        definition.write_text(definition.read_text().replace(
            "{url: t.json}", f"{{url: {server}/t.json, retries: 0}}"))
        self.sync(definition, status=5)
        self.assertEqual(self.stored("status, exit_status"), [("done", 0), ("failed", 5)])

    def test_errors_hold_no_secret(self):
        server = self.serve(lambda request: send(request, b"", status=403))
        self.sync(self.small("[]"))
        definition = self.top / "t.yaml"
        definition.write_text(definition.read_text().replace(
            "{url: t.json}", f'{{url: "{server}/t?key=${{KEY}}"}}'))
        self.sync(definition, status=1, env=environment(KEY="hush-hush"))
        error = self.stored("error")[1][0]
        self.assertIn("403", error)
        self.assertNotIn("hush", error)

    def test_an_interrupted_run_is_told_as_such(self):
        _, sync, _ = self.held_sync()
        sync.signal(signal.SIGTERM)
        self.assertEqual(sync.end(), 143)
        self.assertEqual(self.stored("status, exit_status, error, ended IS NULL")[1],
                         ("interrupted", 143, None, 0))

    def test_a_cancel_that_nothing_was_waiting_for_does_not_hit_the_history(self):
        asked, over = threading.Event(), threading.Event()

        def stall(_):
            asked.set()
            over.wait(LIMIT)

        server = self.serve(stall)
        self.addCleanup(over.set)
        definition = self.small("[]")
        self.sync(definition)
        definition.write_text(definition.read_text().replace("t.json", f"{server}/t.json"))
        sync = self.start_rowlock("sync", definition)
        self.assertTrue(asked.wait(LIMIT))
        sync.signal(signal.SIGINT)
        self.assertEqual(sync.end(), 130)
        self.assertNotIn("history", sync.err)
        self.assertEqual(self.stored("status, exit_status")[1], ("interrupted", 130))

    def test_what_a_killed_run_left_is_broken_off_at_once_and_for_good(self):
        definition, sync, holder = self.held_sync()
        sync.signal(signal.SIGKILL)
        sync.end()
        self.wait_until_left()
        self.assertEqual(self.stored()[1], ("running",))
        run = self.runs()[0]
        self.assertEqual((run["status"], run["ended"], run["seconds"], run["exit_status"]),
                         ("broken off", None, None, None))
        self.assertEqual(self.stored()[1], ("running",))  # it was only looked at
        holder.tell("")
        self.assertEqual(holder.end(), 0)
        self.sync(definition)
        self.assertEqual(self.stored(), [("done",), ("broken off",), ("done",)])

    def test_a_run_that_another_keeps_from_starting_leaves_no_row(self):
        definition, _, _ = self.held_sync()
        self.sync(definition, status=11)
        self.assertEqual(self.stored(), [("done",), ("running",)])

    def test_definitions_that_run_for_the_first_time_at_once_share_one_table(self):
        self.database("".join(f"CREATE TABLE t{i} (id INTEGER PRIMARY KEY, code TEXT UNIQUE, "
                              "name TEXT);" for i in range(6)), "t.db")
        text = self.small('[{"code": "a"}]', target=EXISTING).read_text()
        for i in range(6):
            self.write(f"{i}.yaml", text.replace("sync: t\n", f"sync: s{i}\n")
                       .replace("table: t}", f"table: t{i}}}"))
        syncs = [self.start_rowlock("sync", f"{i}.yaml") for i in range(6)]
        self.assertEqual([sync.end() for sync in syncs], [0] * 6)
        self.assertEqual([sync.err for sync in syncs], [""] * 6)
        self.assertEqual(sorted(self.stored("sync, status, created")),
                         [(f"s{i}", "done", 1) for i in range(6)])

    def test_a_dry_run_leaves_nothing(self):
        definition = self.small('[{"code": "a"}]')
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT, name TEXT)", "t.db")
        self.sync(definition, "--dry-run", status=3)
        self.assertEqual(self.tables(DB), ["t"])
        self.sync(definition)
        self.sync(definition, "--dry-run")
        self.assertEqual(self.stored(), [("done",)])

    def test_a_database_that_may_be_the_wrong_one_gets_no_history(self):
        definition = self.small("[]", target=EXISTING.replace("table: t", "table: tt"))
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT, name TEXT)", "t.db")
        self.sync(definition, status=2)
        self.assertEqual(self.tables(DB), ["t"])

    def test_a_table_that_fits_no_longer_is_in_the_history(self):
        definition = self.small("[]")
        self.sync(definition)
        self.query(DB, "ALTER TABLE t RENAME COLUMN name TO title")
        self.sync(definition, status=2)
        self.assertEqual(self.stored("status, exit_status"), [("done", 0), ("failed", 2)])
        self.assertIn('has no column "name"', self.runs()[0]["error"])

    def test_the_newest_thousand_of_each_definition_are_kept(self):
        definition = self.small("[]")
        self.sync(definition)
        self.query(DB,
                   "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 2010)"
                   " INSERT INTO rowlock_runs (id, sync, status)"
                   " SELECT i, CASE i % 2 WHEN 1 THEN 't' ELSE 'other' END, 'done' FROM n")
        self.sync(definition)
        self.assertEqual(self.query(DB,
                                    "SELECT sync, count(*), min(id), max(id) FROM rowlock_runs"
                                    " GROUP BY sync ORDER BY sync"),
                         [("other", 1005, 2, 2010), ("t", 1000, 13, 2011)])

    def test_a_table_of_that_name_that_is_no_history_fails_no_run(self):
        definition = self.small('[{"code": "a"}]')
        for sql in ("CREATE TABLE rowlock_runs (id INTEGER PRIMARY KEY, mine TEXT)",
                    "CREATE VIEW rowlock_runs AS SELECT 1"):
            self.remove(DB)
            self.database(sql, "t.db")
            done = self.sync(definition, "--json")
            self.assertEqual(json_lines(done.stdout)[-1]["created"], 1)
            self.assertIn("this run will not be in the history: ", done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1)

    @sqlites_own("writer")
    def test_a_program_that_keeps_the_database_to_itself_fails_no_unchanged_run(self):
        definition = self.small('[{"code": "a"}]')
        self.sync(definition)
        stranger = sqlite3.connect(self.top / "t.db", isolation_level=None)
        self.addCleanup(stranger.close)
        stranger.execute("BEGIN IMMEDIATE")
        done = self.sync(definition, "--json")
        self.assertEqual(json.loads(done.stdout)["unchanged"], 1)
        self.assertIn("this run will not be in the history: ", done.stderr)


class Runs(RunsTest):
    def history(self, *rows):
        """A database with these runs: (id, started, ended, status, counts, error)."""
        self.sync(self.small("[]"))
        self.query(DB, "DELETE FROM rowlock_runs")
        for number, started, ended, status, counts, error in rows:
            self.query(DB,
                       "INSERT INTO rowlock_runs (id, sync, started, ended, status, pid, error, "
                       "created, updated, unchanged, conflicts, deferred, rejected) "
                       "VALUES (?, 'regions', ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?)",
                       number, started, ended, status, error, *(counts or [None] * 6))

    def test_no_history_is_said(self):
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY)", "t.db")
        done = self.run_rowlock("runs", DB)
        self.assertEqual(done.stdout, "")
        self.assertIn("no history: no sync has written to this database yet", done.stderr)
        self.assertEqual(self.runs(), [])
        self.assertEqual(self.tables(DB), ["t"])
        self.assertEqual([p.name for p in self.top.iterdir()], [] if SERVER else ["t.db"])

    @sqlites_own("file")
    def test_a_database_in_another_journal_mode_is_looked_at_too(self):
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY)", "t.db", journal_mode="delete")
        self.assertIn("no history", self.run_rowlock("runs", DB).stderr)
        self.assertEqual(self.runs(), [])
        self.sync(self.small("[]", target="{database: u.db, table: t, create_table: true}"))
        self.query(self.top / "u.db", "PRAGMA journal_mode = delete")
        self.assertEqual([run["status"] for run in self.runs(database="u.db")], ["done"])

    @sqlites_own("file")
    def test_what_is_no_database_is_said(self):
        self.write("t.db", "This is no database. " * 200)
        for name in ("t.db", "nowhere.db"):
            self.assertEqual(self.run_rowlock("runs", name, status=1).stdout, "")

    def test_a_table_newest_first_that_lines_up(self):
        self.history(
            (9, "2026-11-25 09:00:00.250000", "2026-11-25 09:00:03.450000", "done",
             (5127, 0, 0, 0, 0, 0), None),
            (10, "2026-11-25 10:00:00", "2026-11-25 10:00:00.012000", "failed",
             (0, 0, 0, 0, 0, 0), "could not connect to http://127.0.0.1:9/regions.json: "
             "connection refused, and nobody there \x1b[31mto ask"),
            (11, "2026-11-25 11:00:00", None, "broken off", None, None),
            (8, "2026-11-25 08:00:00", "2026-11-25 08:00:00", "failed", (0, 0, 0, 0, 0, 0),
             "no," + 20 * " and no"),
            (12, "2026-07-01 00:30:00", "2026-07-01 01:00:00", "done",
             (1, 22, 1234567, 3, 4, 5), None))
        done = self.run_rowlock("runs", DB, env=environment(TZ="Europe/Vienna"))
        self.assertEqual(done.stderr, "")
        self.assertEqual(done.stdout, """\
ID  SYNC     STARTED                TOOK  STATUS      CREATED  UPDATED  UNCHANGED  CONFLICTS  DEFERRED  REJECTED
12  regions  2026-07-01 02:30:00  30 min  done              1       22  1,234,567          3         4         5
11  regions  2026-11-25 12:00:00       -  broken off        -        -          -          -         -         -
10  regions  2026-11-25 11:00:00   12 ms  failed            0        0          0          0         0         0
 9  regions  2026-11-25 10:00:00   3.2 s  done          5,127        0          0          0         0         0
 8  regions  2026-11-25 09:00:00    0 ms  failed            0        0          0          0         0         0

run 10: could not connect to http://127.0.0.1:9/regions.json: connection
        refused, and nobody there \\x1b[31mto ask
run 8: no, and no and no and no and no and no and no and no and no and no and
       no and no and no and no and no and no and no and no and no and no and no
""")

    def test_only_one_definition_and_only_so_many(self):
        self.history(*((i, "2026-11-25 09:00:00", "2026-11-25 09:00:01", "done", [0] * 6, None)
                       for i in range(1, 31)))
        self.sync(self.top / "t.yaml")
        ids = [run["id"] for run in self.runs()]
        self.assertEqual(ids, list(range(31, 11, -1)))
        self.assertEqual(len(self.runs("--limit=0")), 31)
        self.assertEqual([run["id"] for run in self.runs("--sync=regions", "--limit=2")], [30, 29])
        self.assertEqual([run["sync"] for run in self.runs("--sync=t")], ["t"])
        self.assertEqual(self.runs("--sync=x"), [])
        self.assertIn('no run of "x"', self.run_rowlock("runs", DB, "--sync=x").stderr)

    def test_a_limit_that_is_none_is_wrong_usage(self):
        self.history()
        for limit in ("", "-1", "x", "1.5", "9999999999"):
            done = self.run_rowlock("runs", DB, f"--limit={limit}", status=2)
            self.assertIn("is no number of runs", done.stderr)

    def test_an_empty_history_is_said(self):
        self.history()
        done = self.run_rowlock("runs", DB)
        self.assertEqual((done.stdout, done.stderr), ("", "rowlock: the history is empty\n"))

    def test_a_run_that_is_under_way_shows_and_is_not_waited_for(self):
        _, sync, holder = self.held_sync()
        run = self.runs()[0]
        self.assertEqual((run["status"], run["pid"], run["ended"]), ("running", sync.pid, None))
        self.assertGreaterEqual(run["seconds"], 0)
        holder.tell("")
        self.assertEqual(sync.end(), 0)
        self.assertEqual(self.runs()[0]["status"], "done")

    @sqlites_own("lock table")
    def test_a_name_that_the_lock_table_shortens_is_known_by_its_beginning(self):
        long = "the import of all regions of all countries of the world, hourly\\t"
        definition, sync, _ = None, None, None
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT, name TEXT);"
                      "INSERT INTO t VALUES (1, 'a', 'old')", "t.db")
        holder = self.start_rowlock("lock", DB, "t", "1", "--", "sh", "-c",
                                    "echo held; read line")
        holder.wait_for_out("held")
        definition = self.small('[{"code": "a", "name": "new"}]')
        definition.write_text(definition.read_text().replace("sync: t\n", f'sync: "{long}"\n')
                              + "locks: {wait: 1m}\n")
        sync = self.start_rowlock("sync", definition)
        sync.wait_for_err(f"waiting for {named('t', 1)}")
        self.assertEqual([run["status"] for run in self.runs()], ["running"])
        self.query(DB, "UPDATE rowlock_runs SET sync = 'the import of none'")
        self.assertEqual([run["status"] for run in self.runs()], ["broken off"])

    @sqlites_own("file")
    def test_it_looks_at_a_database_that_others_use(self):
        self.held_sync()
        stranger = sqlite3.connect(self.top / "t.db", isolation_level=None)
        self.addCleanup(stranger.close)
        stranger.execute("BEGIN IMMEDIATE")
        self.assertEqual([run["status"] for run in self.runs()], ["running", "done"])

    @sqlites_own("file")
    def test_a_copy_without_lock_table_runs_nothing_and_gets_none(self):
        self.held_sync()
        db = sqlite3.connect(self.top / "t.db")
        db.execute("VACUUM INTO ?", (str(self.top / "copy.db"),))
        db.close()
        self.query(self.top / "copy.db", "PRAGMA journal_mode = wal")
        self.assertEqual([run["status"] for run in self.runs(database="copy.db")],
                         ["broken off", "done"])
        self.assertFalse((self.top / "copy.db-rowlock").exists())


if __name__ == "__main__":
    unittest.main()
