# SPDX-License-Identifier: MIT
"""rowlock sync beside programs that use Rowlock, colleague.c among them."""

import json
import os
import unittest

from harness import DB, PROGRAM, SERVER, Program
from test_sync import EXISTING, SyncTest

COLLEAGUE = os.environ.get("COLLEAGUE", "colleague")
SOAK = int(os.environ.get("ROWLOCK_SOAK", 1))

UPSERTS = f"""i=0
while [ $i -lt $1 ]; do
    i=$((i + 1))
    "$0" upsert {DB} t --match code code=c$((i * 7 % 1000)) $2=$i >/dev/null || exit
done"""


class Colleagues(SyncTest):
    """Programs that use Rowlock."""

    def program(self, *words):
        program = Program(*words, cwd=self.top)
        self.addCleanup(program.kill)
        return program


class TenAndTwo(Colleagues):
    """Ten of them, and two definitions of one source, which want the records in
    opposite orders."""

    def prepare(self, more):
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT, name TEXT, "
                      "n INTEGER NOT NULL DEFAULT 0, mine0 TEXT, mine1 TEXT);" + more, "t.db")
        first = self.small("[]", target=EXISTING)
        self.write("u.yaml", first.read_text().replace("sync: t", "sync: u")
                   .replace("t.json", "u.json"))

    def change(self, n, name):
        records = [{"code": f"c{i}", "name": name} for i in range(n)]
        self.write("t.json", json.dumps(records))
        self.write("u.json", json.dumps(records[::-1]))

    def run_both(self):
        runs = [self.start_rowlock("sync", name, "--json") for name in ("t.yaml", "u.yaml")]
        statuses = [run.end() for run in runs]
        self.assertEqual(statuses, [0, 0], [run.out + run.err for run in runs])

    def check_ten_and_two(self, more):
        n, rounds, upserts = 1000, 4 * SOAK, min(20 * SOAK, 999)
        if SERVER and not more:  # each record costs several messages, and time
            rounds = SOAK
        self.prepare(more)
        self.change(n, "round 0")
        others = [self.program(COLLEAGUE, DB, "add", n, seed) for seed in range(8)]
        others += [self.program("sh", "-c", UPSERTS, PROGRAM, upserts, f"mine{i}")
                   for i in range(2)]
        for i in range(rounds):
            self.change(n, f"round {i}")
            self.run_both()
        self.assertEqual([other.end() for other in others], [0] * 10,
                         [other.err for other in others])
        added = sum(int(other.out) for other in others[:8])
        last = f"round {rounds - 1}"
        self.assertGreater(added, 8)
        self.assertEqual(self.query(DB, """
            SELECT count(*), count(DISTINCT code), sum(n), min(name), max(name) FROM t"""),
            [(n, n, added, last, last)])
        self.assertEqual(self.query(DB, "SELECT code, mine0, mine1 FROM t "
                                    "WHERE mine0 IS NOT NULL OR mine1 IS NOT NULL "
                                    "ORDER BY CAST(mine0 AS INTEGER)"),
                         [(f"c{i * 7 % 1000}", str(i), str(i)) for i in range(1, upserts + 1)])
        self.check_free(DB)

    def test_nothing_is_doubled_or_lost_without_a_unique_index(self):
        self.check_ten_and_two("")

    def test_nothing_is_doubled_or_lost_with_a_unique_index(self):
        self.check_ten_and_two("CREATE UNIQUE INDEX u ON t (code)")


class Editors(Colleagues):
    """A person's program holds records, while a run wants to change them, and
    saves other columns."""

    def prepare(self):
        self.path = self.database(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT UNIQUE, name TEXT, note TEXT);"
            "INSERT INTO t VALUES (1, 'c1', 'old', 'old'), (2, 'c2', 'old', 'old'),"
            " (3, 'c3', 'old', 'old'), (4, 'c4', 'old', 'old')", "t.db")
        definition = self.small([{"code": f"c{i}", "name": "new"} for i in range(1, 5)],
                                target=EXISTING)
        definition.write_text(definition.read_text() + "locks: {wait: 1m}\n")
        return definition

    def edit(self, *edits):
        """A run beside one who edits each record; what became of the records."""
        definition = self.prepare()
        editors = [self.program(COLLEAGUE, DB, "edit", *edit) for edit in edits]
        for editor in editors:
            editor.wait_for_out("held")
        self.sync = self.start_rowlock("sync", "--json", definition)
        self.wait_until_it_waits(self.sync, DB)
        for editor in editors:
            editor.tell("save")
            self.assertEqual(editor.end(), 0, editor.err)
        self.assertEqual(self.sync.end(), 0, self.sync.err)
        return self.query(self.path, "SELECT code, name, note FROM t ORDER BY id")

    def test_both_changes_are_there_afterwards(self):
        self.assertEqual(self.edit((2, "note=mine"), (3, "note=mine, too")),
                         [("c1", "new", "old"), ("c2", "new", "mine"),
                          ("c3", "new", "mine, too"), ("c4", "new", "old")])

    def test_what_both_have_written_is_the_sources_the_rest_the_editors(self):
        self.assertEqual(self.edit((1, "name=mine", "note=mine")),
                         [("c1", "new", "mine"), ("c2", "new", "old"),
                          ("c3", "new", "old"), ("c4", "new", "old")])

    def test_a_record_that_was_given_another_key_is_created_anew(self):
        self.assertEqual(self.edit((1, "code=x", "note=mine")),
                         [("x", "old", "mine"), ("c2", "new", "old"),
                          ("c3", "new", "old"), ("c4", "new", "old"),
                          ("c1", "new", None)])


if __name__ == "__main__":
    unittest.main()
