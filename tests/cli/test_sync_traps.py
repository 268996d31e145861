# SPDX-License-Identifier: MIT
"""Stories of imports that lost data, told to rowlock sync.

Those about pages are in test_sync_pages and test_sync_total (a short listing
taken for a complete one, loops, rows that shift), about cut bodies in
test_sync_formats and test_sync_bad, about secrets in test_sync_auth, about
other programs in test_sync_locks, test_sync_beside and test_sync_triggers,
about ids that were used again in test_sync_match.
"""

import email.utils
import json
import os
import threading
import time
import unittest

from harness import LIMIT, CliTest, environment, send
from test_sync_auth import AUTHS, SECRET

os.environ["no_proxy"] = "*"  # servers are on loopback

TABLE = "CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT UNIQUE, name TEXT)"


class Traps(CliTest):
    def define(self, url="t.json", more="", fields="{code: /code, name: /name}"):
        self.write("t.yaml", "sync: t\ntarget: {database: t.db, table: t}\n"
                   f"source: {{url: '{url}'{more}}}\nmatch: [code]\nfields: {fields}\n")

    def body(self, records, name="t.json"):
        self.write(name, records if isinstance(records, str) else json.dumps(records))

    def sync(self, status=0, *words):
        return self.run_rowlock("sync", "t.yaml", *words, status=status,
                                env=environment(TOKEN=SECRET))

    def rows(self, what="code, name"):
        return self.query(self.top / "t.db", f"SELECT {what} FROM t ORDER BY id")


class Listings(Traps):
    def setUp(self):
        super().setUp()
        self.database(TABLE, "t.db")
        self.body([{"code": f"c{n}", "name": f"n{n}"} for n in range(100)])
        self.define()
        self.sync()

    def test_short_listing_deletes_nothing(self):
        """It is believed, and what does not come is left as it is."""
        self.body([{"code": f"c{n}", "name": f"n{n}"} for n in range(41)])
        self.assertIn("t: 41 records", self.sync().stdout)
        self.assertEqual(len(self.rows()), 100)

    def test_no_records_delete_nothing(self):
        """An empty list is a list; whoever knows better says total."""
        self.body([])
        self.assertIn("t: 0 records", self.sync().stdout)
        self.assertEqual(len(self.rows()), 100)

    def test_not_modified_is_no_empty_list(self):
        """An answer 304 to a question that was not put."""
        self.define(self.serve(lambda handler: send(handler, b"", status=304)))
        self.assertIn("answered HTTP 304", self.sync(1).stderr)

    def test_no_content_is_no_empty_list(self):
        self.define(self.serve(lambda handler: send(handler, b"", status=204)))
        self.assertIn("answered HTTP 204", self.sync(1).stderr)

    def test_error_that_is_sent_as_200(self):
        for body in (b'{"error": "quota exceeded"}', b"<html>Sorry</html>", b"", b"null",
                     b'"ok"', b'{"data": null}'):
            self.define(self.serve(lambda handler: send(handler, body)))
            self.sync(1)
        self.assertEqual(len(self.rows()), 100)


class Waiting(Traps):
    def test_retry_after_as_a_date_is_waited_for_and_is_no_failure(self):
        """The one try that is left is for the failure that follows."""
        self.database(TABLE, "t.db")
        asked = []

        def answer(handler):
            asked.append(time.time())
            if len(asked) == 1:
                until = email.utils.formatdate(asked[0] + 3, usegmt=True)
                return send(handler, b"", status=503, Retry_After=until)
            send(handler, b'[{"code": "a"}]', status=500 if len(asked) == 2 else 200)

        self.define(self.serve(answer), ", retries: {times: 1, wait: 1ms}")
        self.sync()
        self.assertEqual(len(asked), 3)


class Secrets(Traps):
    def test_next_of_a_link_header_on_another_origin_gets_no_secret(self):
        """Nor does a redirect there; X-Api-Key is a secret as Authorization is."""
        self.database(TABLE, "t.db")
        self.write("secret", SECRET)
        seen = []

        def far(handler):
            seen.append(("far", dict(handler.headers)))
            send(handler, b'[{"code": "b"}]', Link=f"<{near_url}/end>; rel=next")

        def near(handler):
            seen.append(("near", dict(handler.headers)))
            if handler.path == "/moved":
                return send(handler, b"", status=308, Location=far_url)
            link = {"/": {"Link": "</moved>; rel=next"}}.get(handler.path, {})
            send(handler, b'[{"code": "a"}]' if link else b'[{"code": "c"}]', **link)

        far_url, near_url = self.serve(far), self.serve(near)
        for auth, header, value in AUTHS:
            seen.clear()
            self.define(near_url + "/", f", auth: {auth}, pages: {{by: link}}")
            self.sync()
            self.assertEqual([(name, headers.get(header)) for name, headers in seen],
                             [("near", value), ("near", value), ("far", None), ("near", value)])


class Rows(Traps):
    def test_columns_that_are_not_mapped_stay(self):
        """INSERT OR REPLACE would make a new row, and cascade to its children."""
        self.database(TABLE.replace("name TEXT", "name TEXT, note TEXT DEFAULT 'new'") +
                      "; INSERT INTO t VALUES (7, 'a', 'A', 'mine');"
                      "CREATE TABLE child (t_id REFERENCES t ON DELETE CASCADE);"
                      "INSERT INTO child VALUES (7);", "t.db")
        self.body([{"code": "a", "name": "changed"}])
        self.define()
        self.sync()
        self.assertEqual(self.rows("id, code, name, note"), [(7, "a", "changed", "mine")])
        self.assertEqual(self.query(self.top / "t.db", "SELECT * FROM child"), [(7,)])

    def test_unique_column_that_is_no_key_matches_nothing(self):
        """An upsert on any conflict would have given b's name to a."""
        self.database(TABLE.replace("name TEXT", "name TEXT UNIQUE") +
                      "; INSERT INTO t VALUES (1, 'a', 'Same')", "t.db")
        self.body([{"code": "b", "name": "Same"}, {"code": "c", "name": "Other"}])
        self.define()
        self.assertIn("record 1", self.sync(6).stderr)
        self.assertEqual(self.rows(), [("a", "Same"), ("c", "Other")])

    def test_leading_zeros_are_never_lost(self):
        """Stored where they can be, else the record is rejected."""
        for kind, status in (("TEXT", 0), ("VARCHAR(9)", 0), ("INTEGER", 6), ("REAL", 6),
                             ("NUMERIC", 6)):
            for path in self.top.glob("t.db*"):
                path.unlink()
            self.database(TABLE.replace("name TEXT", f"name {kind}"), "t.db")
            for name, body in (("t.json", '[{"code": "a", "name": "01234"}]'),
                               ("t.csv", "code,name\na,01234\n")):
                self.body(body, name)
                self.define(name)
                self.sync(status)
                self.assertEqual(self.rows(), [] if status else [("a", "01234")], kind)

    def test_one_bad_record_in_the_middle_of_a_batch(self):
        """It alone is left out, and neither the others nor the run are lost."""
        self.database(TABLE.replace("name TEXT", "name TEXT CHECK (name <> 'bad')"), "t.db")
        self.body([{"code": f"c{n}", "name": "bad" if n == 777 else "x"} for n in range(1500)])
        self.define()
        self.assertIn("record 778", self.sync(6).stderr)
        self.assertEqual(len(self.rows()), 1499)

    def test_report_is_of_what_was_committed(self):
        """A run that fails later does not tell what it meant to do."""
        self.database(TABLE, "t.db")
        whole = json.dumps([{"code": f"c{n}", "name": "x" * 50} for n in range(1700)])
        for share in (0.1, 0.5, 0.99):
            self.body(whole[:int(len(whole) * share)])
            self.define()
            last = json.loads(self.sync(1, "--json").stdout.splitlines()[-1])
            self.assertEqual(last["status"], "failed")
            self.assertEqual(last["created"] + last["unchanged"], last["records"])
            self.assertEqual(len(self.rows()), last["records"])


class Crashes(Traps):
    def test_run_that_was_killed_stops_no_later_one(self):
        """It leaves no mark that says somebody imports."""
        self.database(TABLE, "t.db")
        asked, leave = threading.Event(), threading.Event()
        self.addCleanup(leave.set)

        def answer(handler):
            if not leave.is_set():
                handler.close_connection = True
                handler.send_response(200)
                handler.end_headers()
                handler.wfile.write(b'[{"code": "a"},')
                handler.wfile.flush()
                asked.set()
                return leave.wait(LIMIT)
            send(handler, b'[{"code": "a"}, {"code": "b"}]')

        self.define(self.serve(answer))
        sync = self.start_rowlock("sync", "t.yaml")
        self.assertTrue(asked.wait(LIMIT))  # the source is asked under the lock
        self.sync(11)
        sync.kill()
        leave.set()
        self.sync()
        self.assertEqual([code for code, _ in self.rows()], ["a", "b"])


class Files(Traps):
    def test_two_header_rows(self):
        """The second is a row as any other: a typed column rejects it alone."""
        self.database(TABLE.replace("name TEXT", "name TEXT, rank INTEGER"), "t.db")
        self.body("code,name,rank\n(text),(text),(number)\na,A,1\n", "t.csv")
        self.define("t.csv", fields="{code: code, name: name, rank: {from: rank, type: integer}}")
        self.assertIn("record 1 (line 2, byte 16) rejected", self.sync(6).stderr)
        self.assertEqual(self.rows(), [("a", "A")])

    def test_trailing_tabs(self):
        """On every line they are a column without a name; else a row too long."""
        self.database(TABLE, "t.db")
        self.body("code\tname\t\na\tA\t\nb\tB\t\n", "t.tsv")
        self.define("t.tsv", fields="{code: code, name: name}")
        self.sync()
        self.body("code\tname\nc\tC\nd\tD\t\n", "t.tsv")
        self.assertIn("record 2 (line 3, byte 15) rejected: the row has 3 fields, the header 2",
                      self.sync(6).stderr)
        self.assertEqual(self.rows(), [("a", "A"), ("b", "B"), ("c", "C")])


if __name__ == "__main__":
    unittest.main()
