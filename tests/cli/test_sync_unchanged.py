# SPDX-License-Identifier: MIT
"""rowlock sync of a source that says it is unchanged: when it may be believed.

The server answers with validators, and counts what it was asked."""

import json
import shutil
import signal
import threading
import unittest
from email.utils import formatdate

from harness import DB, LIMIT, environment, send, sqlites_own
from test_sync import CREATED, SyncTest

FULL, UNCHANGED = "full", "304"


class UnchangedTest(SyncTest):
    def setUp(self):
        super().setUp()
        self.records = [{"code": "a", "name": "one"}, {"code": "b", "name": "two"}]
        self.kind = "ETag"
        self.tail, self.cut = "", 0
        self.fault, self.stall = None, None
        self.asked = []
        self.address = self.serve(self.answer)
        self.definition = self.source("{url: URL/t.json}")

    def source(self, text, more="", name="t.yaml"):
        return self.write(name, f"sync: t\ntarget: {CREATED}\n"
                                f"source: {text.replace('URL', self.address)}\nmatch: [code]\n"
                                f"fields: {{code: /code, name: /name}}\n{more}")

    def body(self):
        return (json.dumps(self.records) + self.tail).encode()

    def validator(self):
        if self.kind == "ETag":
            return f'"{hash(self.body()):x}"'
        return formatdate(1_700_000_000 + len(self.body()), usegmt=True)

    def answer(self, request):
        condition = {"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}[self.kind]
        validator = self.validator()
        if self.stall:
            self.stall()
            request.close_connection = True
        elif self.fault:
            self.asked.append(self.fault)
            send(request, b"", status=self.fault)
        elif request.headers[condition] == validator:
            self.asked.append(UNCHANGED)
            send(request, b"", status=304)
        else:
            self.asked.append(FULL)
            body = self.body()
            send(request, body[:len(body) - self.cut],
                 **{self.kind.replace("-", "_"): validator, "Content_Length": str(len(body))})
            request.close_connection = self.cut > 0

    def run_once(self, *options, status=0, **more):
        """A run: what the server was asked, and the last line."""
        self.asked.clear()
        done = self.sync(self.definition, "--json", *options, status=status, **more)
        return self.asked[:], json.loads(done.stdout.splitlines()[-1])

    def asks(self, *options, status=0, **more):
        asked, _ = self.run_once(*options, status=status, **more)
        self.assertEqual(len(asked), 1, asked)
        return asked[0]

    def settled(self):
        """A first run has read it all; the second need not."""
        self.assertEqual((self.asks(), self.asks()), (FULL, UNCHANGED))

    def rows(self):
        return self.query(DB, "SELECT code, name FROM t ORDER BY id")


class Believed(UnchangedTest):
    def test_a_run_is_done_without_reading_and_says_since_when(self):
        self.settled()
        asked, line = self.run_once()
        self.assertEqual(asked, [UNCHANGED])
        self.assertEqual({k: v for k, v in line.items()
                          if k not in ("seconds", "unchanged_since")},
                         {"sync": "t", "status": "done", "records": 0, "created": 0,
                          "updated": 0, "unchanged": 0, "conflicts": 0, "deferred": 0,
                          "rejected": 0})
        first = json.loads(self.run_rowlock("runs", DB, "--json").stdout)[-1]
        self.assertEqual(line["unchanged_since"], first["started"])

    def test_the_summary_says_it_in_words(self):
        self.settled()
        self.query(DB, "UPDATE rowlock_runs SET source_read = '2026-07-01 12:30:00'")
        done = self.sync(self.definition, env=environment(TZ="Europe/Vienna"))
        self.assertEqual(done.stdout, "t: the source says it is unchanged since "
                                      "2026-07-01 14:30:00; --full reads it all the same\n")
        self.assertEqual(done.stderr, "")

    def test_the_history_shows_it(self):
        self.settled()
        lines = self.run_rowlock("runs", DB).stdout.splitlines()
        self.assertEqual([line.split()[6] for line in lines[1:]], ["unchanged", "done"])
        new, old = json.loads(self.run_rowlock("runs", DB, "--json").stdout)
        self.assertEqual((new["status"], new["records"], new["exit_status"]), ("done", 0, 0))
        self.assertEqual((new["source_read"], old["source_read"]),
                         (old["started"], old["started"]))

    def test_by_last_modified_as_well(self):
        self.kind = "Last-Modified"
        self.settled()

    def test_what_changes_is_read_and_then_known(self):
        self.settled()
        self.records[0]["name"] = "ONE"
        asked, line = self.run_once()
        self.assertEqual((asked, line["updated"], line["unchanged"]), ([FULL], 1, 1))
        self.assertEqual(self.asks(), UNCHANGED)

    def test_again_and_again(self):
        self.settled()
        for _ in range(3):
            self.assertEqual(self.asks(), UNCHANGED)

    def test_each_definition_knows_its_own(self):
        one = self.definition
        two = self.write("u.yaml", one.read_text().replace("sync: t\n", "sync: u\n"))
        asked = []
        for self.definition in (one, two, one, two):
            asked.append(self.asks())
        self.assertEqual(asked, [FULL, FULL, UNCHANGED, UNCHANGED])

    @sqlites_own("file")
    def test_a_restored_backup_knows_what_it_had_read(self):
        self.settled()
        shutil.copy(self.top / "t.db", self.top / "backup.db")
        self.records[0]["name"] = "ONE"
        self.assertEqual((self.asks(), self.asks()), (FULL, UNCHANGED))
        shutil.copy(self.top / "backup.db", self.top / "t.db")
        self.assertEqual((self.asks(), self.asks()), (FULL, UNCHANGED))
        self.assertEqual(self.rows(), [("a", "ONE"), ("b", "two")])

    def test_a_dry_run_asks_too_and_writes_nothing(self):
        self.settled()
        self.query(DB, "UPDATE t SET name = 'mine' WHERE code = 'a'")
        asked, line = self.run_once("--dry-run")
        self.assertEqual((asked, line["dry_run"], line["updated"]), ([UNCHANGED], True, 0))
        self.assertIn("unchanged_since", line)
        self.assertEqual(self.asks("--dry-run", "--full", status=3), FULL)
        self.assertEqual(self.query(DB, "SELECT count(*) FROM rowlock_runs"),
                         [(2,)])


class NotBelieved(UnchangedTest):
    def test_full_reads_it_all_the_same(self):
        self.settled()
        self.query(DB, "UPDATE t SET name = 'mine' WHERE code = 'a'")
        self.assertEqual(self.asks(), UNCHANGED)
        asked, line = self.run_once("--full")
        self.assertEqual((asked, line["updated"]), ([FULL], 1))
        self.assertNotIn("unchanged_since", line)
        self.assertEqual(self.asks(), UNCHANGED)

    def test_a_changed_definition(self):
        self.settled()
        self.definition.write_text(self.definition.read_text() + "pace: full\n")
        self.settled()

    def test_a_failed_run_between(self):
        self.definition = self.source("{url: URL/t.json, retries: 0}")
        self.settled()
        self.fault = 500
        self.run_once(status=5)
        self.fault = None
        self.settled()

    def test_an_interrupted_and_a_killed_run_between(self):
        for number in (signal.SIGINT, signal.SIGKILL):
            with self.subTest(number=number):
                self.settled()
                self.stop(number)
                self.settled()
                self.records[0]["name"] += "."

    def stop(self, number):
        """A run gets this signal while the source lets it wait."""
        asked, over = threading.Event(), threading.Event()
        self.addCleanup(over.set)

        def stall():
            asked.set()
            over.wait(LIMIT)

        self.stall = stall
        sync = self.start_rowlock("sync", self.definition)
        self.assertTrue(asked.wait(LIMIT))
        sync.signal(number)
        sync.end()
        self.wait_until_left()
        over.set()
        self.stall = None

    def test_a_rejected_record(self):
        self.records.append(7)
        self.assertEqual((self.asks(status=6), self.asks(status=6)), (FULL, FULL))
        self.records.pop()
        self.settled()

    def test_a_conflict(self):
        self.records.append({"code": "a", "name": "another"})
        self.assertEqual((self.asks(status=4), self.asks(status=4)), (FULL, FULL))
        self.records.pop()
        self.settled()

    def test_a_deferred_record(self):
        self.definition = self.source("{url: URL/t.json}", more="locks: {wait: 0s}\n")
        self.settled()
        holder = self.start_rowlock("lock", DB, "t", "1", "--", "sh", "-c",
                                    "echo held; read line")
        holder.wait_for_out("held")
        self.records[0]["name"] = "ONE"
        self.assertEqual(self.asks(status=5), FULL)
        holder.tell("")
        self.assertEqual(holder.end(), 0)
        self.settled()
        self.assertEqual(self.rows()[0], ("a", "ONE"))

    def test_a_body_that_was_cut(self):
        self.definition = self.source("{url: URL/t.json, retries: 0}")
        self.cut = 1
        self.assertEqual((self.asks(status=5), self.asks(status=5)), (FULL, FULL))
        self.cut = 0
        self.settled()

    def test_a_body_with_text_behind_its_end(self):
        self.tail = "]"
        self.assertEqual((self.asks(status=1), self.asks(status=1)), (FULL, FULL))

    def test_pages_are_always_read(self):
        self.definition = self.source("{url: URL/t.json, pages: {by: link}}")
        self.assertEqual((self.asks(), self.asks()), (FULL, FULL))

    def test_a_table_that_was_made_anew(self):
        self.settled()
        self.query(DB, "DROP TABLE t")
        self.query(DB, "CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT, name TEXT)")
        self.query(DB, "INSERT INTO t VALUES (1, 'mine', 'mine')")
        self.settled()
        self.assertEqual(self.rows(), [("mine", "mine"), ("a", "one"), ("b", "two")])

    def test_a_table_that_was_emptied(self):
        self.settled()
        self.query(DB, "DELETE FROM t")
        self.settled()
        self.assertEqual(self.rows(), [("a", "one"), ("b", "two")])

    def test_a_run_of_another_version(self):
        self.settled()
        self.query(DB, "UPDATE rowlock_runs SET version = '0.0.1'")
        self.settled()

    def test_a_run_of_another_definition(self):
        self.settled()
        self.definition.write_text(self.definition.read_text().replace("sync: t\n", "sync: u\n"))
        self.settled()

    def test_a_database_without_history(self):
        self.settled()
        self.query(DB, "DROP TABLE rowlock_runs")
        self.query(DB, "CREATE TABLE rowlock_runs (id INTEGER PRIMARY KEY)")
        self.assertEqual((self.asks(), self.asks()), (FULL, FULL))

    def test_a_url_with_a_secret(self):
        self.definition = self.source('{url: "URL/t.json?key=${KEY}"}')
        key = {"env": environment(KEY="hush-hush")}
        self.assertEqual((self.asks(**key), self.asks(**key)), (FULL, FULL))
        self.assertEqual(self.query(DB, "SELECT validator FROM rowlock_runs"),
                         [(None,), (None,)])


if __name__ == "__main__":
    unittest.main()
