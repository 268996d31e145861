# SPDX-License-Identifier: MIT
"""rowlock sync of the distribution's package index (some 63,000 records of up to
50 members, texts of up to 75 kB): as NDJSON, then again, then with 1 % changed.
The database is compared with the index, value by value and type by type."""

import json
import random
import subprocess
import unittest

from harness import CliTest

KEY = ("Package", "Architecture")
NUMBERS = ("Size", "Installed-Size")


def stanza(text):
    """A package as a dict. A line that begins with a space goes on."""
    record, name = {}, None
    for line in text.splitlines():
        if line[0] in " \t":
            record[name] += "\n" + line
        else:
            name, _, value = line.partition(":")
            record[name] = value.strip()
    if "Size" in record:
        record["Size"] = int(record["Size"])  # a JSON number; the other one stays a text
    return record


def index():
    out = subprocess.run(["apt-cache", "dumpavail"], check=True, stdout=subprocess.PIPE).stdout
    return [stanza(text) for text in out.decode().split("\n\n") if text.strip()]


def as_stored(name, value):
    return int(value) if name in NUMBERS and value is not None else value


class Packages(CliTest):
    @classmethod
    def setUpClass(cls):
        cls.index = index()

    def define(self, records):
        self.columns = sorted({name for record in records for name in record})
        fields = "".join(f"  '{c}': {{from: '/{c}'{', type: integer' * (c in NUMBERS)}}}\n"
                         for c in self.columns)
        self.write("t.yaml", "sync: packages\n"
                   "target: {database: t.db, table: package, create_table: true}\n"
                   f"source: {{url: index.ndjson}}\npace: full\nmatch: [[{', '.join(KEY)}]]\n"
                   f"fields:\n{fields}")

    def sync(self, records):
        self.write("index.ndjson", "".join(json.dumps(r, ensure_ascii=False) + "\n"
                                           for r in records))
        done = self.run_rowlock("sync", "t.yaml", "--json")
        last = json.loads(done.stdout.splitlines()[-1])
        return {name: last[name] for name in ("created", "updated", "unchanged")}

    def compare(self, expected):
        """Every value of every package; the columns of each row that differs."""
        names = ", ".join(f'"{c}"' for c in self.columns)
        rows = [dict(zip(self.columns, row)) for row in
                self.query(self.top / "t.db", f"SELECT {names} FROM package")]
        stored = {tuple(row[c] for c in KEY): row for row in rows}
        self.assertEqual((len(rows), len(stored)), (len(expected), len(expected)))
        wrong = {key: [(c, stored[key][c]) for c in self.columns
                       if stored[key][c] != as_stored(c, record.get(c))]
                 for key, record in expected.items()}
        self.assertEqual({key: columns for key, columns in wrong.items() if columns}, {})

    def changed(self):
        """One in a hundred: another value, a null, a member more, one less. The
        list is in another order; some packages are new, some are gone."""
        chance = random.Random(12)
        records = [dict(r) for r in self.index]
        chosen = chance.sample(range(len(records)), len(records) // 100)
        for i, record in enumerate(records[at] for at in chosen):
            record["Version"] += "+new"
            if i % 4 == 1:
                record["Homepage"] = None
            elif i % 4 == 2:
                record["Efi-Vendor"] = "\U0001f6a3 \"rowlock\""
            elif i % 4 == 3:
                record.pop("Tag", None)
        gone = set(range(5, 5000, 500)) - set(chosen)
        new = [{**r, "Package": r["Package"] + "-new"} for r in records[::5000]]
        records = [r for at, r in enumerate(records) if at not in gone] + new
        chance.shuffle(records)
        return records, len(chosen), len(new), len(gone)

    def test_all_created_then_unchanged_then_one_in_a_hundred_updated(self):
        n = len(self.index)
        self.assertGreater(n, 60000, "the package lists are not there: apt-get update")
        self.define(self.index)
        self.assertEqual(self.sync(self.index), {"created": n, "updated": 0, "unchanged": 0})
        expected = {tuple(r[c] for c in KEY): r for r in self.index}
        self.compare(expected)
        self.assertEqual(self.sync(self.index), {"created": 0, "updated": 0, "unchanged": n})
        records, n_changed, n_new, n_gone = self.changed()
        self.assertEqual(self.sync(records), {"created": n_new, "updated": n_changed,
                                              "unchanged": n - n_changed - n_gone})
        for record in records:  # what is absent is left as it is
            key = tuple(record[c] for c in KEY)
            expected[key] = {**expected.get(key, {}), **record}
        self.compare(expected)


if __name__ == "__main__":
    unittest.main()
