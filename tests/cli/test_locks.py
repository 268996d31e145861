# SPDX-License-Identifier: MIT
"""rowlock locks: who holds what, who waits for whom, since when."""

import json
import unittest

from harness import CliTest

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
