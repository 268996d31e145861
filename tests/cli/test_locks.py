# SPDX-License-Identifier: MIT
"""rowlock locks: who holds what, who waits for whom, since when."""

import json
import os
import pty
import signal
import unittest

from harness import PROGRAM, CliTest, Program, environment

TABLE = """CREATE TABLE region (code TEXT PRIMARY KEY, name TEXT);
    INSERT INTO region VALUES ('AZ-BAB', 'Babek'), ('AZ-NX', 'Naxcivan');"""


class Locks(CliTest):
    def setUp(self):
        super().setUp()
        self.path = self.database(TABLE)

    def locks(self, **options):
        return json.loads(self.run_rowlock("locks", "app.db", "--json", **options).stdout)

    def hold(self, *keys):
        holder = self.start_rowlock("lock", "app.db", "region", *keys, "--", "sh", "-c",
                                    "echo held; read line")
        holder.wait_for_out("held")
        return holder

    def wait(self, key):
        waiter = self.start_rowlock("lock", "app.db", "region", key, "--mode=share", "--", "true")
        self.wait_until_it_waits(waiter)
        return waiter

    def test_nothing_held_is_said_and_no_file_is_made(self):
        done = self.run_rowlock("locks", "app.db")
        self.assertEqual(done.stdout, "")
        self.assertIn("nobody holds a lock", done.stderr)
        self.assertEqual(self.locks(), [])
        self.assertFalse((self.top / "app.db-rowlock").exists())

    def test_nothing_held_any_more_is_the_same(self):
        self.run_rowlock("lock", "app.db", "region", "AZ-NX", "--", "true")
        done = self.run_rowlock("locks", "app.db")
        self.assertEqual((done.stdout, self.locks()), ("", []))
        self.assertIn("nobody holds a lock", done.stderr)

    def test_json_tells_who_holds_and_who_waits_for_whom(self):
        holder, waiter = self.hold("AZ-BAB"), None
        waiter = self.wait("AZ-BAB")
        records = [lock for lock in self.locks() if lock["kind"] == "record"]
        held, waiting = records
        for lock in records:
            self.assertEqual((lock["table"], lock["key"]), ("region", "AZ-BAB"))
            self.assertEqual(lock["label"], "rowlock lock")
            self.assertIsInstance(lock["age_ms"], int)
            self.assertGreaterEqual(lock["age_ms"], 0)
        self.assertEqual((held["state"], held["mode"], held["pid"], held["blocked_by"]),
                         ("held", "update", holder.pid, []))
        self.assertEqual((waiting["state"], waiting["mode"], waiting["pid"]),
                         ("waiting", "share", waiter.pid))
        self.assertEqual(waiting["blocked_by"], [held["owner"]])
        self.assertNotEqual(waiting["owner"], held["owner"])

    def test_json_has_the_kinds_and_members_that_are_promised(self):
        self.hold("AZ-BAB")
        locks = self.locks()
        self.assertEqual({lock["kind"] for lock in locks}, {"record", "table"})
        for lock in locks:
            self.assertEqual(list(lock), ["kind", "table", "key", "mode", "state", "owner", "pid",
                                          "age_ms", "blocked_by", "label"])
        [table] = [lock for lock in locks if lock["kind"] == "table"]
        self.assertEqual((table["table"], table["key"], table["mode"]),
                         ("region", None, "key-share"))

    def test_the_table_for_people_is_lined_up(self):
        holder = self.hold("AZ-BAB", "AZ-NX")
        self.wait("AZ-BAB")
        lines = self.run_rowlock("locks", "app.db").stdout.splitlines()
        self.assertEqual(lines[0].split(), ["KIND", "TABLE", "KEY", "MODE", "STATE", "OWNER",
                                            "PID", "PROGRAM", "AGE", "BLOCKED", "BY"])
        self.assertEqual(len(lines), 4, lines)  # without the table's own lock
        for head in ("KEY", "MODE", "STATE", "PID", "PROGRAM", "AGE"):
            at = lines[0].index(head)
            for line in lines[1:]:
                self.assertEqual(line[at - 1], " ", line)
                self.assertNotEqual(line[at], " ", line)
        self.assertTrue(any(str(holder.pid) in line and "held" in line for line in lines))
        for line in lines:
            self.assertEqual(line, line.rstrip())

    def test_keys_cannot_steer_the_terminal(self):
        self.query(self.path, "INSERT INTO region VALUES (?, '')", "a\x1b[31m\n")
        self.hold("a\x1b[31m\n")
        out = self.run_rowlock("locks", "app.db").stdout
        self.assertNotIn("\x1b", out)
        self.assertEqual(len(out.splitlines()), 2)

    def watch(self):
        """On a terminal of 12 by 100; the program, and what it wrote to it."""
        outer, inner = pty.openpty()
        os.set_inheritable(inner, True)
        program = Program("sh", "-c", f"stty rows 12 cols 100 <&{inner}; exec {PROGRAM} locks "
                          f"app.db --watch --every 20ms >&{inner}", cwd=self.top,
                          env=environment(), pass_fds=[inner])
        self.addCleanup(program.kill)
        os.close(inner)
        self.addCleanup(os.close, outer)
        return program, outer

    def read_until(self, outer, text, said=b""):
        while text not in said:
            said += os.read(outer, 4096)
        return said

    def test_watch_shows_who_waits_first_and_gives_the_screen_back(self):
        self.hold("AZ-BAB", "AZ-NX")
        self.wait("AZ-BAB")
        program, outer = self.watch()
        picture = self.read_until(outer, b"\x1b[J").decode()
        self.assertTrue(picture.startswith("\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[H"), picture)
        lines = [line.removesuffix("\r") for line in picture.split("\x1b[K\r\n")]
        self.assertIn("4 held, 1 waiting", lines[0])
        self.assertRegex(lines[1], r"since .*: 4 granted, 1 waited \(.*\), 0 in vain$")
        self.assertEqual(lines[2], "0 deadlocks, 0 replays, 0 bypasses, 0 died, 0 rebuilds")
        self.assertTrue(lines[4].startswith("KIND"), lines)
        self.assertIn(" waiting ", lines[5])
        self.assertIn(" held ", lines[6])
        self.read_until(outer, b"waits a second")  # the second picture has rates
        program.signal(signal.SIGINT)
        said = self.read_until(outer, b"\x1b[?1049l")
        self.assertIn(b"\x1b[?7h\x1b[?25h\x1b[?1049l", said)
        self.assertEqual(program.end(), 0)

    def test_watch_counts_what_does_not_fit_on_the_screen(self):
        for i in range(20):
            self.query(self.path, "INSERT INTO region VALUES (?, '')", f"c{i}")
        self.hold(*(f"c{i}" for i in range(20)))
        _, outer = self.watch()
        picture = self.read_until(outer, b"\x1b[J").decode()
        # of 12 lines: 4 above, the heads, 3 records, what is left, 2 for deadlocks,
        # the cursor's
        self.assertIn("and 17 more", picture)
        self.assertEqual(picture.count("\r\n"), 9)

    def test_watch_elsewhere_writes_one_picture_after_the_other(self):
        program = self.start_rowlock("locks", "app.db", "--watch", "--every", "10ms", "--json")
        program.wait_for_out('"deadlocks": []}\n{')
        self.hold("AZ-NX")
        program.wait_for_out('"key": "AZ-NX"')
        program.signal(signal.SIGTERM)
        self.assertEqual(program.end(), 0)
        for line in program.out.splitlines():
            self.assertEqual(set(json.loads(line)), {"counters", "locks", "deadlocks"})
        self.assertEqual(json.loads(program.out.splitlines()[-1])["counters"]["grants"], 2)

    def test_watch_ends_when_nobody_reads(self):
        program = Program("sh", "-c", f"{PROGRAM} locks app.db --watch --every 1ms | head -n 1",
                          cwd=self.top, env=environment())
        self.addCleanup(program.kill)
        self.assertEqual(program.end(), 0)

    def test_an_interval_that_is_none_is_wrong_usage(self):
        done = self.run_rowlock("locks", "app.db", "--watch", "--every", "often", status=2)
        self.assertIn('"often"', done.stderr)

    def test_a_deadlock_is_shown_for_a_while(self):
        self.query(self.path, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
        self.query(self.path, "INSERT INTO t VALUES (1), (2)")
        pair = [Program(os.environ["COLLEAGUE"], "app.db", "both", *ids, cwd=self.top)
                for ids in ("12", "21")]
        for program in pair:
            self.addCleanup(program.kill)
            program.wait_for_out("held")
        pair[0].tell("")
        self.wait_for_lock(pair[0], state="waiting")
        self.assertNotIn("deadlock", self.run_rowlock("locks", "app.db").stderr)
        pair[1].tell("")
        self.assertEqual([program.end() for program in reversed(pair)], [1, 0])
        self.assertIn("40P01", pair[1].err)
        said = self.run_rowlock("locks", "app.db").stderr
        self.assertRegex(said, rf"deadlock .* ago, process {pair[1].pid} gave way: "
                               rf"Process {pair[1].pid} waits for NO KEY UPDATE on t/1, held by "
                               rf"process {pair[0].pid}\.")

    def test_doctor_tells_how_often_and_how_long_was_waited(self):
        holder = self.hold("AZ-BAB")
        waiter = self.wait("AZ-BAB")
        holder.kill()
        self.assertEqual(waiter.end(), 0)
        out = self.run_rowlock("doctor", "app.db").stdout
        self.assertRegex(out, r"ok +locks since .*: 4 granted, 1 waited \(.* at most, .* in all\), "
                              r"0 in vain\n")
        self.assertIn("and 0 deadlocks, 0 replays, 0 bypasses, 1 died, 0 rebuilds\n", out)

    def test_a_database_that_may_only_be_read_is_enough_when_nobody_locks(self):
        options = self.unprivileged()
        self.path.chmod(0o444)
        self.assertEqual(self.locks(**options), [])

    def test_what_is_not_there_is_an_error(self):
        self.assertIn("No such file", self.run_rowlock("locks", "none.db", status=1).stderr)
        self.assertIn("sqlite:PATH", self.run_rowlock("locks", "sqlite://a", status=1).stderr)

    def test_a_damaged_lock_table_is_an_error_not_a_crash(self):
        self.write("app.db-rowlock", "not a lock table\n" * 1000)
        done = self.run_rowlock("locks", "app.db", status=1)
        self.assertEqual(done.stdout, "")
        self.assertTrue(done.stderr.startswith("rowlock: locks: "), done.stderr)


if __name__ == "__main__":
    unittest.main()
