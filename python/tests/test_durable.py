# SPDX-License-Identifier: MIT
"""Commits and the disk: tickets, one flush for all, poison."""

import os
import sqlite3
import unittest

import rowlock
from support import PythonTest


class Durable(PythonTest):
    def setUp(self):
        super().setUp()
        self.db = sqlite3.connect(self.path, isolation_level=None)
        self.addCleanup(self.db.close)
        self.db.execute("PRAGMA synchronous = NORMAL")
        self.db.execute("UPDATE region SET n = 1")
        self.wal = os.open(f"{self.path}-wal", os.O_RDONLY)
        self.addCleanup(os.close, self.wal)

    def test_a_ticket_is_durable_after_a_flush_and_costs_no_second_one(self):
        s = self.session()
        ticket = s.ticket()
        self.assertGreater(s.ticket(), ticket)
        before = s.counters().flushes
        s.make_durable(ticket, self.wal)
        s.make_durable(ticket, self.wal)
        self.assertEqual(s.counters().flushes - before, 1)
        self.assertFalse(s.poisoned())

    def test_a_flush_that_fails_poisons_the_database_for_all(self):
        s, other, peer = self.session(), self.session(), self.peer()
        read, write = os.pipe()  # cannot be flushed
        self.addCleanup(os.close, read)
        self.addCleanup(os.close, write)
        with self.assertRaises(rowlock.IoError) as caught:
            s.make_durable(s.ticket(), write)
        self.assertEqual(caught.exception.sqlstate, "58030")
        self.assertIn("could not flush the WAL", str(caught.exception))
        self.assertTrue(other.poisoned())
        self.assertEqual(peer.do("s.poisoned()"), "True")
        with self.assertRaisesRegex(rowlock.IoError, "disk has failed"):
            other.make_durable(other.ticket(), self.wal)


if __name__ == "__main__":
    unittest.main()
