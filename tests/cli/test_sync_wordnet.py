# SPDX-License-Identifier: MIT
"""rowlock sync of WordNet 3.0, then of 3.1, matched by sense key and synset id.

Between the two nearly every synset got another id, and 704 ids are in both lists:
645 of those mean something else now. An id that is used again must be noticed, and
a sense that moved to another id be followed.

What a record is here. A synset id names a synset, which has several senses: with a
record for each sense, the first that got a new id would make that id another
record's for all others of its synset. So there is a record for each synset, with
the sense key of its first word: then both keys name one record of a list, and
`match: [sense_key, synset_id]` means something. A second test has a record for each
sense, with the number of the word within the synset as part of its second key.

Reference is the rule of docs/definition.md ("Matching"), applied to one record
after the other. What it says of each record is what the run must say.
"""

import gc
import json
import os
import shutil
import tempfile
import unittest
from collections import Counter
from operator import itemgetter
from pathlib import Path

import wordnet
from harness import LIMIT, CliTest

gc.disable()  # some millions of dicts without a circle: looking at them costs a third

# There the first test is enough: its matching is theirs.
seldom = unittest.skipIf(os.environ.get("SANITIZE", "none") != "none",
                         "takes minutes in a sanitized build")

FIELDS = ("sense_key", "synset_id", "word", "lemma", "gloss")
COUNTED = ("created", "updated", "unchanged", "conflicts")
BY_SYNSET = (("sense_key",), ("synset_id",))
BY_SENSE = (("sense_key",), ("synset_id", "word"))


class Reference:
    """The table that must come out, row by primary key, and each record's fate."""

    def __init__(self, keys, on_disagree):
        self.keys, self.on_disagree = keys, on_disagree
        self.value = [itemgetter(*key) for key in keys]
        self.rows = {}
        self.found = [{} for _ in keys]  # of each key: value to row
        self.written = set()             # by this run, or found to be right

    def fill(self, records):
        """Into the empty table: each is created, since each has keys of its own."""
        self.rows = {i: {"id": i, **record} for i, record in enumerate(records, 1)}
        self.found = [{value(row): row for row in self.rows.values()} for value in self.value]
        assert all(len(found) == len(records) for found in self.found)

    def write(self, row, values):
        moved = [(self.value[k], self.found[k]) for k, key in enumerate(self.keys)
                 if not values.keys().isdisjoint(key)]
        for value, found in moved:
            found.pop(value(row), None)
        row.update(values)
        for value, found in moved:
            found[value(row)] = row

    def create(self, record):
        row = dict.fromkeys(FIELDS) | {"id": len(self.rows) + 1}
        self.rows[row["id"]] = row
        self.write(row, record)
        return row, "created"

    def judge(self, record):
        """The row that is meant, None for none; the fields that stay as they are,
        None for a conflict."""
        first, second = (found.get(value(record)) for value, found in
                         zip(self.value, self.found))
        if first and second and second is not first:  # the second key is another's
            return first, self.keys[1] if self.on_disagree == "first" else None
        if not first and second:  # it has another first key, which is never blank
            return second, {"report": None, "first": self.keys[0], "rekey": ()}[self.on_disagree]
        return first, ()

    def take(self, record):
        """The row's primary key and what becomes of the record."""
        row, stays = self.judge(record)
        if not row:
            row, fate = self.create(record)
        elif stays is None:
            return row["id"], "conflict"
        else:
            wanted = {field: record[field] for field in FIELDS
                      if field not in stays and record[field] != row[field]}
            if wanted and row["id"] in self.written:  # another record's of this run
                return row["id"], "conflict"
            self.write(row, wanted)
            fate = "updated" if wanted else "unchanged"
        self.written.add(row["id"])
        return row["id"], fate

    def run(self, records):
        """Conflicts are looked at again, from alternating ends, until a pass
        settles none."""
        self.written = set()
        fates = [self.take(record) for record in records]
        left, before = [i for i, (_, fate) in enumerate(fates) if fate == "conflict"], None
        while left and len(left) != before:
            before = len(left)
            left.reverse()
            for i in left:
                fates[i] = self.take(records[i])
            left = [i for i in left if fates[i][1] == "conflict"]
        return fates


class WordNet(CliTest):
    """Each test begins with a copy of a table that has 3.0."""
    keys = BY_SYNSET
    filled = None

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="rowlock-test-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.old = cls.list("old", wordnet.old())
        cls.new = cls.list("new", wordnet.new())
        cls.old_by_key = {r["sense_key"]: r for r in cls.old}
        cls.new_by_key = {r["sense_key"]: r for r in cls.new}

    @classmethod
    def list(cls, name, senses):
        records = [r for r in senses if cls.is_wanted(r)]
        (cls.folder / f"{name}.ndjson").write_text("".join(json.dumps(r) + "\n"
                                                           for r in records))
        return records

    @classmethod
    def is_wanted(cls, _):
        return True

    def start(self, on_disagree):
        """Makes the table once; what makes it has no conflicts, whatever they mean."""
        keys = ", ".join(f"[{', '.join(key)}]" for key in self.keys)
        fields = "".join(f"  {f}: {{from: /{f}{', type: integer' * (f == 'word')}}}\n"
                         for f in FIELDS)
        self.definition = ("sync: wordnet\n"
                           "target: {database: w.db, table: term, create_table: true}\n"
                           f"source: {{url: {self.folder}/LIST.ndjson}}\npace: full\n"
                           f"match: {{keys: [{keys}], on_disagree: {on_disagree}}}\n"
                           f"fields:\n{fields}")
        self.reference = Reference(self.keys, on_disagree)
        if not type(self).filled:
            self.define("old")
            self.run_rowlock("sync", "wordnet.yaml", timeout=4 * LIMIT)
            self.query(self.top / "w.db", "PRAGMA wal_checkpoint(TRUNCATE)")
            type(self).filled = shutil.copy(self.top / "w.db", self.folder)
        else:
            shutil.copy(self.filled, self.top / "w.db")
        self.reference.fill(self.old)
        self.assertEqual(self.differences(self.stored(), self.reference.rows), (0, []))

    def define(self, name):
        self.write("wordnet.yaml", self.definition.replace("LIST", name))

    def sync(self, name):
        """Both run and leave the same records in conflict: their sense keys, and
        what became of the others, as the lines say and as the reference. What is
        unchanged has no line."""
        self.define(name)
        done = self.run_rowlock("sync", "wordnet.yaml", "--json", status=4, timeout=4 * LIMIT)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        records, last = getattr(self, name), lines.pop()
        told = {line["record"]: (line["key"]["id"], line["outcome"]) for line in lines}
        self.assertEqual(len(told), len(lines))
        self.assertEqual({name: last[name] for name in COUNTED}, self.counts(told, records))
        expected = {i: fate for i, fate in enumerate(self.reference.run(records), 1)
                    if fate[1] != "unchanged"}
        left = [{i for i, (_, fate) in fates.items() if fate == "conflict"}
                for fates in (told, expected)]
        self.assertEqual(*left)
        return {records[i - 1]["sense_key"] for i in left[0]}, told, expected

    def counts(self, told, records):
        fates = Counter(fate for _, fate in told.values())
        return {"created": fates["created"], "updated": fates["updated"],
                "unchanged": len(records) - len(told), "conflicts": fates["conflict"]}

    def stored(self):
        columns = ("id", *FIELDS)
        return {row[0]: dict(zip(columns, row)) for row in
                self.query(self.top / "w.db", f"SELECT {', '.join(columns)} FROM term")}

    def differences(self, one, other):
        """How many, and some of them: 100,000 are no help."""
        wrong = [] if one == other else [(one.get(i), other.get(i)) for i in {*one, *other}
                                         if one.get(i) != other.get(i)]
        return len(wrong), wrong[:3]

    def wrong_pairs(self, rows, left=()):
        """Sense keys that have another's gloss: neither that of 3.1, nor that of 3.0
        where 3.1 has no such key or its record was left in conflict."""
        for row in rows.values():
            key = row["sense_key"]
            gone = key not in self.new_by_key or key in left
            source = self.old_by_key if gone else self.new_by_key
            if row["gloss"] != source[key]["gloss"]:
                yield key

    def report(self):
        """3.0, 3.1, and 3.1 again, with on_disagree: report."""
        self.start("report")
        left, told, expected = self.sync("new")
        self.assertEqual(self.differences(told, expected), (0, []))
        rows = self.stored()
        self.assertEqual(self.differences(rows, self.reference.rows), (0, []))
        self.assertEqual(list(self.wrong_pairs(rows, left)), [])
        self.check_followed(rows, left)
        again, other, _ = self.sync("new")
        self.assertEqual((again, len(other)), (left, len(left)))
        return left, self.counts(told, self.new)

    def check_followed(self, rows, left):
        """A sense that is in both is the same local record, and has its new id."""
        rows = {row["sense_key"]: row for row in rows.values()}
        for i, old in enumerate(self.old, 1):
            row, new = rows[old["sense_key"]], self.new_by_key.get(old["sense_key"])
            same = old if new is None or old["sense_key"] in left else new
            self.assertEqual((row["id"], row["synset_id"]), (i, same["synset_id"]), old)


class Synsets(WordNet):
    @classmethod
    def is_wanted(cls, record):
        return record["word"] == 1

    def reused(self):
        """Ids of both lists that mean something else in 3.1."""
        old = {r["synset_id"]: r["sense_key"] for r in self.old}
        both = [r for r in self.new if r["synset_id"] in old]
        self.assertEqual(len(both), 704)
        return [r for r in both if old[r["synset_id"]] != r["sense_key"]]

    def test_what_is_used_again_is_noticed_and_what_moved_is_followed(self):
        self.assertEqual((len(self.old), len(self.new)), (117_659, 117_791))
        left, counts = self.report()
        self.assertEqual(counts, {"created": 307, "updated": 117_427, "unchanged": 56,
                                  "conflicts": 1})
        # The one is there still: whoever had the id in 3.0 is not in 3.1, so is
        # nowhere to be moved to.
        rows = {row["synset_id"]: row["sense_key"] for row in self.stored().values()}
        reused = self.reused()
        self.assertEqual(len(reused), 645)
        self.assertEqual({r["sense_key"] for r in reused
                          if rows[r["synset_id"]] != r["sense_key"]}, left)
        self.assertEqual(left, {"wide%3:00:00::"})

    @seldom
    def test_rekey_gives_records_other_identities_and_no_wrong_gloss(self):
        """Who has an id that is used again becomes what it means now, if no record
        has the new sense key; which new record is made first is not promised."""
        self.start("rekey")
        left, told, expected = self.sync("new")
        for fates in (told, expected):
            fates.update((i, ("new", fate)) for i, (_, fate) in fates.items() if fate == "created")
        self.assertEqual(self.differences(told, expected), (0, []))
        stored, wanted, n = self.stored(), self.reference.rows, len(self.old)
        self.assertEqual(self.differences({i: stored[i] for i in range(1, n + 1)},
                                          {i: wanted[i] for i in range(1, n + 1)}), (0, []))
        self.assertEqual(*({tuple(row[f] for f in FIELDS) for row in rows.values()}
                           for rows in (stored, wanted)))
        self.assertEqual(list(self.wrong_pairs(stored, left)), [])

    @seldom
    def test_first_leaves_ids_that_another_record_has_yet(self):
        """`first` is no conflict, so no later look either: an id that is free by
        then is given by the next run. Who has a sense key that is new is taken for
        the one with its id, and gives it a wrong gloss: that is what `first` says,
        and the record that was there is reported."""
        self.start("first")
        left, told, expected = self.sync("new")
        self.assertEqual(len(left), 3)
        for i, fate in told.items():  # where nothing but such an id is new, it has no line
            self.assertEqual(fate, expected[i])
        ids = {r["synset_id"] for r in self.old}
        for i, row in self.stored().items():
            wanted = self.reference.rows[i]
            if row != wanted:  # an id that was another's, and is free by now
                self.assertIn(wanted["synset_id"], ids)
                self.assertEqual(row, {**wanted, "synset_id": self.old[i - 1]["synset_id"]})
        again, _, _ = self.sync("new")
        rows = self.stored()
        self.assertEqual(self.differences(rows, self.reference.rows), (0, []))
        self.assertEqual((again, set(self.wrong_pairs(rows))), (left, left))


class Senses(WordNet):
    """Without nouns, which are two thirds of all."""
    keys = BY_SENSE

    @classmethod
    def is_wanted(cls, record):
        return not record["synset_id"].endswith("n")

    @seldom
    def test_each_sense_has_its_own_gloss(self):
        both = set(self.old_by_key) & set(self.new_by_key)
        moved = [key for key in both
                 if self.old_by_key[key]["synset_id"] != self.new_by_key[key]["synset_id"]]
        self.assertEqual((len(both), len(moved)), (60_396, 60_322))
        left, counts = self.report()
        self.assertEqual(counts, {"created": 327, "updated": 60_325, "unchanged": 69,
                                  "conflicts": 2})
        self.assertEqual(left, {"broad%3:00:04::", "wide%3:00:00::"})


if __name__ == "__main__":
    unittest.main()
