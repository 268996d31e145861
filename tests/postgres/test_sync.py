# SPDX-License-Identifier: MIT
"""rowlock sync on PostgreSQL: what is the server's own. The same definition with
another URL is what tests/cli runs on each engine."""

import json
import signal
import unittest

from served import ServerTest

RECORDS = 600
DEFINITION = """sync: terms
target: {database: "%s", table: term%s}
source: {url: s.ndjson}
match: [remote_id, slug]
locks: {wait: 200ms, total: 1s}
fields:
  remote_id: {from: /id, strip: true}
  slug: {from: /slug, mode: create_only}
  name: /name
  rank: {from: /rank, type: integer}
  live: {value: true, type: boolean, mode: create_only}
  seen: {value: now, type: timestamp, on: change}
"""


class Sync(ServerTest):
    def setUp(self):
        super().setUp()
        self.define()
        self.source(RECORDS)

    def define(self, more=", create_table: true", url=None, text=DEFINITION, name="d.yml"):
        (self.top / name).write_text(text % (url or self.server.url, more))

    def source(self, n, name="Name"):
        (self.top / "s.ndjson").write_text("".join(
            json.dumps({"id": f" r{i} ", "slug": f"s{i}", "name": f"{name} {i}", "rank": i}) + "\n"
            for i in range(n)))

    def sync(self, *words, status=0, definition="d.yml"):
        """The last line of --json: the counts."""
        out = self.rowlock("sync", "--json", *words, definition, status=status).stdout
        return json.loads(out.splitlines()[-1])

    def counts(self, told):
        return {name: told[name] for name in ("created", "updated", "unchanged", "conflicts",
                                              "deferred", "rejected") if told[name]}

    # ---- what comes of it ----

    def test_a_new_table_has_columns_and_unique_indexes(self):
        self.sync()
        columns = self.query("SELECT string_agg(column_name || ' ' || data_type, ', ' ORDER BY "
                             "ordinal_position) FROM information_schema.columns WHERE table_name "
                             "= 'term'")
        self.assertEqual(columns, "id bigint, remote_id text, slug text, name text, rank bigint, "
                                  "live boolean, seen timestamp with time zone")
        self.assertEqual(self.query("SELECT count(*) FROM pg_index WHERE indrelid = "
                                    "'term'::regclass AND indisunique"), "3")

    def test_a_table_that_is_there_is_taken_as_it_is(self):
        self.query("CREATE TABLE term (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
                   "remote_id varchar(20) UNIQUE, slug varchar(20) UNIQUE, name varchar(6), "
                   "rank smallint, live boolean NOT NULL, seen timestamptz)")
        self.define("")
        told = self.sync(status=6)
        self.assertEqual(self.counts(told), {"created": 10, "rejected": RECORDS - 10})
        self.assertEqual(self.query("SELECT count(*), max(length(name)) FROM term"), "10|6")

    def test_a_table_to_be_made_is_looked_for_as_any_other(self):
        self.make_table("UNIQUE")
        self.query("CREATE SCHEMA IF NOT EXISTS other; DROP TABLE IF EXISTS other.place; "
                   "CREATE TABLE other.place (LIKE term INCLUDING ALL)")
        for name in ("TERM", "other.place"):
            self.define(text=DEFINITION.replace("table: term", f"table: {name}"))
            self.assertEqual(self.counts(self.sync()), {"created": RECORDS})
        self.assertEqual(self.query("SELECT count(*) FROM pg_tables WHERE tablename ILIKE '%term' "
                                    "OR tablename LIKE '%place'"), "2")

    def test_any_name_is_quoted(self):
        self.define(text=DEFINITION.replace("table: term", """table: 'a\\b "c" d''e'"""))
        self.assertEqual(self.counts(self.sync()), {"created": RECORDS})
        self.assertEqual(self.counts(self.sync()), {"unchanged": RECORDS})

    def test_the_primary_key_is_a_match_key_too(self):
        self.query("CREATE TABLE term (id bigint PRIMARY KEY, name text)")
        (self.top / "d.yml").write_text(
            f'sync: terms\ntarget: {{database: "{self.server.url}", table: term}}\n'
            "source: {url: s.ndjson}\nmatch: [id]\nfields: {id: /rank, name: /name}\n")
        self.assertEqual(self.counts(self.sync()), {"created": RECORDS})
        self.source(RECORDS, "Nome")
        self.assertEqual(self.counts(self.sync()), {"updated": RECORDS})

    def test_a_dry_run_makes_and_locks_nothing(self):
        done = self.rowlock("sync", "--dry-run", "d.yml", status=3)
        self.assertIn("+ created", done.stdout)
        self.assertEqual(self.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"),
                         "0")
        self.sync()
        self.query("UPDATE term SET name = 'mine' WHERE rank = 7")
        self.holder("LOCK TABLE term IN EXCLUSIVE MODE")
        self.assertIn("mine", self.rowlock("sync", "--dry-run", "d.yml", status=3).stdout)

    def test_doctor_says_that_all_is_well(self):
        self.sync()
        out = self.rowlock("doctor", "d.yml").stdout
        self.assertIn("match key remote_id is unique", out)

    # ---- others ----

    def make_table(self, unique, more=""):
        self.query("CREATE TABLE term (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, "
                   "remote_id text, slug text, name text, rank bigint, live boolean, "
                   f"seen timestamptz{more}); CREATE {unique} INDEX ON term (remote_id); "
                   f"CREATE {unique} INDEX ON term (slug)")

    def test_a_key_that_is_taken_in_between_is_looked_up_again(self):
        self.make_table("UNIQUE")
        self.define("", text=DEFINITION.replace("wait: 200ms, total: 1s", "wait: 50s, total: 50s"))
        psql = self.holder("INSERT INTO term (remote_id, slug, name) VALUES ('r5', 's5', 'theirs')")
        program = self.start("sync", "--json", "d.yml")
        self.wait_until_blocked()
        psql.tell("COMMIT;")
        self.assertEqual(program.end(), 0, program.err)
        self.assertEqual(self.counts(json.loads(program.out.splitlines()[-1])),
                         {"created": RECORDS - 1, "updated": 1})
        self.assertEqual(self.query("SELECT name FROM term WHERE slug = 's5'"), "Name 5")

    def test_a_record_that_the_table_refuses_is_rejected_alone(self):
        self.make_table("UNIQUE", ", CHECK (rank <> 7)")
        self.define("")
        self.assertEqual(self.counts(self.sync(status=6)), {"created": RECORDS - 1, "rejected": 1})
        self.source(RECORDS, "Nome")
        self.query("ALTER TABLE term ADD CHECK (name <> 'Nome 9')")
        self.assertEqual(self.counts(self.sync(status=6)), {"updated": RECORDS - 2, "rejected": 2})

    def test_triggers_see_every_record_once(self):
        self.make_table("UNIQUE")
        self.query("CREATE TABLE seen (op text); CREATE FUNCTION note() RETURNS trigger LANGUAGE "
                   "plpgsql AS 'BEGIN INSERT INTO seen VALUES (TG_OP); RETURN NULL; END'; "
                   "CREATE TRIGGER note AFTER INSERT OR UPDATE ON term FOR EACH ROW "
                   "EXECUTE FUNCTION note()")
        self.define("")
        self.sync()
        self.source(RECORDS, "Nome")
        self.sync()
        self.assertEqual(self.query("SELECT string_agg(op || ' ' || n, ', ' ORDER BY op) FROM "
                                    "(SELECT op, count(*) AS n FROM seen GROUP BY op) AS s"),
                         f"INSERT {RECORDS}, UPDATE {RECORDS}")

    def test_each_type_comes_back_as_it_was_written(self):
        self.query("CREATE TABLE typed (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, "
                   "code varchar(10) UNIQUE, a smallint, b double precision, c numeric(8,2), "
                   "d date, e timestamptz, f boolean, g jsonb, h uuid, i bytea, "
                   "j char(4) UNIQUE)")
        (self.top / "s.ndjson").write_text("".join(json.dumps(
            {"code": code, "a": -7, "b": 0.1, "c": "12.30", "d": "2024-02-29",
             "e": "2024-02-29T01:02:03.5Z", "f": False, "g": {"x": ['"', "\\", "{"]},
             "h": "00112233-4455-6677-8899-aabbccddeeff", "j": f"ab{i}"}) + "\n"
            for i, code in enumerate(("plain", 'q"uote', "back\\", "{a,b}", "NULL", "\u00e9"))))
        fields = "".join(f"  {name}: /{name}\n" for name in ("code", *"abcdefghj"))
        (self.top / "d.yml").write_text(f"sync: typed\ntarget: {{database: \"{self.server.url}\", "
                                        "table: typed}\nsource: {url: s.ndjson}\nmatch: [j]\n"
                                        f"fields:\n{fields}")
        self.assertEqual(self.counts(self.sync()), {"created": 6})
        self.assertEqual(self.counts(self.sync()), {"unchanged": 6})
        self.assertEqual(self.query("SELECT string_agg(code, ' ' ORDER BY id) FROM typed"),
                         'plain q"uote back\\ {a,b} NULL \u00e9')

    # ---- what goes wrong ----

    def blocked_run(self):
        """One that has written some, and waits for the rest; and who holds it."""
        self.sync()
        self.source(RECORDS, "Nome")
        self.define(text=DEFINITION.replace("wait: 200ms, total: 1s", "wait: 50s, total: 50s"))
        psql = self.holder("SELECT FROM term WHERE rank = 5 FOR UPDATE")
        program = self.start("sync", "--json", "d.yml")
        self.wait_until_blocked()
        return program, psql

    def test_a_claim_in_another_database_is_not_ours(self):
        program, _ = self.blocked_run()
        claim = self.query("SELECT classid || ',' || objid::bigint::bit(32)::int FROM pg_locks "
                           "WHERE locktype = 'advisory'")
        program.kill()
        self.wait_until_unclaimed()
        self.query("CREATE DATABASE other")
        self.addCleanup(self.query, "DROP DATABASE other WITH (FORCE)")
        self.holder(f"SELECT pg_advisory_lock({claim})",
                    self.server.url.replace("/postgres?", "/other?"))
        self.assertEqual(self.runs(), ["broken off", "done"])

    def runs(self):
        done = self.rowlock("runs", self.server.url, "--json")
        self.assertEqual(done.stderr, "")
        return [run["status"] for run in json.loads(done.stdout)]

    def wait_until_unclaimed(self):
        self.server_waits_until("NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory')")

    def test_ctrl_c_reaches_the_server(self):
        program, _ = self.blocked_run()
        program.signal(signal.SIGINT)
        self.assertEqual(program.end(), 128 + signal.SIGINT)
        self.assertEqual(self.query("SELECT count(*) FROM pg_locks WHERE NOT granted"), "0")
        self.assertIn("interrupted", program.err)

    def test_a_server_that_is_stopped_in_the_middle_is_said_and_nothing_is_lost(self):
        program, psql = self.blocked_run()
        self.server.halt()
        self.assertEqual(program.end(), 1, program.err)
        self.assertIn("connection", program.err)
        psql.kill()
        self.server.start()
        self.assertEqual(self.counts(self.sync()), {"updated": 1, "unchanged": RECORDS - 1})

    def test_a_password_is_never_shown(self):
        self.define(url=self.server.url.replace("rowlock@", "rowlock:hidden%21@"))
        self.source(RECORDS)
        everything = self.rowlock("sync", "d.yml")
        seen = everything.stdout + everything.stderr
        self.holder("SELECT FROM term WHERE rank = 5 FOR UPDATE")
        self.source(RECORDS, "Nome")
        deferred = self.rowlock("sync", "d.yml", status=5)
        seen += deferred.stdout + deferred.stderr + self.rowlock("doctor", "d.yml").stdout
        seen += self.query("SELECT rowlock_runs::text FROM rowlock_runs")
        self.define(url="postgresql://rowlock:hidden%21@/nosuch?host=/nowhere")
        away = self.rowlock("sync", "d.yml", status=1)
        self.assertIn("cannot connect", away.stderr)
        self.define(url="postgresql://rowlock:hidden%21@/x?nonsense=1")
        self.assertNotIn("hidden", seen + away.stderr + self.rowlock("sync", "d.yml",
                                                                     status=1).stderr)

    def test_a_table_that_does_not_fit_is_said(self):
        self.query("CREATE TABLE term (id bigint PRIMARY KEY, name point)")
        self.define("")
        done = self.rowlock("sync", "d.yml", status=2)
        self.assertIn("remote_id", done.stderr)

    def test_a_user_that_may_not_is_told(self):
        self.query("CREATE ROLE reader LOGIN")
        self.define(url=self.server.url.replace("rowlock@", "reader@"))
        done = self.rowlock("sync", "d.yml", status=1)
        self.assertIn("could not make the table", done.stderr)
        self.query("GRANT USAGE ON SCHEMA public TO reader")
        done = self.rowlock("sync", "d.yml", status=1)
        self.assertIn("permission denied", done.stderr)
        self.assertIn("hint: ", done.stderr)

    def test_another_servers_url_is_refused(self):
        self.define(url="mysql://u:hidden@h/d?password=hidden")
        done = self.rowlock("sync", "d.yml", status=2)
        self.assertIn("d.yml:2", done.stderr)
        self.assertIn("mysql://h/d", done.stderr)
        self.assertNotIn("hidden", done.stderr)


if __name__ == "__main__":
    unittest.main()
