# SPDX-License-Identifier: MIT
"""rowlock sync: what it writes and what it says."""

import json
import os
import signal
import unittest
from pathlib import Path

from harness import DB, ENGINE, SERVER, CliTest, json_lines, left, named, send, sqlites_own

ISO = Path("/usr/share/iso-codes/json/iso_3166-2.json")

DEFINITION = """\
sync: regions
target:
  database: DATABASE     # relative paths are relative to this file
  table: region
  create_table: true
source:
  url: URL
  records: /3166-2
match: [remote_id, slug]
fields:
  remote_id: {from: /code, strip: true}
  slug:      {from: /code, slugify: true, mode: create_only}
  name:      /name
  kind:      {from: /type, default: null}
"""


os.environ["no_proxy"] = "*"  # servers are on loopback

CREATED = f"{{database: {DB}, table: t, create_table: true}}"
EXISTING = f"{{database: {DB}, table: t}}"


class SyncTest(CliTest):
    def setUp(self):
        super().setUp()
        self.remove(DB)

    def sync(self, definition, *options, status=0, **more):
        return self.run_rowlock("sync", definition, *options, status=status, **more)

    def outcome(self, definition, status=0):
        """The last JSON line's counts."""
        done = self.sync(definition, "--json", status=status)
        last = json.loads(done.stdout.splitlines()[-1])
        return {k: last[k] for k in ("created", "updated", "unchanged", "conflicts", "deferred",
                                     "rejected") if last[k]}

    def hold(self, *keys, table="t"):
        """Somebody holds these records until told."""
        holder = self.start_rowlock("lock", DB, table, *map(str, keys), "--",
                                    "sh", "-c", "echo held; read line")
        holder.wait_for_out("held")
        return holder

    def small(self, records, fields="{code: /code, name: /name}", match="[code]",
              target=CREATED):
        """A definition with a file of its own as source."""
        if not isinstance(records, str):
            records = json.dumps(records)
        self.write("t.json", records)
        return self.write("t.yaml", f"sync: t\ntarget: {target}\nsource: {{url: t.json}}\n"
                                    f"match: {match}\nfields: {fields}\n")


class Regions(SyncTest):
    def serve_regions(self, body):
        self.body = body
        self.regions = ENGINE.url("regions.db")
        self.remove(self.regions)
        database = self.regions if SERVER else f"sqlite:{self.regions}"
        address = self.serve(lambda request: send(request, self.body))
        return self.write("regions.yaml",
                          DEFINITION.replace("URL", f"{address}/iso_3166-2.json")
                          .replace("DATABASE", database))

    def test_all_created_then_unchanged_then_some_updated(self):
        original = ISO.read_bytes()
        regions = json.loads(original)["3166-2"]
        self.assertEqual(len(regions), 5127)
        definition = self.serve_regions(original)
        self.assertEqual(self.outcome(definition), {"created": 5127})
        self.assertEqual(self.outcome(definition), {"unchanged": 5127})
        stored = self.query(self.regions,
                            "SELECT remote_id, name, kind FROM region ORDER BY id")
        self.assertEqual(stored, [(r["code"], r["name"], r["type"]) for r in regions])
        for region in regions[100:107]:
            region["name"] += " (new)"
        self.body = json.dumps({"3166-2": regions}).encode()
        self.assertEqual(self.outcome(definition), {"updated": 7, "unchanged": 5120})
        self.assertEqual(len(self.query(self.regions,
                                        "SELECT 1 FROM region WHERE name LIKE '% (new)'")), 7)

    def test_summary_lines_up(self):
        definition = self.serve_regions(ISO.read_bytes())
        lines = self.sync(definition).stdout.splitlines()
        self.assertRegex(lines[0], r"^regions: 5,127 records in \d+\.\d\d s \([\d,]+ a second\)$")
        self.assertEqual(lines[1:], ["  + created    5,127", "  * updated        0",
                                     "  = unchanged      0", "  ^ conflicts      0",
                                     "  ~ deferred       0", "  ! rejected       0"])

    def test_slugs_are_those_of_django(self):
        from django.utils.text import slugify
        names = [r["name"] for r in json.loads(ISO.read_bytes())["3166-2"]]
        definition = self.small([{"n": i, "name": name} for i, name in enumerate(names)],
                                fields="{n: /n, slug: {from: /name, slugify: true}}", match="[n]")
        self.sync(definition)
        stored = self.query(DB, "SELECT slug FROM t ORDER BY CAST(n AS INTEGER)")
        self.assertEqual([slug for slug, in stored], [slugify(name) or None for name in names])


class Writing(SyncTest):
    def rows(self, sql="SELECT code, name FROM t ORDER BY id"):
        return self.query(DB, sql)

    def test_found_by_the_second_key_gets_the_first(self):
        definition = self.small(
            [{"id": " 7 ", "slug": "a", "name": "new"}],
            fields="{rid: {from: /id, strip: true}, slug: /slug, name: /name}",
            match="[rid, slug]")
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, rid TEXT, slug TEXT, name TEXT);"
                      "INSERT INTO t VALUES (1, NULL, 'a', 'old')", "t.db")
        self.assertEqual(self.outcome(definition), {"updated": 1})
        self.assertEqual(self.rows("SELECT * FROM t"), [(1, "7", "a", "new")])

    def test_blank_key_neither_matches_nor_erases(self):
        definition = self.small(
            [{"id": " ", "slug": "a", "name": "new"}, {"slug": "b", "name": "b"}],
            fields="{rid: {from: /id, strip: true}, slug: /slug, name: /name}",
            match="[rid, slug]")
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, rid TEXT, slug TEXT, name TEXT);"
                      "INSERT INTO t VALUES (1, '7', 'a', 'old'), (2, '', 'x', 'x')", "t.db")
        self.assertEqual(self.outcome(definition), {"created": 1, "updated": 1})
        self.assertEqual(self.rows("SELECT rid, slug, name FROM t ORDER BY id"),
                         [("7", "a", "new"), ("", "x", "x"), (None, "b", "b")])

    def test_record_without_any_key_is_rejected(self):
        definition = self.small([{"code": "  ", "name": "x"}, {"name": "y"}, {"code": "a"}])
        self.assertEqual(self.outcome(definition, status=6), {"created": 1, "rejected": 2})

    def test_create_only_fields_stay(self):
        definition = self.small([{"code": "a", "name": "one"}],
                                fields="{code: /code, name: {from: /name, mode: create_only}}")
        self.assertEqual(self.outcome(definition), {"created": 1})
        self.write("t.json", '[{"code": "a", "name": "two"}]')
        self.assertEqual(self.outcome(definition), {"unchanged": 1})
        self.assertEqual(self.rows(), [("a", "one")])

    def test_absent_is_not_null(self):
        definition = self.small([{"code": "a", "name": "one"}, {"code": "b", "name": "one"}])
        self.sync(definition)
        self.write("t.json", '[{"code": "a"}, {"code": "b", "name": null}]')
        self.assertEqual(self.outcome(definition), {"updated": 1, "unchanged": 1})
        self.assertEqual(self.rows(), [("a", "one"), ("b", None)])

    def test_key_of_two_columns(self):
        fields = "{site: {from: /s, type: integer}, code: /c, name: /n}"
        records = [{"s": s, "c": c, "n": "x"} for s in (1, 2) for c in "ab"]
        definition = self.small(records, fields=fields, match="[[site, code]]")
        self.assertEqual(self.outcome(definition), {"created": 4})
        records[2]["n"] = "y"
        self.write("t.json", json.dumps(records))
        self.assertEqual(self.outcome(definition), {"updated": 1, "unchanged": 3})

    def test_types_of_a_new_table(self):
        fields = ("{code: /code, i: {from: /i, type: integer}, r: {from: /r, type: real}, "
                  "b: {from: /b, type: boolean}, t: {from: /t, type: timestamp}, "
                  "j: {from: /j, type: json}, x: {from: /x, type: blob}, n: /n}")
        record = ('[{"code": "a", "i": 7.0, "r": 1, "b": true, "t": "2024-05-06T07:08:09Z", '
                  '"j": {"k": [1, 2.50]}, "x": "bytes", "n": 1.10}]')
        definition = self.small(record, fields=fields)
        self.assertEqual(self.outcome(definition), {"created": 1})
        self.assertEqual(self.rows("SELECT i, r, b, t, j, x, n FROM t"),
                         [(7, 1.0, 1, "2024-05-06 07:08:09", '{"k": [1, 2.50]}', b"bytes",
                           "1.10")])
        self.assertEqual(self.outcome(definition), {"unchanged": 1})

    def test_existing_table_is_used_as_it_is(self):
        definition = self.small([{"code": "a", "name": "x"}])
        self.database("CREATE TABLE t (code TEXT PRIMARY KEY, name TEXT, more TEXT DEFAULT 'm')"
                      " WITHOUT ROWID", "t.db")
        self.assertEqual(self.outcome(definition), {"created": 1})
        self.assertEqual(self.rows("SELECT * FROM t"), [("a", "x", "m")])

    def test_table_without_a_unique_index(self):
        definition = self.small([{"code": f"c{i % 50}", "name": str(i % 50)} for i in range(300)])
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT, name TEXT)", "t.db")
        self.assertEqual(self.outcome(definition), {"created": 50, "unchanged": 250})

    @sqlites_own("file")  # tests/postgres has names of tables
    def test_odd_names_are_quoted(self):
        definition = self.small(
            [{"a": "x", "b": "y"}], match="['or\"der']",
            fields="{'or\"der': /a, 'a; DROP TABLE t': /b}",
            target="{database: 'my \"odd'' file.db', table: 'sel\"ect', create_table: true}")
        self.assertEqual(self.outcome(definition), {"created": 1})
        self.assertEqual(self.query(self.top / "my \"odd' file.db",
                                    'SELECT * FROM "sel""ect"'), [(1, "x", "y")])

    def test_bad_records_are_rejected_alone(self):
        records = [{"code": f"c{i}", "n": i} for i in range(1200)]
        records[3]["n"] = "seven"
        records[700]["n"] = 2 ** 64
        records[701]["n"] = [1]
        records[1199]["n"] = None
        definition = self.small(records, fields="{code: /code, n: {from: /n, type: integer}}")
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT, "
                      "n INTEGER NOT NULL CHECK (n <> 20))", "t.db")
        done = self.sync(definition, "--json", status=6)
        last = json_lines(done.stdout)[-1]
        lines = left(done.stdout)
        self.assertEqual([line["record"] for line in lines], [4, 21, 701, 702, 1200])
        self.assertEqual((last["created"], last["rejected"], last["status"]), (1195, 5, "done"))
        self.assertIn("seven", lines[0]["reason"])
        self.assertEqual({line["outcome"] for line in lines}, {"rejected"})
        self.assertEqual(self.rows("SELECT count(*) FROM t"), [(1195,)])

    def test_rejected_records_are_said_with_their_place(self):
        definition = self.small('[{"code": "a"},\n {"code": 01},\n {"code": "c"}]')
        done = self.sync(definition, status=6)
        self.assertEqual(done.stderr, "rowlock: ! record 2 (line 2, byte 27) rejected: "
                                      "not a JSON value\n")
        self.assertIn("  ! rejected   1\n", done.stdout)

    def test_only_the_first_rejected_are_said(self):
        definition = self.small("[" + ",".join(["7"] * 1000) + "]")
        done = self.sync(definition, status=6)
        self.assertEqual(len(done.stderr.splitlines()), 21)
        self.assertIn("980 more like these; --json lists all", done.stderr)

    def test_empty_list_is_no_failure(self):
        definition = self.small("[]")
        self.assertEqual(self.outcome(definition), {})
        self.assertEqual(self.rows("SELECT * FROM t"), [])

    def test_a_parent_may_stand_behind_its_child(self):
        """In a batch in which another record is bad, too."""
        for deferred in ("", " DEFERRABLE INITIALLY DEFERRED"):
            definition = self.small(
                [{"id": 1, "up": 3}, {"id": 2, "up": 99}, {"id": 3, "up": 4}, {"id": 4, "up": None}],
                fields="{id: /id, up: /up}", match="[id]")
            self.database("DROP TABLE IF EXISTS t; CREATE TABLE t (id INTEGER PRIMARY KEY, "
                          f"up INTEGER REFERENCES t{deferred})", "t.db")
            done = self.sync(definition, "--json", status=6)
            self.assertEqual([line["record"] for line in left(done.stdout)], [2], deferred)
            self.assertEqual(self.rows("SELECT * FROM t ORDER BY id"),
                             [(1, 3), (3, 4), (4, None)], deferred)

    def test_waits_for_a_held_record_and_says_for_whom(self):
        definition = self.small([{"code": "a", "name": "one"}])
        self.sync(definition)
        self.write("t.json", '[{"code": "a", "name": "two"}]')
        holder = self.hold(1)
        sync = self.start_rowlock("sync", definition)
        sync.wait_for_err("waiting for")
        self.assertEqual(self.rows(), [("a", "one")])
        number = self.known_by(holder)
        holder.tell("")
        self.assertEqual(sync.end(), 0)
        self.assertRegex(sync.err, rf"waiting for {named('t', 1)}: locked by pid {number}\b")
        self.assertEqual(self.rows(), [("a", "two")])

    def test_interrupt_while_waiting_leaves_cleanly(self):
        definition = self.small([{"code": "a", "name": "one"}])
        self.sync(definition)
        self.write("t.json", '[{"code": "a", "name": "two"}]')
        self.hold(1)
        sync = self.start_rowlock("sync", definition)
        sync.wait_for_err("waiting for")
        sync.signal(2)
        self.assertEqual(sync.end(), 130)
        self.assertIn("interrupted", sync.err)
        self.assertEqual(self.rows(), [("a", "one")])

    def test_a_pipe_that_sends_nothing_can_be_interrupted(self):
        os.mkfifo(self.top / "pipe.ndjson")
        self.write("t.yaml", f"sync: t\ntarget: {CREATED}\n"
                   "source: {url: pipe.ndjson}\nmatch: [code]\nfields: {code: /code}\n")
        sync = self.start_rowlock("sync", "t.yaml")
        with open(self.top / "pipe.ndjson", "w", encoding="utf-8"):
            sync.signal(signal.SIGINT)
            self.assertEqual(sync.end(), 130)
        self.assertIn("interrupted", sync.err)
        self.assertFalse(self.there_is(DB))

    def test_two_at_once_make_no_duplicate(self):
        definition = self.small([{"code": f"c{i}", "name": "x"} for i in range(3000)])
        self.write("u.yaml", definition.read_text().replace("sync: t", "sync: u"))
        runs = [self.start_rowlock("sync", name, "--json") for name in ("t.yaml", "u.yaml")]
        self.assertEqual([run.end() for run in runs], [0, 0])
        results = [json_lines(run.out)[-1] for run in runs]
        self.assertEqual(sum(r["created"] for r in results), 3000)
        self.assertEqual(sum(r["unchanged"] for r in results), 3000)
        self.assertEqual(self.rows("SELECT count(*), count(DISTINCT code) FROM t"),
                         [(3000, 3000)])


class Speech(SyncTest):
    def test_json_says_what_happened(self):
        definition = self.small([{"code": "a"}])
        line = json_lines(self.sync(definition, "--json").stdout)[-1]
        self.assertEqual(list(line), ["sync", "status", "records", "created", "updated",
                                      "unchanged", "conflicts", "deferred", "rejected",
                                      "seconds"])
        self.assertEqual((line["sync"], line["status"]), ("t", "done"))

    def test_json_says_why_it_failed(self):
        definition = self.small('[{"code": "a"}')
        done = self.sync(definition, "--json", status=1)
        line = json.loads(done.stdout)
        self.assertEqual(line["status"], "failed")
        self.assertIn("cut off", line["error"]["message"])
        self.assertIn("cut off", done.stderr)

    def test_the_summary_of_a_run_that_failed_says_so(self):
        definition = self.small(json.dumps([{"code": f"c{i}"} for i in range(600)])[:-1])
        lines = self.sync(definition, status=1).stdout.splitlines()
        self.assertRegex(lines[0], r"^t: failed after 500 records in \d+\.\d\d s \(")
        self.assertEqual(lines[1], "  + created    500")

    def test_no_progress_without_a_terminal(self):
        definition = self.small([{"code": f"c{i}"} for i in range(2000)])
        self.assertEqual(self.sync(definition).stderr, "")


if __name__ == "__main__":
    unittest.main()
