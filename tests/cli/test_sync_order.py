# SPDX-License-Identifier: MIT
"""rowlock sync: several remote records for one local record, or for one key.
The first in the source comes first, whether they stand together or so far apart
that they are looked up and written apart."""

import collections
import json
import os
import random
import unittest

from harness import DB, SERVER
from test_sync import EXISTING, SyncTest

SOAK = int(os.environ.get("ROWLOCK_SOAK", 1))
FIELDS = "{rid: /rid, slug: /slug, name: /name}"
APART = 700  # records: more than a batch


def costs_too_much(gap, unique):
    """A server gets several messages for each record where there is no index."""
    return SERVER and gap and not unique


class Order(SyncTest):
    def prepare(self, local, remote, match, gap=0, unique=""):
        """Local records (id, rid, slug, name); remote ones (rid, slug, name), with
        so many others behind each."""
        self.remove(DB)
        self.database(f"CREATE TABLE t (id INTEGER PRIMARY KEY, rid TEXT {unique}, "
                      f"slug TEXT {unique}, name TEXT)", "t.db")
        if local:
            self.query(DB, "INSERT INTO t VALUES " + ", ".join(["(?, ?, ?, ?)"] * len(local)),
                       *(value for row in local for value in row))
        records, self.numbers = [], {}
        for record in remote:
            records.append(dict(zip(("rid", "slug", "name"), record)))
            self.numbers[len(records)] = len(self.numbers) + 1
            records += [{"rid": f"far {len(records)} {i}", "name": "far"} for i in range(gap)]
        return self.small(records, fields=FIELDS, match=match,
                          target=EXISTING)

    def run_one(self, definition):
        """The records that were left, by their place in the story; the counts."""
        done = self.run_rowlock("sync", "--json", definition, status=None)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        left = {self.numbers[line["record"]]: line["outcome"] for line in lines[:-1]
                if line["outcome"] in ("conflict", "deferred", "rejected")}
        return left, lines[-1]

    def rows(self):
        return [row[1:] for row in self.query(DB, "SELECT * FROM t ORDER BY id")
                if not str(row[1]).startswith("far")]

    def story(self, local, remote, rows, left, policy="report", match="rid, slug"):
        for gap in (0, APART):
            for unique in ("", "UNIQUE"):
                if costs_too_much(gap, unique):
                    continue
                with self.subTest(gap=gap, unique=unique):
                    definition = self.prepare(
                        local, remote, f"{{keys: [{match}], on_disagree: {policy}}}", gap, unique)
                    self.assertEqual(self.run_one(definition)[0],
                                     {number: "conflict" for number in left})
                    self.assertEqual(self.rows(), rows)

    def test_the_second_may_say_the_same(self):
        self.story([(1, "r", "a", "old")], [("r", "a", "new"), ("r", "a", "new")],
                   [("r", "a", "new")], [])

    def test_the_second_may_not_say_something_else(self):
        self.story([(1, "r", "a", "old")], [("r", "a", "new"), ("r", "a", "newer")],
                   [("r", "a", "new")], [2])

    def test_not_even_what_is_there_already(self):
        self.story([(1, "r", "a", "old")], [("r", "a", "new"), ("r", "a", "old")],
                   [("r", "a", "new")], [2])

    def test_one_that_is_as_the_first_says_is_not_changed_by_the_second(self):
        self.story([(1, "r", "a", "old")], [("r", "a", "old"), ("r", "a", "new")],
                   [("r", "a", "old")], [2])

    def test_a_new_record_is_created_once(self):
        self.story([], [("r", "a", "new"), ("r", "a", "new"), ("r", "a", "newer")],
                   [("r", "a", "new")], [3])

    def test_two_that_come_to_it_by_different_keys(self):
        self.story([(1, "r", "a", "old")], [("r", None, "new"), (None, "a", "newer")],
                   [("r", "a", "new")], [2])

    def test_the_second_gives_no_key_to_what_the_first_has_created(self):
        self.story([], [(None, "a", "new"), ("r", "a", "new")], [(None, "a", "new")], [2])

    def test_a_key_that_the_first_gives_up_is_free(self):
        self.story([(1, "r", "a", "x")], [("r", "b", "x"), ("q", "a", "y")],
                   [("r", "b", "x"), ("q", "a", "y")], [])

    def test_a_key_that_the_first_takes_is_taken(self):
        self.story([(1, "r", "a", "x"), (2, "q", "b", "y")], [("r", "c", "x"), ("q", "c", "y")],
                   [("r", "c", "x"), ("q", "b", "y")], [2])

    def test_a_record_that_the_first_creates_is_found_before_another(self):
        """Else the second would overwrite the name of a record that is not meant."""
        for policy in ("report", "first", "rekey"):
            self.story([(1, "q", "a", "mine")], [("r", None, "x"), ("r", "a", "y")],
                       [("q", "a", "mine"), ("r", None, "x")], [2], policy)

    def test_the_same_by_keys_of_several_columns(self):
        self.story([(1, "q", "a", "mine")], [("r", None, "x"), ("r", "a", "x")],
                   [("q", "a", "mine"), ("r", None, "x")], [], "first", "[rid, name], slug")

    def test_a_record_with_a_new_primary_key_is_the_same_record(self):
        for gap in (0, APART):
            with self.subTest(gap):
                definition = self.prepare([(1, "r", "a", "old")], [("r", "a", "new")] * 2,
                                          "[rid]", gap)
                records = json.loads((self.top / "t.json").read_text())
                records[0]["id"], records[-1 - gap]["id"] = 7, 8
                self.write("t.json", json.dumps(records))
                definition.write_text(definition.read_text().replace(
                    FIELDS, "{rid: /rid, slug: /slug, name: /name, id: /id}"))
                self.assertEqual(self.run_one(definition)[0], {2: "conflict"})
                self.assertEqual(self.query(DB, "SELECT * FROM t WHERE rid = 'r'"),
                                 [(7, "r", "a", "new")])


class Worlds(Order):
    """Small worlds at random, in which everything collides with everything."""

    for name in list(vars(Order)):
        if name.startswith("test_"):
            locals()[name] = None

    def make(self, choice):
        n = choice.choice((4, 8, 16))
        rids, slugs = ([f"{c}{i}" for i in range(n)] for c in "rs")

        def maybe(value):
            return value if choice.random() < .8 else None
        local = [(i + 1, maybe(rid), maybe(slug), choice.choice("xyz")) for i, (rid, slug) in
                 enumerate(zip(choice.sample(rids, n), choice.sample(slugs, choice.randint(0, n))))]
        remote = [(maybe(choice.choice(rids)), maybe(choice.choice(slugs)), choice.choice("xyz"))
                  for _ in range(choice.randint(1, 24))]
        return local, remote

    def check(self, remote, left, policy):
        rows = self.rows()
        for column in (0, 1):
            counts = collections.Counter(row[column] for row in rows if row[column])
            self.assertEqual([value for value, n in counts.items() if n > 1], [], "doubled")
        for number, (rid, slug, name) in enumerate(remote, 1):
            blank = not rid and not slug
            self.assertEqual(left.get(number) == "rejected", blank)
            if number in left or policy != "report":
                continue
            self.assertTrue([row for row in rows if row[2] == name and rid in (None, row[0]) and
                             slug in (None, row[1])], f"record {number} is not there")

    def test_no_key_is_doubled_and_what_is_told_as_written_is_there(self):
        for seed in range(12 * SOAK):
            choice = random.Random(seed)
            local, remote = self.make(choice)
            policy = ("report", "first", "rekey")[seed % 3]
            gap = choice.choice((0, 0, APART))
            unique = choice.choice(("", "UNIQUE"))
            if costs_too_much(gap, unique):
                continue
            with self.subTest(seed=seed):
                definition = self.prepare(local, remote, f"{{keys: [rid, slug], on_disagree: "
                                                         f"{policy}}}", gap, unique)
                left, counts = self.run_one(definition)
                self.assertEqual(counts["records"], len(remote) * (gap + 1))
                self.check(remote, left, policy)
                rows = self.rows()
                if not counts["conflicts"] and policy != "first":
                    again = self.run_one(definition)[1]
                    self.assertEqual((again["created"], again["updated"]), (0, 0))
                    self.assertEqual(self.rows(), rows)


if __name__ == "__main__":
    unittest.main()
