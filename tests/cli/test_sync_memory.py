# SPDX-License-Identifier: MIT
"""rowlock sync of a million records takes the memory of a hundred thousand, and a
fifth more at most: as NDJSON, one JSON array and CSV. From 100,000 records on,
SQLite's cache (8 MB) is as full as it gets.

A sanitizer makes each record take four times as long, and keeps the ratio: there
the larger number is 300,000.
"""

import os
import unittest

from harness import LIMIT, CliTest, measure

SANITIZED = os.environ.get("SANITIZE", "none") != "none"
SMALL, LARGE = 100_000, 300_000 if SANITIZED else 1_000_000
MOST = 1.2

DEFINITION = """\
sync: t
target: {database: %d.db, table: t, create_table: true}
source: {url: %s}
pace: full
match: [code]
fields: {code: /code, name: /name, note: /note}
"""


def values(count):
    """Of each record, some 120 bytes."""
    note = "a note of some eighty characters, as a remote list has one, with its words; "
    return ((f"c{i}", f"Name number {i}", note) for i in range(count))


def as_ndjson(count):
    return ('{"code": "%s", "name": "%s", "note": "%s"}\n' % value for value in values(count))


def as_json(count):
    yield '{"total": %d, "items": [' % count
    for i, line in enumerate(as_ndjson(count)):
        yield "," + line if i else line
    yield "]}"


def as_csv(count):
    yield "code,name,note\n"
    yield from ('%s,"%s","%s"\n' % value for value in values(count))


class Memory(CliTest):
    def peak(self, count, extension, make):
        """Of a run; the first of a count makes the table, the others find it."""
        with open(self.top / f"t.{extension}", "w", encoding="utf-8") as body:
            body.writelines(make(count))
        self.write("t.yaml", DEFINITION % (count, f"t.{extension}"))
        status, peak, said = measure("sync", "t.yaml", cwd=self.top, timeout=4 * LIMIT)
        self.assertEqual((status, said), (0, ""))
        self.assertEqual(self.query(self.top / f"{count}.db", "SELECT count(*) FROM t"), [(count,)])
        return peak

    def test_a_million_records_take_the_memory_of_a_hundred_thousand(self):
        runs = (("ndjson", as_ndjson), ("ndjson", as_ndjson), ("json", as_json), ("csv", as_csv))
        peaks = [[self.peak(count, *run) for run in runs] for count in (SMALL, LARGE)]
        for (extension, _), small, large in zip(runs, *peaks):
            self.assertLessEqual(large, MOST * small, (extension, peaks))


if __name__ == "__main__":
    unittest.main()
