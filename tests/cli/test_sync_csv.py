# SPDX-License-Identifier: MIT
"""rowlock sync from CSV and TSV, beside Python's csv module: thousands of rows in
every way that RFC 4180 lets one write them, then what is at the edge of it. The
two agree on all that is well formed, but for empty lines, which Python hands out."""

import csv
import io
import random
import unittest

from test_sync_formats import FormatTest

# What fields are made of.
PIECES = ("", "a", "B", "7", "007", " ", "  ", "\t", ",", ";", "'", '"', '""', "\n", "\r\n", "\r",
          "\n\n", "\\", "\\n", "é", "e\u0301", "\u2028", "\u0085", "\xa0", "\ufeff", "\U0001f6a3",
          "null", "=1+1", "{}", "[1,2]", "#", "-", "\x01", "\x7f", "long " * 50)
COLUMNS = ("code", "a", "b c", 'd"e', "f,g", "h\ni")
LINE_ENDS = ("\n", "\r\n")


def written(value, delimiter, chance):
    """With quotes where they are needed, and now and then where not."""
    needed = any(c in value for c in ('"', "\n", "\r", delimiter))
    if needed or chance.random() < 0.2:
        return '"' + value.replace('"', '""') + '"'
    return value


def document(seed, count, delimiter=","):
    """A table as text: each row with either line end, empty lines between."""
    chance = random.Random(seed)
    rows = [list(COLUMNS)]
    rows += [[f"c{i}"] + ["".join(chance.choices(PIECES, k=chance.randrange(5)))
                          for _ in COLUMNS[1:]] for i in range(count)]
    text = ""
    for row in rows:
        text += delimiter.join(written(value, delimiter, chance) for value in row)
        text += chance.choice(LINE_ENDS)
        while chance.random() < 0.05:
            text += chance.choice(LINE_ENDS)
    return text


def read(text, delimiter=","):
    """The rows as Python has them, without empty lines."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    return [tuple(row) for row in rows if row]


class CsvTest(FormatTest):
    def import_columns(self, name, body, columns=COLUMNS, status=0):
        """Columns c0, c1 ... in the order of columns, from a CSV of that name."""
        self.fresh()
        fields = "".join(f"  {'code' if i == 0 else f'c{i}'}: {{from: {self.quoted(column)}}}\n"
                         for i, column in enumerate(columns))
        (self.top / name).write_bytes(body if isinstance(body, bytes) else body.encode())
        self.write("t.yaml", "sync: t\ntarget: {database: t.db, table: t, create_table: true}\n"
                   f"source: {{url: {name}}}\npace: full\nmatch: [code]\nfields:\n{fields}")
        self.done = self.sync(status)
        return self.rows(", ".join(["code"] + [f"c{i}" for i in range(1, len(columns))]))

    @staticmethod
    def quoted(name):
        """As a scalar of YAML."""
        return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'

    def assert_same(self, stored, expected):
        self.assertEqual(len(stored), len(expected))
        wrong = [pair for pair in zip(stored, expected) if pair[0] != pair[1]]
        self.assertEqual(wrong[:3], [])


class BesidePython(CsvTest):
    def test_thousands_of_rows_however_they_are_written(self):
        for seed in range(4):
            text = document(seed, 2000)
            expected = read(text)
            self.assertEqual(expected[0], COLUMNS)
            self.assert_same(self.import_columns("t.csv", text), expected[1:])

    def test_tabs_likewise(self):
        for seed in range(4, 6):
            text = document(seed, 2000, "\t")
            self.assert_same(self.import_columns("t.tsv", text), read(text, "\t")[1:])

    def test_with_and_without_the_last_line_end_or_a_byte_order_mark(self):
        text = document(7, 300).rstrip("\r\n")
        expected = read(text)[1:]
        for start in ("", "\ufeff"):
            for end in ("", "\n", "\r\n", "\n\r\n\n"):
                self.assert_same(self.import_columns("t.csv", start + text + end), expected)

    def test_as_python_itself_writes_it(self):
        """It leaves a carriage return without quotes if its rows end with LF alone."""
        rows = [row for row in read(document(8, 800)) if "\r" not in "".join(row)]
        for quoting in (csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC):
            for end in LINE_ENDS:
                out = io.StringIO(newline="")
                csv.writer(out, quoting=quoting, lineterminator=end).writerows(rows)
                self.assert_same(self.import_columns("t.csv", out.getvalue()), rows[1:])


class Edges(CsvTest):
    def import_two(self, body, status=0):
        return self.import_columns("t.csv", body, ("code", "a"), status)

    def test_nothing_in_quotes_is_nothing(self):
        self.assertEqual(self.import_two('code,a\nx,\ny,""\n"z",  \n'),
                         [("x", ""), ("y", ""), ("z", "  ")])
        self.write("t.yaml", (self.top / "t.yaml").read_text().replace(
            '{from: "a"}', '{from: "a", empty: null}'))
        self.sync()
        self.assertEqual(self.rows("code, c1"), [("x", None), ("y", None), ("z", None)])

    def test_header_alone_is_an_empty_list(self):
        for body in ("code,a", "code,a\n", "\ufeff\"code\",\"a\"\r\n\r\n", "\n\ncode,a\n"):
            self.assertEqual(self.import_two(body), [])
            self.assertIn("t: 0 records", self.done.stdout)

    def test_trailing_commas_in_every_row_are_columns_without_a_name(self):
        self.assertEqual(self.import_two("code,a,,\nx,1,,\ny,2,,\"more\"\n"),
                         [("x", "1"), ("y", "2")])

    def test_a_comma_more_or_less_in_one_row_rejects_it_alone(self):
        self.assertEqual(self.import_two("code,a\nx,1,\ny,2\nz\nw,\n", 6),
                         [("y", "2"), ("w", "")])
        for said in ("record 1 (line 2, byte 8) rejected: the row has 3 fields, the header 2",
                     "record 3 (line 4, byte 17) rejected: the row has 1 field, the header 2"):
            self.assertIn(said, self.done.stderr)

    def test_one_column(self):
        self.assertEqual(self.import_columns("t.csv", 'code\nx\n\n"y"\n"z ""q"""\n', ("code",)),
                         [("x",), ("y",), ('z "q"',)])

    def test_as_wide_as_the_limit(self):
        """4,096 columns, of which a definition takes 500."""
        names = ["code"] + [f"n{i}" for i in range(1, 4096)]
        rows = [[f"r{r}"] + [f"{r}.{i}" if i % 3 else "" for i in range(1, 4096)]
                for r in range(3)]
        body = "".join(",".join(row) + "\n" for row in [names, *rows])
        taken = [0, *range(1, 4096, 9), 4095]
        self.assertEqual(self.import_columns("t.csv", body, [names[i] for i in taken]),
                         [tuple(row[i] for i in taken) for row in rows])
        self.import_columns("t.csv", body.replace("\n", ",more\n"), names[:2], 1)
        self.assertIn("4096", self.done.stderr)

    def test_fields_of_a_megabyte(self):
        line = 'a "quoted" line,\r\nand \U0001f6a3\n'
        big = line * (1_000_000 // len(line.encode()) + 1)
        self.assertGreater(len(big.encode()), 1_000_000)
        plain = "x" * 1_000_000
        quoted = '"' + big.replace('"', '""') + '"'
        body = f"code,a,b c\n1,{quoted},{plain}\n2,{plain},{quoted}\n3,,\n"
        stored = self.import_columns("t.csv", body, ("code", "a", "b c"))
        self.assert_same(stored, [("1", big, plain), ("2", plain, big), ("3", "", "")])

    def test_nul_rejects_its_record_alone(self):
        body = b'code,a\nw,1\nx,a\0b\ny,"a\0b"\n\0z,1\nv,"2"\n'
        self.assertEqual(self.import_two(body, 6), [("w", "1"), ("v", "2")])
        for record in (2, 3, 4):
            self.assertRegex(self.done.stderr, rf"record {record} \(line {record + 1}, .*NUL")

    def test_bad_utf_8_rejects_its_record_alone(self):
        bad = (b"\xff", b"\x80", b"\xc3", b"\xc0\x80", b"\xe0\x80\xaf", b"\xed\xa0\x80",
               b"\xf4\x90\x80\x80", b"\xf0\x9f\x9a", b"\xfe\xff")
        for value in bad:
            self.assertRaises(UnicodeDecodeError, value.decode)
            for row in (b"x,a" + value + b"b\n", b'x,"a' + value + b'b"\n', value + b"x,a\n",
                        b"x,a" + value + b"\r\n"):
                body = b"code,a\nw,1\n" + row + b"v,2\n"
                self.assertEqual(self.import_two(body, 6), [("w", "1"), ("v", "2")])
                self.assertIn("record 2 (line 3, byte ", self.done.stderr)
                self.assertIn("invalid UTF-8", self.done.stderr)

    def test_a_header_that_cannot_be_read_fails_the_run(self):
        for body, why in ((b"code,a\xff\nx,y\n", "invalid UTF-8"),
                          (b"code,a\rx,y\r", "a carriage return that is no line end"),
                          (b'code,"a"b\nx,y\n', "text behind a closing quote"),
                          (b'code,"a\nx,y\n', "within a quoted field"), (b",\nx,y\n", "column")):
            self.import_two(body, 1)
            self.assertIn(why, self.done.stderr)
            self.assertEqual(self.rows("*"), [])

    def test_a_column_that_is_not_there_fails_the_run(self):
        """Else a publisher's new name would leave the column as it is, for ever."""
        self.import_two("code,aa\nx,y\n", 1)
        self.assertIn("the header has no column 'a' (did you mean 'aa'?)", self.done.stderr)
        self.assertIn("Field 'c1' comes from it.", self.done.stderr)
        self.assertEqual(self.rows("code"), [])
        self.import_two(" code,a\nx,y\n", 1)
        self.assertIn("the header has no column 'code' (did you mean ' code'?)", self.done.stderr)
        definition = (self.top / "t.yaml").read_text()
        self.write("t.csv", "code\nx\n")
        self.write("t.yaml", definition.replace('{from: "a"}', '{from: "a", default: null}'))
        self.sync()
        self.assertEqual(self.rows("code, c1"), [("x", None)])

    def test_a_carriage_return_alone_is_no_line_end(self):
        """Python takes it for one; RFC 4180 has none such."""
        self.assertEqual(self.import_two("code,a\nx,y\rz\nb,c\nd,e\r\r\nf,g\n", 6),
                         [("b", "c"), ("f", "g")])
        self.assertEqual(self.done.stderr.count("a carriage return that is no line end"), 2)


if __name__ == "__main__":
    unittest.main()
