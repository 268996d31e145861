# SPDX-License-Identifier: MIT
"""rowlock init for a table of a server: what it writes works at once, and never has
the password."""

import json
import os
import unittest

from served import ServerTest, free_port

SECRET = "hid/den@2"
CODED = "hid%2Fden%402"
RECORDS = [{"id": f"a{n}", "slug": f"s{n}", "name": f"N{n}", "weight": n / 2, "place": "(1,2)",
            "tags": ["x"], "mood": "good", "zip": f"0{n}"} for n in range(1, 6)]
TABLE = """CREATE TABLE site (id bigint PRIMARY KEY); INSERT INTO site VALUES (1);
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TABLE term (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    remote_id varchar(20) UNIQUE, slug varchar(50) NOT NULL UNIQUE, name varchar(100) NOT NULL,
    weight numeric(6,2), live boolean NOT NULL, updated_at timestamptz NOT NULL, key uuid NOT NULL,
    place point, tags jsonb, site_id bigint NOT NULL REFERENCES site, note text, mood mood,
    zip varchar(5))"""


class Init(ServerTest):
    settings = {"listen_addresses": "127.0.0.1", "password_encryption": "scram-sha-256"}

    @classmethod
    def setUpClass(cls):
        cls.settings = {**cls.settings, "port": str(free_port())}
        super().setUpClass()
        cls.server.run(f"CREATE ROLE editor LOGIN PASSWORD '{SECRET}'")
        cls.server.ask_for_passwords("editor")

    def setUp(self):
        super().setUp()
        self.query(f"{TABLE}; GRANT ALL ON SCHEMA public TO editor; "
                   "GRANT ALL ON ALL TABLES IN SCHEMA public TO editor")
        (self.top / "s.json").write_text(json.dumps(RECORDS))

    def url(self, user="editor", parameters=""):
        return f"postgresql://{user}@127.0.0.1:{self.settings['port']}/postgres{parameters}"

    def draft(self, url, table="term", **env):
        """What it writes; the second time into d.yaml, which must be the same."""
        env = {**os.environ, "PGPASSFILE": "/nowhere", **env}
        done = self.rowlock("init", "s.json", url, table, env=env)
        (self.top / "d.yaml").unlink(missing_ok=True)
        again = self.rowlock("init", "-o", "d.yaml", "s.json", url, table, env=env)
        self.assertEqual((self.top / "d.yaml").read_text(), done.stdout)
        self.not_shown(done, again)
        self.assertIn("next: rowlock doctor d.yaml", again.stderr)
        self.said = again.stderr
        return done.stdout

    def not_shown(self, *programs):
        for done in programs:
            for part in ("hid", "den"):
                self.assertNotIn(part, done.stdout + done.stderr)

    def works(self, outcomes=("created", "unchanged"), **env):
        """Doctor finds nothing bad, a run creates all, and the next has nothing to do."""
        env = {**os.environ, "PGPASSFILE": "/nowhere", **env}
        found = self.rowlock("doctor", "d.yaml", env=env)
        self.assertNotRegex(found.stdout, "(?m)^(bad|warn)")
        self.not_shown(found)
        for outcome in outcomes:
            done = self.rowlock("sync", "--json", "d.yaml", env=env)
            self.assertEqual(json.loads(done.stdout.splitlines()[-1])[outcome], len(RECORDS))
            self.not_shown(done)

    def test_the_draft_is_for_the_servers_table_and_works_at_once(self):
        text = self.draft(self.server.url)
        self.assertIn(f'  database: "{self.server.url}"\n  table: term\n', text)
        self.assertIn("\nmatch: [remote_id, slug]\n", text)
        for line in ("  live: {value: true, mode: create_only}\n",
                     "  updated_at: {value: now, on: change}\n",
                     "  key: {value: uuid, mode: create_only}\n",
                     "  site_id: {value: 1, mode: create_only}  # which record of site?\n"):
            self.assertIn(line, text)
        self.assertNotIn("password", text + self.said)
        self.works()
        self.assertEqual(self.query("SELECT remote_id, slug, weight, tags, mood, zip, site_id, live "
                                    "FROM term WHERE slug = 's3'"),
                         'a3|s3|1.50|["x"]|good|03|1|t')

    def test_a_column_of_a_type_that_is_not_written_is_left_out(self):
        text = self.draft(self.server.url)
        self.assertIn("  # columns that are left alone: place, note\n", text)
        self.assertNotIn("\n  place:", text)
        self.query("ALTER TABLE term ALTER place SET NOT NULL")
        self.assertIn("  # place: no field can fill a point, give it a default\n",
                      self.draft(self.server.url))
        (self.top / "d.yaml").write_text(text.replace("fields:\n", "fields:\n  place: /place\n"))
        for command in ("doctor", "sync"):
            done = self.rowlock(command, "d.yaml", status=1 if command == "doctor" else 2)
            self.assertIn("'place' is of type point: it cannot be written", done.stdout + done.stderr)

    def test_a_table_of_another_schema_is_named_with_it(self):
        self.query("CREATE SCHEMA other; CREATE TABLE other.place (LIKE term INCLUDING ALL)")
        self.addCleanup(self.query, "DROP SCHEMA other CASCADE")
        self.assertIn("  table: other.place\n", self.draft(self.server.url, "other.place"))
        self.works()
        self.assertIn("  table: term\n", self.draft(self.server.url, "TERM"))

    def test_a_password_is_not_written_wherever_it_stands_in_the_url(self):
        there = f"127.0.0.1:{self.settings['port']}/postgres"
        for url, left in ((self.url(f"editor:{CODED}"), self.url()),
                          (self.url(parameters=f"?password={CODED}&sslmode=prefer"),
                           self.url(parameters="?sslmode=prefer")),
                          (self.url(parameters=f"?sslmode=prefer&p%61ssword={CODED}"),
                           self.url(parameters="?sslmode=prefer")),
                          (f"postgres://{there}?user=editor&password={CODED}&sslpassword={CODED}",
                           f"postgres://{there}?user=editor")):
            with self.subTest(url=url):
                text = self.draft(url)
                self.assertIn(f'  database: "{left}"\n  # Its password is not written here.', text)
                self.assertIn("set PGPASSWORD", self.said)
        self.works(PGPASSWORD=SECRET)

    def test_a_name_in_place_of_the_password_is_written_as_it_is(self):
        text = self.draft(self.url("editor:${TERMS_PASSWORD}"), TERMS_PASSWORD=CODED)
        self.assertIn('  database: "' + self.url("editor:${TERMS_PASSWORD}") + '"\n  table:', text)
        self.assertNotIn("PGPASSWORD", text + self.said)
        self.works(TERMS_PASSWORD=CODED)
        secret = self.top / "pw"
        secret.write_text(CODED + "\n")
        self.assertIn("editor:${file:pw}@", self.draft(self.url("editor:${file:pw}")))
        self.works(["unchanged"])

    def test_half_a_name_is_a_password_too(self):
        text = self.draft(self.url("editor:hid${REST}"), REST="%2Fden%402")
        self.assertIn(f'  database: "{self.url()}"\n', text)

    def test_what_is_not_a_good_url_is_not_repeated(self):
        for url in (self.url("editor:hid/den@2"), self.url("editor:hid@den"),
                    "postgresql:/editor:hidden@h/x", "postgres:editor:hidden@h", "PostgreSQL:hidden",
                    "mysql:hidden", "host=h password=hidden", self.url("editor:wrong-hidden"),
                    self.url("editor:hidden", "&x"), self.url("editor:hidden", "?nonsense=1"),
                    "postgresql://editor:hidden@/nosuch?host=/nowhere"):
            with self.subTest(url=url):
                for words in (("init", "s.json", url, "term"), ("upsert", url, "term", "--match",
                                                                "slug", "slug=x")):
                    status = 2 if "hid/den" in url or "hid@den" in url or "nonsense" in url else 1
                    done = self.rowlock(*words, status=status,
                                        env={**os.environ, "PGPASSFILE": "/nowhere"})
                    self.not_shown(done)
                    self.assertIn("hint:", done.stderr)

    def test_what_is_not_there_is_said(self):
        for url, table, said in ((self.server.url, "nosuch", 'no such table: "nosuch"'),
                                 (self.server.url, "pg_views", '"pg_views" is a view'),
                                 (self.url("editor:${NOPE}"), "term", "no value for 'NOPE'"),
                                 (self.server.url.replace("/postgres?", "/nosuch?"), "term",
                                  'database "nosuch" does not exist')):
            self.assertIn(said, self.rowlock("init", "s.json", url, table, status=1).stderr)
        self.query("CREATE TABLE bare (slug text)")
        done = self.rowlock("init", "s.json", self.server.url, "bare", status=1)
        self.assertIn("has no primary key", done.stderr)


if __name__ == "__main__":
    unittest.main()
