# SPDX-License-Identifier: MIT
"""rowlock sync and match keys without an index: read once, never trusted. What
others change behind it makes no duplicate, and nothing else is written into."""

import json
import random
import sqlite3
import subprocess
import threading
import time
import unittest

from harness import LIMIT, PROGRAM, CliTest, environment

BATCH = 500
TABLE = "CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT, slug TEXT, name TEXT)"
FIELDS = "{code: /code, slug: /slug, name: /name}"


def record(n, name="new"):
    return {"code": f"c{n}", "slug": f"s{n}", "name": name}


class UnindexedTest(CliTest):
    def define(self, records=None, match="[code, slug]", fields=FIELDS, url="t.json", more=""):
        if records is not None:
            self.write("t.json", json.dumps(records))
        return self.write("t.yaml", f"sync: t\ntarget: {{database: t.db, table: t}}\n"
                                    f"source: {{url: '{url}'}}\nmatch: {match}\n{more}"
                                    f"fields: {fields}\n")

    def sync(self, *words, status=0):
        done = self.run_rowlock("sync", "--json", *words, "t.yaml", status=status)
        last = json.loads(done.stdout.splitlines()[-1])
        return {k: last[k] for k in ("created", "updated", "unchanged", "conflicts", "deferred",
                                     "rejected") if last[k]}

    def rows(self, columns="code, slug, name", order="id"):
        return self.query(self.top / "t.db", f"SELECT {columns} FROM t ORDER BY {order}")


class Speech(UnindexedTest):
    def test_each_key_is_named_with_the_line_to_type(self):
        path = self.database(TABLE, "t.db")
        self.define([record(1)], "[[code, slug], slug]")
        said = self.run_rowlock("sync", "t.yaml").stderr
        self.assertIn("match key (code, slug) has no index: the table is read for it, once a run",
                      said)
        lines = [line.split("type: ")[1] for line in said.splitlines() if "type: " in line]
        self.assertEqual(len(lines), 2)
        for line in lines:
            self.query(path, line)
        self.assertEqual(self.run_rowlock("sync", "t.yaml").stderr, "")

    def test_an_index_of_any_kind_is_enough(self):
        self.database(TABLE + "; CREATE INDEX a ON t (code); CREATE INDEX b ON t (slug)", "t.db")
        self.define([record(1)])
        self.assertEqual(self.run_rowlock("sync", "t.yaml").stderr, "")

    def test_a_dry_run_says_it_too_and_writes_nothing(self):
        path = self.database(TABLE + "; INSERT INTO t VALUES (1, 'c1', 's1', 'old')", "t.db")
        self.define([record(1), record(2)])
        done = self.run_rowlock("sync", "--dry-run", "t.yaml", status=3)
        self.assertIn("match key code has no index", done.stderr)
        self.assertIn("* t/1", done.stdout)
        self.assertEqual(self.query(path, "SELECT name FROM t"), [("old",)])


class Outcomes(UnindexedTest):
    def test_many_records(self):
        self.database(TABLE, "t.db")
        self.define([record(n) for n in range(3 * BATCH)])
        self.assertEqual(self.sync(), {"created": 3 * BATCH})
        self.assertEqual(self.sync(), {"unchanged": 3 * BATCH})
        self.define([record(n, "newer" if n % 2 else "new") for n in range(3 * BATCH)])
        self.assertEqual(self.sync(), {"updated": 3 * BATCH // 2, "unchanged": 3 * BATCH // 2})
        self.assertEqual(len(set(self.rows("code"))), 3 * BATCH)

    def test_kinds_of_primary_keys_and_columns(self):
        for table in ("CREATE TABLE t (pk TEXT PRIMARY KEY, n INTEGER, d DECIMAL, x, a TEXT COLLATE "
                      "NOCASE, r TEXT COLLATE RTRIM)",
                      "CREATE TABLE t (pk TEXT, q INTEGER DEFAULT 7, n INTEGER, d DECIMAL, x, a TEXT "
                      "COLLATE NOCASE, r TEXT COLLATE RTRIM, PRIMARY KEY (pk, q)) WITHOUT ROWID"):
            for match in ("[n]", "[d]", "[x]", "[a]", "[r]", "[[n, a, r]]"):
                with self.subTest(table=table, match=match):
                    for path in self.top.glob("t.db*"):
                        path.unlink()
                    path = self.database(table + "; INSERT INTO t (pk, n, d, x, a, r) VALUES "
                                         "('p', 7, 1.5, 7.0, 'Abc', 'r  ')", "t.db")
                    fields = "{n: /n, d: /d, x: /x, a: /a, r: /r, pk: {from: /pk, mode: create_only}}"
                    one = {"n": 7, "d": "1.5", "x": 7, "a": "aBC", "r": "r", "pk": "other"}
                    two = {"n": 8, "d": "2.5", "x": 8, "a": "x", "r": "x", "pk": "two"}
                    self.define([one, two], match, fields)
                    self.assertEqual(self.sync(), {"created": 1, "updated": 1})
                    self.assertEqual(self.query(path, "SELECT pk, a FROM t ORDER BY pk"),
                                     [("p", "aBC"), ("two", "x")])
                    self.assertEqual(self.sync(), {"unchanged": 2})

    def test_a_bad_record_in_each_batch(self):
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT, slug TEXT, "
                      "name TEXT CHECK (name <> 'bad'))", "t.db")
        self.define([record(n, "bad" if n % BATCH == 7 else "new") for n in range(2 * BATCH)])
        self.assertEqual(self.sync(status=6), {"created": 2 * BATCH - 2, "rejected": 2})
        self.assertEqual(len(set(self.rows("code"))), 2 * BATCH - 2)

    def test_a_trigger_that_takes_keys_is_seen(self):
        """It gives the slug of the next record to a record of its own."""
        self.database(TABLE + """; CREATE TRIGGER x AFTER INSERT ON t WHEN new.code = 'c1' BEGIN
            INSERT INTO t (code, slug, name) VALUES ('theirs', 's700', 'theirs'); END""", "t.db")
        self.define([record(n) for n in range(BATCH + 300)], "[slug]")
        self.assertEqual(self.sync(), {"created": BATCH + 299, "updated": 1})
        self.assertEqual(self.query(self.top / "t.db", "SELECT count(*), max(name) FROM t WHERE "
                                    "slug = 's700'"), [(1, "new")])

    def test_the_same_as_with_an_index(self):
        """Whatever the records and the rules."""
        rng = random.Random(20261125)
        for round_ in range(12):
            def some(n, rng=rng):
                return [{"code": rng.choice(["", None, *(f"c{i}" for i in range(9))]),
                         "slug": rng.choice([" ", *(f"s{i}" for i in range(9))]),
                         "name": rng.choice("xyz")} for _ in range(n)]
            local, remote = some(12), some(40)
            rule = rng.choice(("report", "first", "rekey"))
            mode = rng.choice(("update", "create_only", "fill"))
            outcomes = []
            for index in ("", "; CREATE INDEX a ON t (code); CREATE INDEX b ON t (slug)"):
                for path in self.top.glob("t.db*"):
                    path.unlink()
                path = self.database(TABLE + index, "t.db")
                for r in local:
                    self.query(path, "INSERT INTO t (code, slug, name) VALUES (?, ?, ?)",
                               r["code"] or None, r["slug"].strip() or None, r["name"])
                self.define(remote, f"{{keys: [code, slug], on_disagree: {rule}}}",
                            f"{{code: /code, slug: {{from: /slug, mode: {mode}}}, name: /name}}")
                done = subprocess.run([PROGRAM, "sync", "--json", "t.yaml"], cwd=self.top,
                                      stdout=subprocess.PIPE, timeout=LIMIT, check=False)
                lines = [json.loads(line) for line in done.stdout.splitlines()]
                lines[-1].pop("seconds")
                outcomes.append((done.returncode, lines, self.rows("*")))
            with self.subTest(round=round_, rule=rule, mode=mode):
                self.assertEqual(outcomes[0], outcomes[1])


class Others(UnindexedTest):
    """The source stops behind its first batches, and others write."""

    def gate(self, records):
        """Serve them; the part behind the first two batches waits for go()."""
        go = threading.Event()
        self.addCleanup(go.set)
        lines = [json.dumps(r).encode() + b"\n" for r in records]
        first, rest = b"".join(lines[:2 * BATCH]), b"".join(lines[2 * BATCH:])

        def answer(handler):
            handler.send_response(200)
            handler.send_header("Content-Type", "application/x-ndjson")
            handler.send_header("Content-Length", str(len(first) + len(rest)))
            handler.end_headers()
            handler.wfile.write(first)
            handler.wfile.flush()
            go.wait(LIMIT)
            handler.wfile.write(rest)

        return self.serve(answer), go

    def wait_for_rows(self, n):
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            if self.query(self.top / "t.db", "SELECT count(*) FROM t") >= [(n,)]:
                return
        self.fail("the first batch is not there")

    def run_beside(self, strangers, match="[code]", n=3 * BATCH):
        """The counts, after strangers() changed the table behind the first batch."""
        self.database(TABLE, "t.db")
        url, go = self.gate([record(i) for i in range(n)])
        self.define(match=match, url=url)
        program = self.start_rowlock("sync", "--json", "t.yaml", env=environment(no_proxy="*"))
        self.wait_for_rows(BATCH)
        strangers()
        go.set()
        program.end()
        return json.loads(program.out.splitlines()[-1])

    def test_a_stale_miss_makes_no_duplicate(self):
        def strangers():
            self.query(self.top / "t.db", "INSERT INTO t (code, slug, name) VALUES "
                       "('c1300', 's1300', 'theirs')")

        counts = self.run_beside(strangers)
        self.assertEqual((counts["created"], counts["updated"]), (3 * BATCH - 1, 1), counts)
        self.assertEqual(self.query(self.top / "t.db", "SELECT count(*), max(name) FROM t "
                                    "WHERE code = 'c1300'"), [(1, "new")])

    def test_a_stale_hit_overwrites_no_other_record(self):
        """Two records change places: what is at hand as c1300 is another one."""
        def strangers():
            db = sqlite3.connect(self.top / "t.db", timeout=LIMIT)
            with db:
                db.execute("UPDATE t SET code = 'moved', name = 'mine' WHERE code = 'c1300'")
                db.execute("INSERT INTO t (code, slug, name) VALUES ('c1300', 'x', 'theirs')")
            db.close()

        self.database(TABLE, "t.db")
        path = self.top / "t.db"
        self.query(path, "INSERT INTO t (code, slug, name) VALUES ('c1300', 'own', 'old')")
        url, go = self.gate([record(i) for i in range(3 * BATCH)])
        self.define(match="[code]", url=url)
        program = self.start_rowlock("sync", "--json", "t.yaml", env=environment(no_proxy="*"))
        self.wait_for_rows(BATCH + 1)
        strangers()
        go.set()
        self.assertEqual(program.end(), 0, program.err)
        self.assertEqual(self.query(path, "SELECT code, slug, name FROM t WHERE code IN "
                                    "('moved', 'c1300') ORDER BY code"),
                         [("c1300", "s1300", "new"), ("moved", "own", "mine")])

    def test_many_who_write_all_the_time(self):
        """Through Rowlock, the same keys: no duplicate, nothing lost."""
        self.database(TABLE, "t.db")
        path, stop = self.top / "t.db", threading.Event()
        self.define([record(n) for n in range(2 * BATCH)], "[code]", more="pace: full\n")

        def stranger():
            db = sqlite3.connect(path, timeout=LIMIT, isolation_level=None)
            n = 0
            while not stop.is_set():
                db.execute("UPDATE t SET slug = ? WHERE code = 'c3'", (f"x{n}",))
                n += 1
            db.close()

        threads = [threading.Thread(target=stranger)]
        threads[0].start()
        try:
            self.write("other.yaml", (self.top / "t.yaml").read_text().replace("sync: t", "sync: u"))
            programs = [self.start_rowlock("sync", "--json", name) for name in ("t.yaml", "other.yaml")]
            for program in programs:
                self.assertIn(program.end(), (0, 4, 5), program.err)
        finally:
            stop.set()
            threads[0].join()
        self.assertEqual(self.query(path, "SELECT count(*), count(DISTINCT code) FROM t"),
                         [(2 * BATCH, 2 * BATCH)])


if __name__ == "__main__":
    unittest.main()
