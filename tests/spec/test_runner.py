# SPDX-License-Identifier: MIT
"""rowlock-spec itself: does it see what differs, and say what it cannot read?"""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

RUNNER = os.environ["ROWLOCK_SPEC"]
SPEC = """table item (id, n)
setup { CREATE TABLE item (id INTEGER PRIMARY KEY, n INTEGER);
        INSERT INTO item VALUES (1, 10) }
teardown { DROP TABLE item }
session s1
setup { begin }
step a { lock item where id = 1 }
step ac { commit }
session s2
setup { begin }
step b { lock item where id = 1 %s }
step bc { rollback }
"""


class Runner(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="rowlock-spec-")
        self.addCleanup(folder.cleanup)
        self.top = Path(folder.name)

    def run_spec(self, text, *options, status=0):
        path = self.top / "one.spec"
        path.write_text(text)
        done = subprocess.run([RUNNER, *options, path], text=True, capture_output=True,
                              timeout=120, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def test_it_prints_who_waits_and_who_goes_on(self):
        out = self.run_spec(SPEC % "" + "permutation a b ac bc\n").stdout
        self.assertEqual(out, "\npermutation a b ac bc\n"
                              "step a: lock item where id = 1\n  1 | 10\n"
                              "step b: lock item where id = 1 <waiting ...>\n"
                              "step ac: commit\n"
                              "step b: <... completed>\n  1 | 10\n"
                              "step bc: rollback\n")

    def test_without_permutations_all_interleavings_are_run(self):
        out = self.run_spec(SPEC % "nowait").stdout
        self.assertEqual(out.count("permutation"), 5)
        self.assertEqual(out.count("error 55P03"), 2)

    def test_those_that_cannot_be_are_passed_over_unless_they_are_asked_for(self):
        self.assertEqual(self.run_spec(SPEC % "").stdout.count("permutation"), 4)
        out = self.run_spec(SPEC % "" + "permutation a b bc ac\n").stdout
        self.assertIn("(bc cannot be: its session waits)\n(b still waits)\n", out)

    def test_a_timeout_is_awaited(self):
        out = self.run_spec(SPEC % "wait 20" + "permutation a b await bc ac\n").stdout
        self.assertIn("<waiting ...>\nstep b: <... completed>\n  error 55P03\nstep bc", out)

    def test_a_difference_is_found_and_shown(self):
        text = SPEC % "" + "permutation a b ac bc\n"
        (self.top / "one.out").write_text(self.run_spec(text).stdout.replace("1 | 10", "1 | 11", 1))
        done = self.run_spec(text, "--check", status=1)
        self.assertIn('in "permutation a b ac bc"\n  expected:   1 | 11\n  found:      1 | 10\n',
                      done.stdout)
        self.assertTrue(done.stdout.endswith("0 passed, 1 failed\n"))

    def test_what_it_is_to_differ_in_on_sqlite_stands_beside(self):
        text = SPEC % "" + "permutation a ac b bc\n"
        (self.top / "one.out").write_text("another\n")
        (self.top / "one.sqlite.out").write_text(self.run_spec(text).stdout)
        self.assertIn("1 passed, 0 failed", self.run_spec(text, "--check").stdout)

    def test_nothing_to_compare_with_is_a_failure(self):
        self.assertIn("one.out", self.run_spec(SPEC % "", "--check", status=1).stderr)

    def test_what_it_cannot_read_is_said_with_its_line(self):
        for text, words in (
                (SPEC % "" + "permutation a x\n", 'one.spec:13: no step "x"'),
                (SPEC % "" + "stop\n", "one.spec:13: expected table, setup"),
                ("session s\nstep a { read item\n", "a { is not closed"),
                ("step a { begin }\n", "a step of no session"),
                (SPEC % "grab" + "permutation a b\n", 'cannot understand "lock item where id = 1 '
                                                      'grab"')):
            self.assertIn(words, self.run_spec(text, status=1).stderr)

    def test_wrong_use_is_told(self):
        done = subprocess.run([RUNNER], text=True, capture_output=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--record FILE.spec", done.stderr)


if __name__ == "__main__":
    unittest.main()
