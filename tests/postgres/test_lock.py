# SPDX-License-Identifier: MIT
"""rowlock lock on a server: what tests/cli does not run on each engine. The lock lasts as
long as the command, or its loss is told."""

import os
import signal
import time
import unittest

from served import LIMIT, ServerTest

TABLES = """CREATE TABLE region (id bigint PRIMARY KEY, name text);
INSERT INTO region VALUES (1, 'A'), (2, 'B'), (10, 'C'), (-5, 'D')"""


class Lock(ServerTest):
    def setUp(self):
        super().setUp()
        self.query(TABLES)

    def lock(self, *words, status=0, url=None):
        return self.rowlock("lock", url or self.server.url, *words, status=status)

    def begin(self, *words, url=None):
        return self.start("lock", url or self.server.url, *words)

    def hold(self, *words, url=None, then="exit 0"):
        """A program that holds records until it is told to end."""
        program = self.begin(*words, "--", "sh", "-c", f"echo held; read line; {then}", url=url)
        program.wait_for_out("held")
        return program

    def assert_locked(self, *words):
        self.assertEqual(self.lock(*words, "--nowait", "--", "echo", "ran", status=5).stdout, "")

    def assert_free(self, *words):
        self.lock(*words, "--nowait", "--", "true")

    def test_modes_are_the_servers_own(self):
        """Among themselves they conflict as tests/cli says."""
        modes = ["update", "no-key-update", "share", "key-share"]
        refused = {"update": modes, "no-key-update": modes[:3], "share": modes[:2],
                   "key-share": modes[:1]}
        for held in modes:
            holder = self.hold("region", "1", "--mode", held)
            for asked in modes:
                free = self.query("SELECT count(*) FROM (SELECT FROM region WHERE id = 1 FOR "
                                  f"{asked.upper().replace('-', ' ')} SKIP LOCKED) AS s")
                self.assertEqual(free, "0" if asked in refused[held] else "1", (held, asked))
            holder.tell("end")
            self.assertEqual(holder.end(), 0)
        self.assert_free("region", "1")

    def test_a_program_of_any_kind_waits_and_is_waited_for(self):
        psql = self.holder("UPDATE region SET name = 'X' WHERE id = 1")
        waiter = self.begin("region", "1", "--", "echo", "ran")
        waiter.wait_for_err("waiting for region: locked by pid")
        self.assertEqual(waiter.out, "")
        psql.tell("COMMIT;")
        self.assertEqual(waiter.end(), 0)
        self.assertEqual(waiter.out, "ran\n")

    def test_a_deadlock_with_others_is_tried_again(self):
        psql = self.holder("SET LOCAL deadlock_timeout = '100s'; "
                           "SELECT FROM region WHERE id = 2 FOR UPDATE")
        waiter = self.begin("region", "1", "2", "--", "echo", "ran")
        self.wait_until_blocked()
        psql.tell("SELECT FROM region WHERE id = 1 FOR UPDATE; COMMIT;")
        self.assertEqual(waiter.end(), 0, waiter.err)
        self.assertEqual(waiter.out, "ran\n")

    def test_a_record_that_is_not_there_or_not_any_more_is_1(self):
        for words, said in ((("region", "1", "3"), 'no record "3" in "region"'),
                            (("nosuch", "1"), 'no such table: "nosuch"'),
                            (("region", "1x"), "cannot hold")):
            done = self.lock(*words, "--", "echo", "ran", status=1)
            self.assertIn(said, done.stderr)
            self.assertEqual(done.stdout, "")
        psql = self.holder("DELETE FROM region WHERE id = 1")
        waiter = self.begin("region", "1", "--", "echo", "ran")
        self.wait_until_blocked()
        psql.tell("COMMIT;")
        self.assertEqual(waiter.end(), 1)
        self.assertIn('no record "1" in "region" any more', waiter.err)
        self.assertEqual(waiter.out, "")

    # ---- as long as the command ----

    def test_the_servers_idle_timeout_does_not_end_it(self):
        url = self.server.url + "&options=-c%20idle_in_transaction_session_timeout%3D50ms"
        holder = self.hold("region", "1", url=url)
        self.query("SELECT pg_sleep(0.5)")  # the server's own time, ten times over
        self.assert_locked("region", "1")
        holder.tell("end")
        self.assertEqual(holder.end(), 0, holder.err)
        self.assertEqual(holder.err, "")

    # ---- the connection is lost ----

    def lost(self, holder, status):
        holder.wait_for_err("the locks are gone: the connection to the server was lost")
        self.assertIsNone(holder.process.poll())  # said at once; the command is left alone
        holder.tell("end")
        self.assertEqual(holder.end(), status)
        self.assertEqual(holder.err.count("the locks are gone"), 1)

    def test_a_session_that_is_ended_is_told_at_once_and_is_no_success(self):
        for then, status in (("exit 0", 1), ("exit 3", 3)):
            holder = self.hold("region", "1", then=then)
            self.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                       "WHERE application_name = 'rowlock lock'")
            self.lost(holder, status)

    def test_a_server_that_is_stopped_is_told_at_once(self):
        for how in (signal.SIGINT, signal.SIGQUIT):
            holder = self.hold("region", "1")
            self.server.halt(how)
            self.lost(holder, 1)
            self.server.start()

    def test_a_server_that_does_not_answer_can_be_left(self):
        holder = self.hold("region", "1")
        backend = int(self.query("SELECT pid FROM pg_stat_activity "
                                 "WHERE application_name = 'rowlock lock'"))
        os.kill(backend, signal.SIGSTOP)
        self.addCleanup(os.kill, backend, signal.SIGCONT)
        holder.tell("end")
        children = f"/proc/{holder.pid}/task/{holder.pid}/children"
        end = time.monotonic() + LIMIT
        while holder.process.poll() is None:
            self.assertLess(time.monotonic(), end)
            with open(children, encoding="ascii") as file:
                if not file.read():  # the command has ended
                    holder.signal(signal.SIGTERM)
        self.assertEqual(holder.process.returncode, -signal.SIGTERM)

    def test_a_server_that_goes_away_while_one_waits_is_told_and_nothing_is_run(self):
        self.holder("UPDATE region SET name = 'X' WHERE id = 1")
        waiter = self.begin("region", "1", "--", "echo", "ran")
        self.wait_until_blocked()
        self.server.halt()
        self.assertEqual(waiter.end(), 1)
        self.assertIn("connection", waiter.err)
        self.assertEqual(waiter.out, "")
        self.server.start()


if __name__ == "__main__":
    unittest.main()
