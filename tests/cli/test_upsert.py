# SPDX-License-Identifier: MIT
"""rowlock upsert: created, updated or unchanged, and the primary key."""

import json
import signal
import unittest

from harness import ENGINE, SERVER, CliTest, environment, named, sqlites_own

APP = ENGINE.url("app.db")
REGION = """CREATE TABLE region (
    id INTEGER PRIMARY KEY, remote_id TEXT UNIQUE, slug TEXT UNIQUE, name VARCHAR(20),
    rank INTEGER, share REAL, active BOOLEAN, extra JSON);"""


class Upsert(CliTest):
    def setUp(self):
        super().setUp()
        self.path = self.database(REGION)

    def upsert(self, *words, **options):
        return self.run_rowlock("upsert", APP, "region", *words, **options).stdout

    def row(self, columns="*"):
        [row] = self.query(self.path, f"SELECT {columns} FROM region")
        return row

    def test_created_updated_unchanged_and_the_key(self):
        words = ("--match", "slug", "slug=tea", "name=Tea")
        self.assertEqual(self.upsert(*words), "created 1\n")
        self.assertEqual(self.upsert(*words), "unchanged 1\n")
        self.assertEqual(self.upsert("--match", "slug", "slug=tea", "name=Black"), "updated 1\n")
        self.assertEqual(self.row("slug, name"), ("tea", "Black"))

    def test_json_names_the_key(self):
        out = self.upsert("--json", "--match", "slug", "slug=tea")
        self.assertEqual(json.loads(out),
                         {"outcome": "created", "table": "region", "key": {"id": 1}})

    def test_text_and_json_values(self):
        self.upsert("--match", "slug", "slug=tea", "name:=null", "rank:=7", "share:=1.5",
                    "active:=true", 'extra:={"a": [1]}')
        self.assertEqual(self.row("name, rank, share, active, extra"),
                         (None, 7, 1.5, 1, '{"a": [1]}'))
        self.upsert("--match", "slug", "slug=tea", 'name:="a\\u00e9"', "rank=12", "active:=false",
                    "share:=2")
        self.assertEqual(self.row("name, rank, share, active"), ("a\u00e9", 12, 2.0, 0))

    def test_the_first_key_that_hits_wins(self):
        self.query(self.path, "INSERT INTO region (remote_id, slug) VALUES ('7', 'a'), (NULL, 'b')")
        words = ("--match", "remote_id,slug")
        self.assertEqual(self.upsert(*words, "remote_id=7", "slug=a2", "name=x"), "updated 1\n")
        self.assertEqual(self.upsert(*words, "remote_id=8", "slug=b", "name=y"), "updated 2\n")
        self.assertEqual(self.query(self.path, "SELECT remote_id, slug, name FROM region"),
                         [("7", "a2", "x"), ("8", "b", "y")])

    def test_several_match_options_are_keys_in_their_order(self):
        self.query(self.path, "INSERT INTO region (remote_id, slug) VALUES ('7', 'a'), (NULL, 'b')")
        self.assertEqual(self.upsert("--match", "slug", "--match=remote_id", "remote_id=7",
                                     "slug=a"), "unchanged 1\n")

    def test_a_blank_match_value_is_not_looked_for_and_clears_nothing(self):
        words = ("--match", "remote_id,slug", "slug=a")
        self.assertEqual(self.upsert(*words, "remote_id= "), "created 1\n")
        self.assertEqual(self.row("remote_id, slug"), (None, "a"))
        self.assertEqual(self.upsert(*words, "remote_id=7"), "updated 1\n")
        self.assertEqual(self.upsert(*words, "remote_id="), "unchanged 1\n")
        self.assertEqual(self.row("remote_id"), ("7",))
        self.assertEqual(self.upsert(*words, "remote_id:=null"), "updated 1\n")
        self.assertEqual(self.row("remote_id"), (None,))

    def test_it_is_said_when_every_match_value_is_blank(self):
        words = ("upsert", APP, "region", "--match", "remote_id", "remote_id= ")
        done = self.run_rowlock(*words)
        self.assertEqual(done.stdout, "created 1\n")
        self.assertIn("every match value is blank", done.stderr)
        self.assertEqual(self.run_rowlock(*words, "slug=a", "--match", "slug").stderr, "")

    def test_match_values_are_stripped(self):
        self.assertEqual(self.upsert("--match", "slug", "slug= tea\t"), "created 1\n")
        self.assertEqual(self.upsert("--match", "slug", "slug=tea "), "unchanged 1\n")
        self.assertEqual(self.row("slug"), ("tea",))

    def test_create_pairs_are_for_new_records_only(self):
        words = ("--match", "slug", "--create", "rank:=1", "--create=name=New", "slug=a")
        self.assertEqual(self.upsert(*words), "created 1\n")
        self.assertEqual(self.row("rank, name"), (1, "New"))
        self.query(self.path, "UPDATE region SET rank = 9")
        self.assertEqual(self.upsert(*words), "unchanged 1\n")
        self.assertEqual(self.upsert(*words, "name=Given"), "updated 1\n")
        self.assertEqual(self.row("rank, name"), (9, "Given"))

    def test_a_create_pair_goes_before_the_same_column_given(self):
        words = ("--match", "slug", "--create", "name=First", "slug=a", "name=Then")
        self.upsert(*words)
        self.assertEqual(self.row("name"), ("First",))
        self.upsert(*words)
        self.assertEqual(self.row("name"), ("Then",))

    def test_a_key_of_two_columns_and_a_key_printed_as_lock_takes_it(self):
        self.query(self.path, "CREATE TABLE stock (site INTEGER, item TEXT, n INTEGER, "
                              "PRIMARY KEY (site, item))")
        words = ("upsert", APP, "stock", "--match", "site+item", "site=1", "item=a,b")
        self.assertEqual(self.run_rowlock(*words, "n=1").stdout, "created site=1,item=a\\,b\n")
        done = self.run_rowlock(*words, "n=2", "--json")
        self.assertEqual(json.loads(done.stdout)["key"], {"site": 1, "item": "a,b"})
        self.assertEqual(json.loads(done.stdout)["outcome"], "updated")
        self.run_rowlock("lock", APP, "stock", "site=1,item=a\\,b", "--", "true")

    def test_dashes_before_pairs_and_operands_in_any_order(self):
        self.query(self.path, 'CREATE TABLE t (id INTEGER PRIMARY KEY, "-x" TEXT)')
        done = self.run_rowlock("upsert", "--match", "-x", APP, "t", "--", "-x=1")
        self.assertEqual(done.stdout, "created 1\n")

    def test_what_a_column_cannot_hold_is_refused_and_nothing_written(self):
        for pair, words in (("rank=007", "rank"), ("rank=x", "rank"), ("rank:=1.5", "rank"),
                            ("name=" + "x" * 21, "name"), ("active=maybe", "active"),
                            ("extra={", "extra"), ("rank:=9223372036854775808", "64 bits"),
                            ("nome=x", "name")):
            done = self.run_rowlock("upsert", APP, "region", "--match", "slug", "slug=a",
                                    pair, status=1)
            self.assertEqual(done.stdout, "")
            self.assertIn(words, done.stderr)
        self.assertEqual(self.query(self.path, "SELECT * FROM region"), [])

    def test_a_missing_table_is_named(self):
        done = self.run_rowlock("upsert", APP, "regoin", "--match", "a", "a=1", status=1)
        self.assertIn('no such table: "regoin"', done.stderr)

    def test_a_missing_column_gets_the_one_that_was_meant(self):
        done = self.run_rowlock("upsert", APP, "region", "--match", "slug", "slug=a",
                                "nmae=x", status=1)
        self.assertIn("nmae", done.stderr)
        self.assertIn('"name"', done.stderr)

    @sqlites_own("file")
    def test_what_is_no_database_is_an_error(self):
        self.write("text.db", "this is not a database\n" * 100)
        for name in ("text.db", "none.db", ".", "sqlite://app.db"):
            done = self.run_rowlock("upsert", name, "region", "--match", "a", "a=1", status=1)
            self.assertEqual(done.stdout, "")
            self.assertTrue(done.stderr.startswith("rowlock: upsert: "), done.stderr)
        self.assertFalse((self.top / "none.db").exists())

    @sqlites_own("file")
    def test_another_journal_mode_is_refused_with_what_to_type(self):
        self.database(REGION, name="old.db", journal_mode="delete")
        done = self.run_rowlock("upsert", "old.db", "region", "--match", "slug", "slug=a",
                                status=1)
        self.assertIn("rowlock doctor", done.stderr)

    def test_a_unique_violation_says_so(self):
        self.query(self.path, "INSERT INTO region (remote_id, slug) VALUES ('7', 'a'), ('8', 'b')")
        done = self.run_rowlock("upsert", APP, "region", "--match", "remote_id",
                                "remote_id=7", "slug=b", status=1)
        self.assertIn("slug", done.stderr)
        self.assertEqual(self.query(self.path, "SELECT slug FROM region"), [("a",), ("b",)])


class Contention(CliTest):
    def setUp(self):
        super().setUp()
        self.path = self.database(REGION)
        self.query(self.path, "INSERT INTO region (slug, name) VALUES ('a', 'A'), ('b', 'B')")

    def hold(self, *keys):
        """A program that holds records until it is told to end."""
        holder = self.start_rowlock("lock", APP, "region", *keys, "--", "sh", "-c",
                                    "echo held; read line")
        holder.wait_for_out("held")
        return holder

    def test_nowait_is_refused_and_names_the_holder(self):
        holder = self.hold("1")
        words = ("upsert", APP, "region", "--match", "slug", "slug=a", "name=x")
        done = self.run_rowlock(*words, "--nowait", status=5)
        if not SERVER:  # which tells it to one who waits
            self.assertIn(f"Process {holder.pid} (rowlock lock)", done.stderr)
        self.run_rowlock(*words, status=5, env=environment(ROWLOCK_NOWAIT="1"))
        self.run_rowlock(*words, "--wait", "10ms", status=5)
        self.assertEqual(self.query(self.path, "SELECT name FROM region WHERE id = 1"), [("A",)])

    def test_the_other_record_is_free(self):
        self.hold("1")
        done = self.run_rowlock("upsert", APP, "region", "--match", "slug", "slug=b",
                                "name=x", "--nowait")
        self.assertEqual(done.stdout, "updated 2\n")

    def test_a_waiter_says_for_whom_and_goes_on_when_the_holder_ends(self):
        holder = self.hold("1")
        waiter = self.start_rowlock("upsert", APP, "region", "--match", "slug", "slug=a",
                                    "name=x")
        waiter.wait_for_err(f"waiting for {named('region', 1)}: locked by pid "
                            f"{self.known_by(holder, APP)} (rowlock lock) for ")
        holder.tell("end")
        self.assertEqual(waiter.end(), 0)
        self.assertEqual(waiter.out, "updated 1\n")
        self.assertEqual(holder.end(), 0)

    def test_of_eight_at_once_one_creates_the_record(self):
        self.query(self.path, "CREATE TABLE plain (id INTEGER PRIMARY KEY, slug TEXT, n INTEGER)")
        programs = [self.start_rowlock("upsert", APP, "plain", "--match", "slug", "slug=x",
                                       f"n:={n}") for n in range(8)]
        self.assertEqual([program.end() for program in programs], [0] * 8)
        self.assertEqual(sorted(program.out for program in programs),
                         ["created 1\n"] + ["updated 1\n"] * 7)
        self.assertEqual(self.query(self.path, "SELECT count(*) FROM plain"), [(1,)])

    def test_ctrl_c_and_sigterm_leave_cleanly(self):
        holder = self.hold("1")
        for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            waiter = self.start_rowlock("upsert", APP, "region", "--match", "slug", "slug=a",
                                        "name=x")
            self.wait_until_it_waits(waiter)
            waiter.signal(number)
            self.assertEqual(waiter.end(), status)
            self.assertIn("interrupted, nothing was done", waiter.err)
        holder.tell("end")
        self.assertEqual(holder.end(), 0)
        self.assertEqual(self.query(self.path, "SELECT name FROM region WHERE id = 1"), [("A",)])


if __name__ == "__main__":
    unittest.main()
