# SPDX-License-Identifier: MIT
"""rowlock sync is killed, interrupted, stopped: what was committed stays whole,
nobody else is kept from work, and the next run completes."""

import json
import os
import signal
import threading
import unittest

from harness import DB, ENGINE, PROGRAM, SERVER, Program, environment, send_in_two
from test_sync import EXISTING, SyncTest

DIE_AT = os.environ.get("DIE_AT", "die_at")
SOAK = int(os.environ.get("ROWLOCK_SOAK", 1))
KILLED = 137
RECORDS = 1200
# Without it a server gets several messages for each record.
INDEX = "CREATE UNIQUE INDEX u ON t (code);" if SERVER else ""
STEP = 5 if SERVER else 11  # fewer messages than changes of files


class Deaths(SyncTest):
    """Half of the records are there, in another state; the rest is new."""

    def prepare(self):
        return self.small([{"code": f"c{i}", "name": f"n{i}"} for i in range(RECORDS)],
                          fields="{code: /code, name: /name, copy: /name}",
                          target=EXISTING)

    def start_anew(self):
        self.remove(DB)
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT, name TEXT, copy TEXT);"
                      f"{INDEX}"
                      "WITH RECURSIVE i (x) AS (SELECT 0 UNION ALL SELECT x + 2 FROM i "
                      f"WHERE x < {RECORDS - 2}) INSERT INTO t (code, name, copy) "
                      "SELECT 'c' || x, 'old', 'old' FROM i", "t.db")

    def die_at(self, n, definition):
        """Whether it died before it came to its end."""
        # The leak checker stops a program that is watched in this way.
        environ = environment(ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0")
        program = Program(DIE_AT, n, PROGRAM, "sync", definition, cwd=self.top, env=environ)
        self.addCleanup(program.kill)
        status = program.end()
        self.assertIn(status, (0, KILLED), program.err)
        self.wait_until_left()
        return status == KILLED

    def check_whole(self):
        """Records are as they were or as they should be; the database is sound."""
        self.check_sound(DB)
        self.assertEqual(self.query(DB, "SELECT * FROM t WHERE name IS DISTINCT FROM copy OR "
                                        "name NOT IN ('old', 'n' || substr(code, 2))"), [])
        self.assertEqual(self.query(DB, "SELECT code FROM t GROUP BY code HAVING count(*) > 1"),
                         [])

    def check_complete(self, definition):
        counts = self.outcome(definition)
        self.assertEqual(sum(counts.values()), RECORDS)
        self.assertLessEqual(counts.keys(), {"created", "updated", "unchanged"})
        self.check_whole()
        self.assertEqual(self.query(DB, "SELECT count(*) FROM t WHERE name <> 'old'"),
                         [(RECORDS,)])
        self.check_free(DB)

    def test_a_death_before_any_write_leaves_whole_records_and_the_next_run_completes(self):
        definition, deaths, n = self.prepare(), 0, 1
        self.start_anew()
        while self.die_at(n, definition):
            self.check_whole()
            self.check_complete(definition)
            self.start_anew()
            deaths, n = deaths + 1, n + max(1, STEP // SOAK)
        self.assertGreater(deaths, 10)
        self.check_complete(definition)

    def test_deaths_one_after_the_other_on_one_database(self):
        definition, deaths = self.prepare(), 0
        self.start_anew()
        for n in range(5, 60 if SERVER else 300, max(1, (STEP if SERVER else 30) // SOAK)):
            deaths += self.die_at(n, definition)
            self.check_whole()
        self.assertGreater(deaths, 5)
        self.check_complete(definition)

    def test_a_death_while_database_and_table_come_into_being(self):
        records = [{"code": f"c{i}", "name": f"n{i}"} for i in range(20)]
        definition, n = self.small(records), 1
        while self.die_at(n, definition):
            self.sync(definition)
            self.assertEqual(self.query(DB, "SELECT code, name FROM t ORDER BY id"),
                             [(r["code"], r["name"]) for r in records])
            self.remove(DB)
            n += max(1, (9 if SERVER else 17) // SOAK)
        self.assertGreater(n, 20 if SERVER else 100)


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
        definition = self.small("", target=EXISTING)
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
            return self.query(DB, "SELECT count(*) FROM t")[0][0]
        self.wait_until(lambda: count() >= n, f"{n} records")

    def check_complete(self, definition, created):
        self.rest.set()
        self.assertEqual(self.outcome(definition),
                         {"created": created, "unchanged": RECORDS - created})
        self.check_free(DB)

    def test_ctrl_c_and_sigterm_end_it_and_keep_what_is_committed(self):
        for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            with self.subTest(status):
                definition = self.prepare()
                sync = self.start_in_the_middle(definition)
                sync.signal(number)
                self.assertEqual(sync.end(), status, sync.err)
                self.check_complete(definition, 200)
                self.remove(DB)

    def test_a_killed_run_keeps_nobody_away(self):
        definition = self.prepare()
        sync = self.start_in_the_middle(definition)
        sync.signal(signal.SIGKILL)
        self.assertEqual(sync.end(), -signal.SIGKILL)
        self.wait_until_left()
        self.check_complete(definition, 200)

    def only_the_run_is_locked(self):
        """What is committed is seen before its locks go back; who is stopped in
        between may be inside the lock table."""
        if SERVER:  # where the one goes with the other
            return True
        locks = json.loads(self.run_rowlock("locks", DB, "--json").stdout)
        return all(lock["table"] == "rowlock_runs" for lock in locks)

    def test_a_stopped_run_is_under_way_and_goes_on_when_it_may(self):
        definition = self.prepare()
        sync = self.start_in_the_middle(definition)
        self.wait_until(self.only_the_run_is_locked, "the batch's locks to go back")
        number = ENGINE.claimant(DB) if SERVER else sync.pid
        for _ in range(2):
            sync.signal(signal.SIGSTOP)
            os.waitid(os.P_PID, sync.pid, os.WSTOPPED)
            done = self.sync(definition, status=11)
            self.assertRegex(done.stderr, rf"[Pp]rocess {number} \(rowlock sync t\)")
            self.run_rowlock("upsert", DB, "t", "--match", "code", "code=c7", "name=mine")
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
                                    target=EXISTING)
            self.write(f"{name}.yaml", definition.read_text().replace("sync: t", f"sync: {name}"))

    def change(self, name):
        self.write("t.json", json.dumps([{"code": f"c{i}", "name": name} for i in range(5000)]))

    def wait_for_some(self, name):
        self.wait_until(lambda: self.query(DB, "SELECT 1 FROM t WHERE name = ? "
                                               "LIMIT 1", name), name)

    def check(self, name):
        self.assertEqual(self.query(DB, "SELECT DISTINCT name, copy FROM t"),
                         [(name, name)])
        self.assertEqual(self.query(DB, "SELECT count(*) FROM t"), [(5000,)])
        self.check_sound(DB)
        self.check_free(DB)

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
        stops = 0
        for i in range(3 * SOAK):
            self.change(f"round {i}")
            sync = self.start_rowlock("sync", "one.yaml")
            self.wait_for_some(f"round {i}")
            for _ in range(5):
                os.kill(sync.pid, signal.SIGSTOP)  # also of one that has ended
                if os.waitid(os.P_PID, sync.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT) \
                        .si_code == os.CLD_EXITED:
                    break
                stops += 1
                self.query(DB, "SELECT count(*) FROM t")
                sync.signal(signal.SIGCONT)
            self.assertEqual(sync.end(), 0, sync.err)
            self.check(f"round {i}")
        self.assertGreater(stops, 0)

    def test_a_run_that_is_interrupted_again_and_again_keeps_what_it_wrote(self):
        self.prepare("one")
        for i in range(3 * SOAK):
            self.change(f"round {i}")
            sync = self.start_rowlock("sync", "one.yaml")
            self.wait_for_some(f"round {i}")
            sync.signal(signal.SIGINT)
            self.assertIn(sync.end(), (0, 130), sync.err)
            self.assertEqual(self.query(DB, "SELECT 1 FROM t WHERE name <> copy"),
                             [])
        self.sync("one.yaml")
        self.check(f"round {i}")


if __name__ == "__main__":
    unittest.main()
