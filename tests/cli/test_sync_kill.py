# SPDX-License-Identifier: MIT
"""rowlock sync is killed, interrupted, stopped: what was committed stays whole,
nobody else is kept from work, and the next run completes."""

import json
import os
import shutil
import signal
import threading
import unittest

from harness import PROGRAM, Program, environment, send_in_two
from test_sync import SyncTest

DIE_AT = os.environ.get("DIE_AT", "die_at")
SOAK = int(os.environ.get("ROWLOCK_SOAK", 1))
KILLED = 137
RECORDS = 1200


class Deaths(SyncTest):
    """Half of the records are there, in another state; the rest is new."""

    def prepare(self):
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT, name TEXT, copy TEXT);"
                      "WITH RECURSIVE i (x) AS (SELECT 0 UNION ALL SELECT x + 2 FROM i "
                      f"WHERE x < {RECORDS - 2}) INSERT INTO t (code, name, copy) "
                      "SELECT 'c' || x, 'old', 'old' FROM i", "new.db")
        return self.small([{"code": f"c{i}", "name": f"n{i}"} for i in range(RECORDS)],
                          fields="{code: /code, name: /name, copy: /name}",
                          target="{database: t.db, table: t}")

    def start_anew(self):
        for name in ("t.db-wal", "t.db-shm", "t.db-rowlock"):
            (self.top / name).unlink(missing_ok=True)
        shutil.copy(self.top / "new.db", self.top / "t.db")

    def die_at(self, n, definition):
        """Whether it died before it came to its end."""
        # The leak checker stops a program that is watched in this way.
        environ = environment(ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0")
        program = Program(DIE_AT, n, PROGRAM, "sync", definition, cwd=self.top, env=environ)
        self.addCleanup(program.kill)
        status = program.end()
        self.assertIn(status, (0, KILLED), program.err)
        return status == KILLED

    def check_whole(self):
        """Records are as they were or as they should be; the database is sound."""
        path = self.top / "t.db"
        self.assertEqual(self.query(path, "PRAGMA integrity_check"), [("ok",)])
        self.assertEqual(self.query(path, "SELECT * FROM t WHERE name IS NOT copy OR name NOT IN "
                                          "('old', 'n' || substr(code, 2))"), [])
        self.assertEqual(self.query(path, "SELECT code FROM t GROUP BY code HAVING count(*) > 1"),
                         [])

    def check_complete(self, definition):
        counts = self.outcome(definition)
        self.assertEqual(sum(counts.values()), RECORDS)
        self.assertLessEqual(counts.keys(), {"created", "updated", "unchanged"})
        self.check_whole()
        self.assertEqual(self.query(self.top / "t.db", "SELECT count(*) FROM t WHERE name <> 'old'"),
                         [(RECORDS,)])
        self.assertEqual(self.run_rowlock("locks", "t.db", "--json").stdout, "[]\n")

    def test_a_death_before_any_write_leaves_whole_records_and_the_next_run_completes(self):
        definition, deaths, n = self.prepare(), 0, 1
        self.start_anew()
        while self.die_at(n, definition):
            self.check_whole()
            self.check_complete(definition)
            self.start_anew()
            deaths, n = deaths + 1, n + max(1, 11 // SOAK)
        self.assertGreater(deaths, 10)
        self.check_complete(definition)

    def test_deaths_one_after_the_other_on_one_database(self):
        definition, deaths = self.prepare(), 0
        self.start_anew()
        for n in range(5, 300, max(1, 30 // SOAK)):
            deaths += self.die_at(n, definition)
            self.check_whole()
        self.assertGreater(deaths, 5)
        self.check_complete(definition)

    def test_a_death_while_database_and_table_come_into_being(self):
        records = [{"code": f"c{i}", "name": f"n{i}"} for i in range(20)]
        definition, n = self.small(records), 1
        while self.die_at(n, definition):
            self.sync(definition)
            self.assertEqual(self.query(self.top / "t.db", "SELECT code, name FROM t ORDER BY id"),
                             [(r["code"], r["name"]) for r in records])
            for path in self.top.glob("t.db*"):
                path.unlink()
            n += max(1, 17 // SOAK)
        self.assertGreater(n, 100)


class Middle(SyncTest):
    """The source sends a part of its body, and the rest when told."""

    def prepare(self):
        records = [{"code": f"c{i}", "name": "new"} for i in range(RECORDS)]
        self.body = "\n".join(map(json.dumps, records)).encode() + b"\n"
        self.rest = threading.Event()
        self.addCleanup(self.rest.set)
        address = self.serve(self.answer)
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT UNIQUE, name TEXT)",
                      "t.db")
        definition = self.small("", target="{database: t.db, table: t}")
        definition.write_text(definition.read_text().replace("t.json", f"{address}/t.ndjson"))
        return definition

    def answer(self, request):
        send_in_two(request, self.body, self.body.index(b'{"code": "c1100"'), self.rest,
                    Content_Type="application/x-ndjson")

    def start_in_the_middle(self, definition):
        """A run that has committed 1,000 records and waits for more."""
        sync = self.start_rowlock("sync", definition)
        self.wait_for_rows(1000)
        return sync

    def wait_for_rows(self, n):
        def count():
            return self.query(self.top / "t.db", "SELECT count(*) FROM t")[0][0]
        self.wait_until(lambda: count() >= n, f"{n} records")

    def check_complete(self, definition, created):
        self.rest.set()
        self.assertEqual(self.outcome(definition),
                         {"created": created, "unchanged": RECORDS - created})
        self.assertEqual(self.run_rowlock("locks", "t.db", "--json").stdout, "[]\n")

    def test_ctrl_c_and_sigterm_end_it_and_keep_what_is_committed(self):
        for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            with self.subTest(status):
                definition = self.prepare()
                sync = self.start_in_the_middle(definition)
                sync.signal(number)
                self.assertEqual(sync.end(), status, sync.err)
                self.check_complete(definition, 200)
                (self.top / "t.db").unlink()
                (self.top / "t.db-rowlock").unlink()

    def test_a_killed_run_keeps_nobody_away(self):
        definition = self.prepare()
        sync = self.start_in_the_middle(definition)
        sync.signal(signal.SIGKILL)
        self.assertEqual(sync.end(), -signal.SIGKILL)
        self.check_complete(definition, 200)

    def only_the_run_is_locked(self):
        """What is committed is seen before its locks go back; who is stopped in
        between may be inside the lock table."""
        locks = json.loads(self.run_rowlock("locks", "t.db", "--json").stdout)
        return all(lock["table"] == "rowlock_runs" for lock in locks)

    def test_a_stopped_run_is_under_way_and_goes_on_when_it_may(self):
        definition = self.prepare()
        sync = self.start_in_the_middle(definition)
        self.wait_until(self.only_the_run_is_locked, "the batch's locks to go back")
        for _ in range(2):
            sync.signal(signal.SIGSTOP)
            os.waitid(os.P_PID, sync.pid, os.WSTOPPED)
            done = self.sync(definition, status=11)
            self.assertIn(f"Process {sync.pid} (rowlock sync t)", done.stderr)
            self.run_rowlock("upsert", "t.db", "t", "--match", "code", "code=c7", "name=mine")
            sync.signal(signal.SIGCONT)
        self.rest.set()
        self.assertEqual(sync.end(), 0, sync.err)
        self.wait_for_rows(RECORDS)
        self.assertEqual(self.outcome(definition), {"updated": 1, "unchanged": RECORDS - 1})


class AtWork(SyncTest):
    """Signals while it writes."""

    def prepare(self, *names):
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT UNIQUE, name TEXT, "
                      "copy TEXT)", "t.db")
        for name in names:
            definition = self.small("[]", fields="{code: /code, name: /name, copy: /name}",
                                    target="{database: t.db, table: t}")
            self.write(f"{name}.yaml", definition.read_text().replace("sync: t", f"sync: {name}"))

    def change(self, name):
        self.write("t.json", json.dumps([{"code": f"c{i}", "name": name} for i in range(5000)]))

    def wait_for_some(self, name):
        self.wait_until(lambda: self.query(self.top / "t.db", "SELECT 1 FROM t WHERE name = ? "
                                                              "LIMIT 1", name), name)

    def check(self, name):
        self.assertEqual(self.query(self.top / "t.db", "SELECT DISTINCT name, copy FROM t"),
                         [(name, name)])
        self.assertEqual(self.query(self.top / "t.db", "SELECT count(*) FROM t"), [(5000,)])
        self.assertEqual(self.query(self.top / "t.db", "PRAGMA integrity_check"), [("ok",)])
        self.assertEqual(self.run_rowlock("locks", "t.db", "--json").stdout, "[]\n")

    def test_a_run_that_is_killed_does_not_disturb_another_on_the_same_records(self):
        self.prepare("one", "two")
        for i in range(3 * SOAK):
            self.change(f"round {i}")
            one, two = (self.start_rowlock("sync", f"{name}.yaml") for name in ("one", "two"))
            self.wait_for_some(f"round {i}")
            one.signal(signal.SIGKILL)
            self.assertEqual(two.end(), 0, two.err)
            self.check(f"round {i}")
            one.end()

    def test_a_run_that_is_stopped_again_and_again_completes(self):
        self.prepare("one")
        for i in range(3 * SOAK):
            self.change(f"round {i}")
            sync = self.start_rowlock("sync", "one.yaml")
            self.wait_for_some(f"round {i}")
            for _ in range(5):
                sync.signal(signal.SIGSTOP)
                if os.waitid(os.P_PID, sync.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT) \
                        .si_code == os.CLD_EXITED:
                    break
                self.query(self.top / "t.db", "SELECT count(*) FROM t")
                sync.signal(signal.SIGCONT)
            self.assertEqual(sync.end(), 0, sync.err)
            self.check(f"round {i}")

    def test_a_run_that_is_interrupted_again_and_again_keeps_what_it_wrote(self):
        self.prepare("one")
        for i in range(3 * SOAK):
            self.change(f"round {i}")
            sync = self.start_rowlock("sync", "one.yaml")
            self.wait_for_some(f"round {i}")
            sync.signal(signal.SIGINT)
            self.assertIn(sync.end(), (0, 130), sync.err)
            self.assertEqual(self.query(self.top / "t.db", "SELECT 1 FROM t WHERE name <> copy"),
                             [])
        self.sync("one.yaml")
        self.check(f"round {i}")


if __name__ == "__main__":
    unittest.main()
