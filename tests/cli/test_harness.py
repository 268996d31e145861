# SPDX-License-Identifier: MIT
"""The frame itself: a frame that lies makes every test lie."""

import os
import signal
import sys
import unittest
import urllib.request

from harness import CliTest, Program, send, sqlites_own


OF_BOTH = os.environ.get("OF_BOTH", "").split()
LEAST = 200  # tests that run on each engine


class Engines(unittest.TestCase):
    """The tests that run on each engine, but for those that are SQLite's own."""

    def all_of(self, suite):
        for test in suite:
            if isinstance(test, unittest.TestSuite):
                yield from self.all_of(test)
            else:
                yield test

    def is_of_both(self, test):
        method = getattr(test, test.id().rsplit(".", 1)[1])
        return not hasattr(test, "sqlites_own") and not hasattr(method, "sqlites_own")

    def test_each_file_has_some_and_all_have_many(self):
        counts = {}
        for name in OF_BOTH:
            suite = unittest.defaultTestLoader.loadTestsFromName(f"test_{name}")
            counts[name] = sum(map(self.is_of_both, self.all_of(suite)))
        print("of both:", counts, sum(counts.values()))
        self.assertGreater(min(counts.values()), 4)
        self.assertGreater(sum(counts.values()), LEAST)

    def test_one_that_is_marked_does_not_count(self):
        class Two(unittest.TestCase):
            @sqlites_own("file")
            def test_one(self):
                pass

            def test_other(self):
                pass

        found = {test.id().rsplit(".", 1)[1]: self.is_of_both(test) for test in
                 unittest.defaultTestLoader.loadTestsFromTestCase(Two)}
        self.assertEqual(found, {"test_one": False, "test_other": True})


class Harness(CliTest):
    def test_the_program_under_test_is_the_built_one(self):
        self.assertRegex(self.run_rowlock("version").stdout, r"^rowlock \d+\.\d+\.\d+")

    def test_a_wrong_status_fails(self):
        with self.assertRaises(AssertionError):
            self.run_rowlock("version", status=3)

    def test_a_program_is_followed_line_by_line(self):
        echo = Program(sys.executable, "-u", "-c", "print(input()); print(input())")
        self.addCleanup(echo.kill)
        echo.tell("one")
        echo.wait_for_out("one\n")
        self.assertNotIn("two", echo.out)
        echo.tell("two")
        self.assertEqual(echo.end(), 0)
        self.assertEqual(echo.out, "one\ntwo\n")

    def test_waiting_for_what_an_ended_program_never_said_fails_at_once(self):
        silent = Program("/bin/true")
        self.addCleanup(silent.kill)
        with self.assertRaises(AssertionError):
            silent.wait_for_err("x")

    def test_kill_takes_the_children_too(self):
        shell = Program("/bin/sh", "-c", "sleep 1000 & echo $!; wait")
        shell.wait_for_out("\n")
        shell.kill()
        with self.assertRaises(ProcessLookupError):
            while True:  # it may be a zombie for a moment
                os.kill(int(shell.out), 0)

    def test_a_signal_shows_in_the_status(self):
        shell = Program("/bin/sleep", "1000")
        self.addCleanup(shell.kill)
        shell.signal(signal.SIGTERM)
        self.assertEqual(shell.end(), -signal.SIGTERM)

    def test_a_database_is_in_wal_mode_and_can_be_asked(self):
        path = self.database("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (7)")
        self.assertEqual(self.query(path, "SELECT id FROM t"), [(7,)])
        self.assertEqual(self.query(path, "PRAGMA journal_mode"), [("wal",)])

    def test_serve_answers_on_loopback(self):
        url = self.serve(lambda request: send(request, request.path.encode()))
        with urllib.request.urlopen(url + "/x", timeout=10) as answer:
            self.assertEqual(answer.read(), b"/x")

    def test_unprivileged_runs_the_program_as_somebody_who_is_not_root(self):
        options = self.unprivileged()
        self.assertIn("rowlock", self.run_rowlock("version", **options).stdout)
        self.assertEqual(bool(options), os.geteuid() == 0)


if __name__ == "__main__":
    unittest.main()
