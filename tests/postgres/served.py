# SPDX-License-Identifier: MIT
"""What the tests of the program on PostgreSQL share: a server for each class, its
public schema empty for each test, and what psql does beside the program."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "servers"), str(TESTS / "cli")]

from harness import LIMIT, Program, finding  # noqa: F401: for the tests
from postgres import Postgres, free_port  # noqa: F401: for the tests

ROWLOCK = os.environ["ROWLOCK"]


class ServerTest(unittest.TestCase):
    maxDiff = None
    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.server = Postgres(**cls.settings)
        cls.addClassCleanup(cls.server.stop)

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="rowlock-test-")
        self.addCleanup(folder.cleanup)
        self.top = Path(folder.name)
        self.server.run("SET client_min_messages = warning; DROP SCHEMA public CASCADE; "
                        "CREATE SCHEMA public")

    def rowlock(self, *words, status=0, **options):
        done = subprocess.run([ROWLOCK, *words], cwd=self.top, text=True, timeout=LIMIT,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False, **options)
        self.assertEqual(done.returncode, status, f"out: {done.stdout[-500:]}\nerr: {done.stderr}")
        return done

    def query(self, sql):
        done = subprocess.run([self.server.programs / "psql", "-qtA", "-d", self.server.url, "-c",
                               sql], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                              timeout=LIMIT, check=True)
        return done.stdout.strip()

    def start(self, *words):
        program = Program(ROWLOCK, *words, cwd=self.top)
        self.addCleanup(program.kill)
        return program

    def holder(self, sql, url=None):
        """A transaction that stays open: what psql has done so far."""
        psql = Program(self.server.programs / "psql", "-qtA", "-d", url or self.server.url)
        self.addCleanup(psql.kill)
        psql.tell(f"BEGIN; {sql}; SELECT 'done so far';")
        psql.wait_for_out("done so far")
        return psql

    def wait_until_blocked(self):
        """Until a session waits for another's lock, as the server says."""
        self.server_waits_until("EXISTS (SELECT FROM pg_locks WHERE NOT granted)")

    def server_waits_until(self, what):
        self.query(f"DO $$ BEGIN FOR i IN 1..30000 LOOP IF {what} THEN RETURN; END IF; "
                   f"PERFORM pg_sleep(0.001); END LOOP; RAISE 'never: %', $a${what}$a$; END $$")
