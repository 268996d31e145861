# SPDX-License-Identifier: MIT
"""rowlock locks on a server: who waits, on what, and who is in the way."""

import json
import signal
import unittest

from served import ServerTest

TABLES = """CREATE TABLE region (code text PRIMARY KEY, name text UNIQUE);
INSERT INTO region VALUES ('AZ-BAB', 'Babek'), ('AZ-NX', 'Naxcivan');
CREATE TABLE stock (site bigint, item text, n int, PRIMARY KEY (site, item));
INSERT INTO stock VALUES (1, 'cup', 3); CREATE TABLE bare (x int); INSERT INTO bare VALUES (1)"""
KEYS = 1380931404
CLAIMS = 1380931410


class Locks(ServerTest):
    def setUp(self):
        super().setUp()
        self.query(TABLES)

    def locks(self, url=None):
        return json.loads(self.rowlock("locks", url or self.server.url, "--json").stdout)

    def waiter(self, sql, n=1):
        """A session that waits for a lock, as the n-th of them; its process."""
        psql = self.holder("SELECT")
        psql.tell(sql + ";")
        self.server_waits_until(f"(SELECT count(*) FROM pg_locks WHERE NOT granted) = {n}")
        return psql

    def pid_of(self, psql):
        psql.tell("SELECT 'pid ' || pg_backend_pid() || ' is it';")
        psql.wait_for_out(" is it")
        return int(psql.out.split("pid ")[1].split()[0])

    def pair(self, hold, wait):
        """The lines of a session that holds and of one that waits for it."""
        holder = self.holder(hold)
        pid = self.pid_of(holder)
        waiter = self.waiter(wait)
        held, waiting = self.locks()
        self.assertEqual((held["state"], held["pid"], held["owner"], held["blocked_by"]),
                         ("held", pid, pid, []))
        self.assertEqual((waiting["state"], waiting["blocked_by"]), ("waiting", [pid]))
        self.assertNotEqual(waiting["pid"], pid)
        for line in (held, waiting):
            self.assertEqual(list(line), ["kind", "table", "key", "mode", "state", "owner", "pid",
                                          "age_ms", "blocked_by", "label", "activity"])
            self.assertEqual(line["label"], "psql")
            self.assertIsInstance(line["age_ms"], int)
        for name in ("kind", "table", "key"):
            self.assertEqual(held[name], waiting[name])
        holder.kill()
        waiter.kill()
        self.server_waits_until("NOT EXISTS (SELECT FROM pg_stat_activity WHERE "
                                "application_name = 'psql' AND pid <> pg_backend_pid())")
        return held, waiting

    def test_nobody_who_waits_is_said_and_so_is_what_cannot_be_seen(self):
        self.holder("SELECT FROM region FOR UPDATE")
        done = self.rowlock("locks", self.server.url)
        self.assertEqual((done.stdout, self.locks()), ("", []))
        self.assertIn("nobody waits for a lock (who holds one that nobody waits for, the server does "
                      "not show)", done.stderr)

    def test_a_record_is_told_by_its_key_and_the_mode_that_is_wanted(self):
        for mode in ("update", "no-key-update", "share", "key-share"):
            held, waiting = self.pair("SELECT FROM region WHERE code = 'AZ-NX' FOR UPDATE",
                                      "SELECT FROM region WHERE code = 'AZ-NX' FOR "
                                      + mode.upper().replace("-", " "))
            self.assertEqual((waiting["kind"], waiting["table"], waiting["key"], waiting["mode"]),
                             ("record", "region", "AZ-NX", mode))
            self.assertIsNone(held["mode"])
            self.assertEqual((held["activity"], waiting["activity"]),
                             ("idle in transaction", "active"))

    def test_a_key_of_several_columns_and_a_table_elsewhere(self):
        self.query("CREATE SCHEMA other; CREATE TABLE other.stock (LIKE stock INCLUDING ALL); "
                   "INSERT INTO other.stock VALUES (2, 'tea', 1)")
        self.addCleanup(self.query, "DROP SCHEMA other CASCADE")
        _, waiting = self.pair("UPDATE other.stock SET n = 2", "DELETE FROM other.stock")
        self.assertEqual((waiting["table"], waiting["key"]), ("other.stock", "site=2,item=tea"))

    def test_a_record_without_a_key_is_told_by_its_place(self):
        _, waiting = self.pair("UPDATE bare SET x = 2", "UPDATE bare SET x = 3")
        self.assertEqual((waiting["table"], waiting["key"]), ("bare", "(0,1)"))

    def test_who_looks_does_not_wait_for_a_table_that_is_locked(self):
        self.holder("UPDATE region SET name = 'x' WHERE code = 'AZ-NX'")
        self.waiter("UPDATE region SET name = 'y' WHERE code = 'AZ-NX'")
        self.waiter("LOCK TABLE region", 2)
        record = [lock for lock in self.locks() if lock["kind"] == "record"]
        self.assertEqual({lock["key"] for lock in record}, {"(0,2)"})

    def test_those_behind_the_first_waiter_wait_for_it(self):
        first = self.pid_of(self.holder("SELECT FROM region FOR UPDATE"))
        for n in (1, 2):
            self.waiter("SELECT FROM region WHERE code = 'AZ-NX' FOR UPDATE", n)
        held, second, third = self.locks()
        self.assertEqual((held["pid"], second["blocked_by"]), (first, [first]))
        self.assertEqual(third["blocked_by"], [second["owner"]])
        self.assertEqual([line["state"] for line in (held, second, third)],
                         ["held", "waiting", "waiting"])

    def test_a_value_that_another_inserts_is_a_transaction(self):
        insert = "INSERT INTO region VALUES ('new', 'new')"
        _, waiting = self.pair(insert, insert)
        self.assertEqual((waiting["kind"], waiting["table"]), ("transaction", None))

    def test_tables_have_the_servers_modes(self):
        held, waiting = self.pair("LOCK TABLE region IN SHARE MODE",
                                  "INSERT INTO region VALUES ('new', 'new')")
        self.assertEqual((held["kind"], held["table"], held["key"], held["mode"], waiting["mode"]),
                         ("table", "region", None, "share", "row-exclusive"))

    def test_key_locks_are_told_from_other_programs_advisory_locks(self):
        _, waiting = self.pair(f"SELECT pg_advisory_xact_lock({KEYS}, 7)",
                               f"SELECT pg_advisory_xact_lock({KEYS}, 7)")
        self.assertEqual((waiting["kind"], waiting["key"], waiting["mode"]), ("key", "7", "update"))
        _, waiting = self.pair("SELECT pg_advisory_xact_lock(8, 7)",
                               "SELECT pg_advisory_xact_lock_shared(8, 7)")
        self.assertEqual((waiting["kind"], waiting["key"], waiting["mode"]),
                         ("advisory", "8/7", "share"))

    def test_a_run_of_a_definition_shows_though_nobody_waits_for_it(self):
        self.holder(f"SELECT pg_advisory_lock({CLAIMS}, 7)")
        [run] = self.locks()
        self.assertEqual((run["kind"], run["state"], run["label"]), ("run", "held", "psql"))

    def test_another_databases_waits_are_not_shown(self):
        self.query("CREATE DATABASE other")
        self.addCleanup(self.query, "DROP DATABASE other WITH (FORCE)")
        url = self.server.url.replace("/postgres?", "/other?")
        self.holder("SELECT FROM region FOR UPDATE")
        self.waiter("SELECT FROM region FOR UPDATE")
        self.assertEqual(self.locks(url), [])
        self.assertEqual(len(self.locks()), 2)

    def test_the_table_for_people_is_lined_up(self):
        holder = self.holder("SELECT FROM region FOR UPDATE")
        self.waiter("SELECT FROM region WHERE code = 'AZ-BAB' FOR UPDATE")
        lines = self.rowlock("locks", self.server.url).stdout.splitlines()
        self.assertEqual(lines[0].split(), ["KIND", "TABLE", "KEY", "MODE", "STATE", "OWNER",
                                            "PID", "PROGRAM", "AGE", "BLOCKED", "BY"])
        pid = self.pid_of(holder)
        self.assertRegex(lines[1], rf"^record  region  AZ-BAB  \?       held     {pid} +{pid} +"
                                   r"psql \(idle in transaction\) +\S.*[a-z]$")
        self.assertRegex(lines[2], rf"^record  region  AZ-BAB  update  waiting .* psql .* {pid}$")
        self.assertEqual(len(lines), 3)

    def test_keys_cannot_steer_the_terminal(self):
        self.query("INSERT INTO region VALUES (E'a\\x1b[31m\\n', '')")
        self.holder("SELECT FROM region FOR UPDATE")
        self.waiter("SELECT FROM region WHERE name = '' FOR UPDATE")
        out = self.rowlock("locks", self.server.url).stdout
        self.assertIn("a\\x1b[31m\\x0a", out)
        self.assertEqual(len(out.splitlines()), 3)

    def test_a_plain_user_sees_who_waits(self):
        self.query("DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN")
        self.addCleanup(self.query, "DROP ROLE plain")
        self.holder("SELECT FROM region FOR UPDATE")
        self.waiter("SELECT FROM region WHERE code = 'AZ-BAB' FOR UPDATE")
        held, waiting = self.locks(self.server.url.replace("rowlock@", "plain@"))
        self.assertEqual((waiting["table"], waiting["key"]), ("public.region", "(0,1)"))
        self.assertEqual(waiting["blocked_by"], [held["pid"]])

    def test_watch_shows_it_again_and_again_without_the_password(self):
        url = self.server.url.replace("rowlock@", "rowlock:hidden@")
        self.holder("SELECT FROM region FOR UPDATE")
        program = self.start("locks", url, "--watch", "--every", "10ms")
        program.wait_for_out(": 0 held, 0 waiting\n\nnobody waits for a lock\n\n")
        self.waiter("SELECT FROM region WHERE code = 'AZ-BAB' FOR UPDATE")
        program.wait_for_out(": 1 held, 1 waiting\n\nKIND")
        program.signal(signal.SIGINT)
        self.assertEqual(program.end(), 0)
        self.assertNotIn("hidden", program.out + program.err)
        self.assertIn(self.server.url, program.out)
        program = self.start("locks", url, "--watch", "--every", "10ms", "--json")
        program.wait_for_out("}\n{")
        self.server.halt()
        self.assertEqual(program.end(), 1)
        self.assertIn("cannot connect", program.err)
        self.server.start()
        line = json.loads(program.out.splitlines()[0])
        self.assertEqual((line["counters"], len(line["locks"]), line["deadlocks"]), (None, 2, []))

    def test_a_server_that_is_away_is_an_error(self):
        done = self.rowlock("locks", "postgresql://x:hidden@/x?host=/nowhere", status=1)
        self.assertIn("cannot connect", done.stderr)
        self.assertNotIn("hidden", done.stderr)


if __name__ == "__main__":
    unittest.main()
