# SPDX-License-Identifier: MIT
"""rowlock doctor on a server: each thing that matters to locks is a line, with what
follows from it and what to do."""

import subprocess
import unittest
from urllib.parse import quote

from served import ServerTest, finding, free_port

TABLES = """CREATE TABLE term (id bigint PRIMARY KEY, code text UNIQUE, place point,
    spots inet[], seen timestamptz);
CREATE TABLE "my log" (line text); CREATE TABLE plain (id bigint PRIMARY KEY);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER note AFTER INSERT ON term FOR EACH ROW EXECUTE FUNCTION note()"""
DEFINITION = """sync: terms
target: {database: "%s", table: %s}
source: {url: s.json}
match: [Code]
fields: {Code: /code, seen: /seen}
"""


class Doctor(ServerTest):
    settings = {"listen_addresses": "127.0.0.1"}

    @classmethod
    def setUpClass(cls):
        cls.settings = {**cls.settings, "port": str(free_port())}
        super().setUpClass()

    def examine(self, url=None, *words, status=0):
        done = self.rowlock("doctor", *words, url or self.server.url, status=status)
        self.said = done.stderr
        return done.stdout

    def with_settings(self, **settings):
        """The url of sessions that begin with these."""
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        return f"{self.server.url}&options={quote(options)}"

    def test_a_good_server_is_ok_throughout_and_nothing_is_written(self):
        self.query("CREATE TABLE term (id bigint PRIMARY KEY, code text UNIQUE)")
        before = self.query("SELECT count(*) FROM pg_class")
        out = self.examine()
        self.assertNotRegex(out, "(?m)^(warn|bad)")
        self.assertRegex(out, r"(?m)^ok    rowlock \d")
        self.assertRegex(out, r"(?m)^ok    PostgreSQL 15\.\d+, libpq \d+\.\d+; database postgres at ")
        self.assertIn("ok    not encrypted, and within this machine\n", out)
        self.assertIn("ok    1 table; unique: term(code)\n", out)
        self.assertIn("ok    deadlocks are looked for after 100ms\n", out)
        self.assertIn("ok    sessions that wait for a lock: 0\n", out)
        self.assertRegex(out, r"(?m)^ok    room for \d+ locks \(max_locks_per_transaction 64\), \d+ in")
        self.assertEqual(self.query("SELECT count(*) FROM pg_class"), before)

    def test_tables_are_told_by_what_they_lack(self):
        self.query(TABLES)
        out = self.examine()
        self.assertIn("ok    3 tables; unique: term(code)\n", out)
        keyless = finding(out, 'no primary key: "my log"')
        self.assertTrue(keyless.startswith("warn"))
        self.assertIn("refuses the table", keyless)
        self.assertIn("no unique index besides the primary key: plain ", finding(out, "no unique"))
        self.assertIn("triggers on: term ", finding(out, "triggers"))
        self.assertIn("columns of type point are read as text, and not written: term.place\n", out)
        self.assertIn("columns of type inet[] are read as text, and not written: term.spots\n", out)
        self.assertNotIn("seen", out)

    def test_of_many_tables_ten_are_named_and_the_rest_counted(self):
        self.query("DO $$ BEGIN FOR i IN 10..29 LOOP EXECUTE 'CREATE TABLE t' || i || ' (x int)'; "
                   "END LOOP; END $$")
        self.assertIn("t18, t19 and 10 more", finding(self.examine(), "no primary key"))

    def test_settings_that_change_what_a_wait_means_are_told(self):
        out = self.examine(self.with_settings(
            statement_timeout="5s", lock_timeout="7s", idle_in_transaction_session_timeout="1min",
            default_transaction_isolation="serializable", deadlock_timeout="1min"))
        for grade, words, follows in (
                ("warn", "statement_timeout is 5000ms", "57014"),
                ("ok", "lock_timeout is 7000ms", "set their own"),
                ("warn", "idle_in_transaction_session_timeout is 60000ms", "its locks go"),
                ("warn", "transactions begin with serializable isolation", "40001"),
                ("warn", "deadlocks are looked for after 60000ms", "in vain")):
            found = finding(out, words)
            self.assertTrue(found.startswith(grade + " "), found)
            self.assertIn(follows, found)

    def test_what_only_reads_is_bad(self):
        out = self.examine(self.with_settings(default_transaction_read_only="on"), status=1)
        self.assertTrue(finding(out, "sessions begin read-only").startswith("bad "))

    def test_a_standby_is_bad(self):
        self.server.halt()
        signal_file = self.server.folder / "data/standby.signal"
        signal_file.touch()
        self.server.start()
        try:
            self.assertTrue(finding(self.examine(status=1), "standby").startswith("bad "))
        finally:
            self.server.halt()
            signal_file.unlink()
            self.server.start()

    def test_who_waits_and_who_sleeps_in_a_transaction_is_told(self):
        self.query("CREATE TABLE term (id bigint PRIMARY KEY); INSERT INTO term VALUES (1)")
        self.holder("UPDATE term SET id = 1")
        self.start("upsert", self.server.url, "term", "--match", "id", "id=1")
        self.wait_until_blocked()
        self.assertIn("ok    sessions that wait for a lock: 1\n", self.examine())

    def test_rights_that_lack_are_told_with_what_to_grant(self):
        self.query("DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN; CREATE TABLE closed "
                   "(id bigint PRIMARY KEY); GRANT USAGE ON SCHEMA public TO reader; "
                   "GRANT SELECT ON closed TO reader; CREATE TABLE hidden (id bigint PRIMARY KEY); "
                   "ALTER TABLE hidden ENABLE ROW LEVEL SECURITY; GRANT ALL ON hidden TO reader")
        self.addCleanup(self.query, "DROP OWNED BY reader; DROP ROLE reader")
        out = self.examine(self.server.url.replace("rowlock@", "reader@"))
        self.assertIn("GRANT SELECT, INSERT, UPDATE ON TABLE_NAME TO reader;",
                      finding(out, "you cannot lock records of: closed"))
        self.assertIn("create_table makes nothing",
                      finding(out, "you cannot create tables in the schema public"))
        self.assertIn("second one would be made", finding(out, "hide records from you in: hidden"))
        self.assertNotRegex(self.examine(), "you cannot|hide records")

    def test_the_way_is_encrypted_or_near_or_warned_of(self):
        port = self.settings["port"]
        far = f"postgresql://rowlock@far.example:{port}/postgres?hostaddr=127.0.0.1"
        self.assertIn("sslmode=verify-full", finding(self.examine(far), "is not encrypted"))
        self.assertIn("ok    not encrypted, and within this machine\n",
                      self.examine(f"postgresql://rowlock@127.0.0.1:{port}/postgres"))
        data = self.server.folder / "data"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-keyout", "server.key", "-out",
                        "server.crt", "-subj", "/CN=far.example"], cwd=data, check=True,
                       capture_output=True, **self.server.who)
        self.server.run("ALTER SYSTEM SET ssl = on")
        self.server.run("SELECT pg_reload_conf()")
        self.addCleanup(self.server.run, "ALTER SYSTEM RESET ssl")
        self.server_waits_until("current_setting('ssl') = 'on'")
        self.assertRegex(self.examine(far + "&sslmode=require"), r"(?m)^ok    encrypted: TLSv1\.")

    def test_a_server_without_advisory_locks_is_recognised(self):
        allow = "SET allow_system_table_mods = on; "
        self.query(allow + "INSERT INTO pg_extension (oid, extname, extowner, extnamespace, "
                   "extrelocatable, extversion) VALUES (99999, 'citus', 10, 11, false, '1')")
        self.addCleanup(self.query, allow + "DELETE FROM pg_extension WHERE extname = 'citus'")
        self.assertIn("unique index on each match key", finding(self.examine(), "has Citus"))

    def test_fix_has_nothing_to_do_and_says_so(self):
        out = self.examine(None, "--fix")
        self.assertIn("--fix has nothing to do on a server", self.said)
        self.assertIn("PostgreSQL 15", out)

    def test_a_definition_is_looked_at_with_its_server(self):
        self.query("CREATE SCHEMA other; "
                   "CREATE TABLE other.term (id bigint GENERATED BY DEFAULT AS "
                   "IDENTITY PRIMARY KEY, code text, seen timestamptz); "
                   "INSERT INTO other.term VALUES (1, 'x'), (2, 'x'), (3, NULL), (4, NULL)")
        self.addCleanup(self.query, "DROP SCHEMA other CASCADE")
        (self.top / "s.json").write_text("[]")
        (self.top / "d.yml").write_text(DEFINITION % (self.server.url, "other.term"))
        out = self.examine("d.yml")
        self.assertIn("ok    PostgreSQL 15", out)
        sql = finding(out, "1 value of that key stands in several records").split("-> ")[1]
        self.assertEqual(self.query(sql), "x|2")
        self.query("DELETE FROM other.term WHERE id = 2")
        (self.top / "d.yml").write_text((DEFINITION % (self.server.url, "other.term"))
                                        .replace("Code", "code"))
        sql = finding(self.examine("d.yml"), "match key code has no index").split("-> ")[1]
        self.query(sql)
        self.assertNotRegex(self.examine("d.yml"), "has no index|several records")

    def test_a_server_that_is_away_is_an_error_and_of_a_definition_a_finding(self):
        away = f"postgresql://rowlock:hidden@127.0.0.1:{free_port()}/x"
        out = self.examine(away, status=1)
        self.assertEqual(out, "")
        self.assertIn("cannot connect to the server", self.said)
        (self.top / "d.yml").write_text(DEFINITION % (away, "term"))
        found = finding(self.examine("d.yml", status=1), "cannot connect to the server")
        self.assertTrue(found.startswith("bad "))
        self.assertNotIn("hidden", found + self.said)


class FewLocks(ServerTest):
    settings = {"max_locks_per_transaction": "16"}

    def test_a_small_lock_table_is_told(self):
        out = self.rowlock("doctor", self.server.url).stdout
        self.assertRegex(out, "(?m)^warn  max_locks_per_transaction is 16$")
        self.assertIn("53200", out)


if __name__ == "__main__":
    unittest.main()
