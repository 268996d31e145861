# SPDX-License-Identifier: MIT
"""rowlock sync of two lists of ISO, from the distribution's iso-codes: whatever
format they come in, every value of every record arrives as Python reads it."""

import gzip
import json
import unittest
from pathlib import Path

from test_sync_formats import FormatTest, bodies
from test_sync_packed import zstd

FOLDER = Path("/usr/share/iso-codes/json")
LISTS = (("3166-2", "code", 5127), ("639-3", "alpha_3", 7910))


def read(name):
    return (FOLDER / f"iso_{name}.json").read_bytes()


class Lists(FormatTest):
    def columns(self, records, key):
        """All members that occur, the match key first."""
        return [key] + sorted({name for r in records for name in r} - {key})

    def take(self, name, body, columns, source):
        """A first run, and a second that changes nothing; what is stored."""
        self.fresh()
        (self.top / name).write_bytes(body)
        fields = ", ".join(f"{c}: {{from: /{c}, empty: null}}" for c in columns)
        self.write("t.yaml", "sync: t\n"
                   "target: {database: t.db, table: t, create_table: true}\n"
                   f"source: {source}\nmatch: [{columns[0]}]\nfields: {{{fields}}}\n")
        stored = []
        for outcome in ("created", "unchanged"):
            done = self.run_rowlock("sync", "t.yaml", "--json")
            last = json.loads(done.stdout.splitlines()[-1])
            self.assertEqual(last[outcome], last["records"])
            stored.append(self.rows(", ".join(columns)))
        self.assertEqual(stored[0], stored[1])
        return stored[0]

    def test_at_a_pointer_every_value_is_that_of_the_file(self):
        for name, key, count in LISTS:
            records = json.loads(read(name))[name]
            self.assertGreaterEqual(len(records), count)
            columns = self.columns(records, key)
            stored = self.take("list.json", read(name), columns,
                               f"{{url: list.json, records: /{name}}}")
            self.assertEqual(stored, [tuple(r.get(c) for c in columns) for r in records])

    def test_the_same_table_comes_from_each_format_plain_and_packed(self):
        for name, key, _ in LISTS:
            records = json.loads(read(name))[name]
            columns = self.columns(records, key)
            expected = [tuple(r.get(c) for c in columns) for r in records]
            full = [{c: r.get(c, "") for c in columns} for r in records]
            for extension, _, body in bodies(full):
                for end, pack in (("", bytes), (".gz", gzip.compress), (".zst", zstd)):
                    file = f"list.{extension}{end}"
                    with self.subTest(list=name, file=file):
                        self.assertEqual(self.take(file, pack(body), columns, f"{{url: {file}}}"),
                                         expected)


if __name__ == "__main__":
    unittest.main()
