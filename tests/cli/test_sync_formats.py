# SPDX-License-Identifier: MIT
"""rowlock sync from JSON, NDJSON, CSV and TSV: which it takes a source for, what
it reads, and that a cut body never ends well."""

import csv
import io
import json
import os
import re
import unittest

from harness import CliTest, send

os.environ["no_proxy"] = "*"  # servers are on loopback

RECORDS = [{"code": c, "name": n} for c, n in (("a", "A"), ("b", "é\U0001f600"), ("c", "C,\n]}"))]


def as_csv(records, **options):
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(records[0]), **{"lineterminator": "\r\n", **options})
    writer.writeheader()
    writer.writerows(records)
    return out.getvalue().encode()


def as_ndjson(records):
    return "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records).encode()


def bodies(records):
    """The records in each format: extension, content type, body."""
    as_json = json.dumps(records, ensure_ascii=False).encode()
    return (("json", "application/json", as_json),
            ("ndjson", "application/x-ndjson", as_ndjson(records)),
            ("csv", "text/csv; charset=utf-8", as_csv(records)),
            ("tsv", "text/tab-separated-values", as_csv(records, delimiter="\t")))


class FormatTest(CliTest):
    def define(self, source, fields="{code: /code, name: /name}"):
        return self.write("t.yaml", "sync: t\n"
                          "target: {database: t.db, table: t, create_table: true}\n"
                          f"source: {source}\nmatch: [code]\nfields: {fields}\n")

    def body(self, name, body, source="{url: '%s'}", **more):
        (self.top / name).write_bytes(body if isinstance(body, bytes) else body.encode())
        return self.define(source % name, **more)

    def sync(self, status=0):
        return self.run_rowlock("sync", "t.yaml", status=status)

    def refused(self, *expected, status=1):
        done = self.sync(status)
        for text in expected:
            self.assertIn(text, done.stderr)

    def rows(self, what="code, name"):
        if not (self.top / "t.db").exists():
            return []
        return self.query(self.top / "t.db", f"SELECT {what} FROM t ORDER BY id")

    def fresh(self):
        for path in self.top.glob("t.db*"):
            path.unlink()

    def serve_body(self, kind, name="items", head=b"", cut=None):
        """Serves what self.answer is, with kind as content type."""
        def answer(handler):
            if head:
                handler.close_connection = True
                handler.wfile.write(head + self.answer)
            else:
                send(handler, self.answer, Content_Type=kind)
        return f"{self.serve(answer)}/{name}"


class Choosing(FormatTest):
    expected = [(r["code"], r["name"]) for r in RECORDS]

    def test_by_extension(self):
        for extension, _, body in bodies(RECORDS):
            self.fresh()
            self.body(f"t.{extension.upper()}", body)
            self.sync()
            self.assertEqual(self.rows(), self.expected)

    def test_by_content_type_before_extension(self):
        for _, kind, self.answer in bodies(RECORDS):
            self.fresh()
            self.define("{url: '%s'}" % self.serve_body(kind, "export.json?format=csv"))
            self.sync()
            self.assertEqual(self.rows(), self.expected)

    def test_by_extension_where_the_content_type_says_nothing(self):
        for extension, _, self.answer in bodies(RECORDS):
            self.fresh()
            self.define("{url: '%s'}" % self.serve_body("application/octet-stream",
                                                        f"items.{extension}?v=1.5"))
            self.sync()
            self.assertEqual(self.rows(), self.expected)

    def test_by_what_is_said_before_all_else(self):
        for extension, _, self.answer in bodies(RECORDS):
            self.fresh()
            url = self.serve_body("text/csv" if extension != "csv" else "application/json")
            self.define(f"{{url: '{url}', format: {extension}}}")
            self.sync()
            self.assertEqual(self.rows(), self.expected)

    def test_unknown_format_is_refused(self):
        self.define("{url: t.xml, format: xml}")
        self.refused("t.yaml:3:30: 'xml' is none of: json, ndjson, csv, tsv", status=2)

    def test_records_belong_to_json(self):
        self.define("{url: t.csv, format: csv, records: /items}")
        self.refused("'records' is a pointer into JSON, but the format is csv", status=2)
        self.body("t.ndjson", as_ndjson(RECORDS), source="{url: %s, records: /items}")
        self.refused("'t.ndjson' is read as ndjson, which has no place for 'records'")


class Lists(FormatTest):
    """Where the list is that no pointer names."""

    def test_only_list_of_objects_is_found(self):
        for body in ('{"total": 3, "tags": ["x"], "items": ITEMS, "links": {"a": [{}]}}',
                     '\ufeff {"items": ITEMS, "none": []}', '{"a~b/c": ITEMS}', ' ITEMS'):
            self.fresh()
            self.body("t.json", body.replace("ITEMS", json.dumps(RECORDS)))
            self.sync()
            self.assertEqual(len(self.rows()), 3)

    def test_empty_list_of_a_page_is_found(self):
        self.body("t.json", '{"count": 0, "items": []}')
        self.sync()

    def test_several_are_named(self):
        self.body("t.json", '{"items": [{"code": "a"}], "errors": [{"code": "b"}], "x": []}')
        self.refused("the body has several lists", "/items, /errors", "'records'")
        self.assertEqual(self.rows(), [])
        self.assertFalse((self.top / "t.db").exists())

    def test_second_list_far_behind_is_a_failure(self):
        many = [{"code": str(i), "name": "x" * 100} for i in range(50000)]
        self.body("t.json", json.dumps({"items": many, "more": [{"code": "b"}]}))
        self.refused("a second list of objects: name one with 'records'")
        self.body("t.json", json.dumps({"items": many, "more": [1]}))
        self.sync()

    def test_none_at_all(self):
        for body in ('{"a": 1}', '{}', '{"a": {"b": [{}]}}', '7'):
            self.body("t.json", body)
            self.refused("the body is not a list")


class Cuts(FormatTest):
    def check_prefix(self):
        rows = self.rows()
        self.assertEqual(rows, [(r["code"], r["name"]) for r in RECORDS][:len(rows)])

    def test_length_that_is_not_reached(self):
        for extension, kind, body in bodies(RECORDS):
            cut = [0]

            def answer(handler):
                handler.close_connection = True
                send(handler, body[:cut[0]], Content_Type=kind, Content_Length=str(len(body)))

            self.define(f"{{url: '{self.serve(answer)}/x', retries: 0}}")
            self.fresh()
            for cut[0] in range(len(body)):
                self.sync(5)
                self.check_prefix()
            cut[0] = len(body)
            self.sync()
            self.assertEqual(len(self.rows()), 3)

    def test_connection_that_ends_without_a_length(self):
        """Where neither length nor chunks prove the end, a line end must."""
        for extension, kind, body in bodies(RECORDS):
            url = self.serve_body(kind, head=b"HTTP/1.0 200 OK\r\nContent-Type: "
                                  + kind.encode() + b"\r\n\r\n")
            self.define(f"{{url: '{url}'}}")
            self.fresh()
            for cut in range(len(body)):
                self.answer = body[:cut]
                whole = extension != "json" and self.answer.endswith(b"\n")
                if self.answer.count(b'"') % 2:  # within a quoted field
                    whole = False
                self.sync(0 if whole else 1)
                self.check_prefix()
            self.answer = body
            self.sync()
            self.assertEqual(len(self.rows()), 3)

    def test_file_that_was_cut_within_a_line(self):
        body = as_ndjson(RECORDS)
        for cut in range(len(body)):
            self.body("t.ndjson", body[:cut])
            self.sync(0 if cut == 0 or body[:cut + 1].endswith((b"}\n", b"\n{")) else 1)
            self.check_prefix()
        self.body("t.csv", "code,name\na,A\nb")
        self.refused("the body is cut off: its last line has no end", "t.csv, line 3, byte 16")
        self.body("t.csv", "code,name\na,A\nb,B")
        self.sync()

    def test_empty_table_has_no_header(self):
        self.body("t.csv", "")
        self.refused("the body is empty: it has no header")


class Tables(FormatTest):
    def test_columns_are_named_with_or_without_a_slash(self):
        self.body("t.csv", "a/b,~,c d\n1,2,3\n",
                  fields="{code: a/b, w: {from: /~0}, x: {from: ~0, default: null}, name: c d}")
        self.refused("", status=0)
        self.assertEqual(self.rows("code, w, x, name"), [("1", "2", None, "3")])

    def test_names_without_a_slash_are_for_tables(self):
        self.body("t.json", "[]", fields="{code: code}")
        self.refused("a JSON pointer begins with '/', not 'code'", status=2)

    def test_values_are_text(self):
        self.body("t.csv", "code,n,j,b\n007,7,\"{}\",x\n", fields="{code: code, n: {from: n, type: "
                  "integer}, j: {from: j, type: json}, name: /b}")
        self.sync()
        self.assertEqual(self.rows("code, n, j, typeof(n)"), [("007", 7, '"{}"', "integer")])
        self.body("t.csv", "code,n,j,b\n8,007,1,x\n", fields="{code: code, n: {from: n, type: "
                  "integer}, j: {from: j, type: json}, name: /b}")
        self.refused("record 1 (line 2, byte 12) rejected", "007", status=6)

    def test_bad_rows_are_rejected_with_their_place(self):
        self.body("t.csv", b'code,name\na,A\nb\nc,"C\nC"\nd,5" pipe\ne,E\xff\nf,"F"x"\ng,G,G\nh,H')
        self.refused("record 2 (line 3, byte 15) rejected: the row has 1 field, the header 2",
                     "record 4 (line 6, byte 28) rejected: a quote within an unquoted field",
                     "record 5 (line 7, byte 38) rejected: invalid UTF-8",
                     "record 6 (line 8, byte 45) rejected: text behind a closing quote",
                     "record 7 (line 9, byte 48) rejected: the row has 3 fields, the header 2", status=6)
        self.assertEqual(self.rows(), [("a", "A"), ("c", "C\nC"), ("h", "H")])

    def test_header_that_names_a_column_twice(self):
        self.body("t.csv", "code,name,code\n1,2,3\n")
        self.refused("the header names 'code' twice", "t.csv, line 1")


class Lines(FormatTest):
    def test_bad_line_is_rejected_alone(self):
        self.body("t.ndjson", b'{"code": "a"}\n{"code": \n\n"x"\n{"code": "b"} {"code": "c"}\n'
                              b'[]\n{"code": "\xff"}\n\r\n {"code": "d"}\r\n')
        done = self.sync(6)
        self.assertEqual([code for code, _ in self.rows()], ["a", "d"])
        self.assertEqual(re.findall(r"record (\d) \(line (\d)", done.stderr),
                         [("2", "2"), ("3", "4"), ("4", "5"), ("5", "6"), ("6", "7")])

    def test_json_with_line_ends_is_no_ndjson(self):
        self.body("t.ndjson", json.dumps(RECORDS, indent=1))
        self.refused("cut off")


if __name__ == "__main__":
    unittest.main()
