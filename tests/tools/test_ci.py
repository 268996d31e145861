# SPDX-License-Identifier: MIT
import os

from harness import TOP, ToolTest


class Ci(ToolTest):
    """.ci/run with a make of ours."""

    def run_ci(self, make):
        self.write("bin/make", f"#!/bin/sh\n{make}\n", 0o755)
        env = {"PATH": f"{self.top}/bin:{os.environ['PATH']}"}
        done = self.run_tool(TOP / ".ci/run", env=env)
        return done.returncode, done.stdout.splitlines()[-1]

    def test_all_counts_are_summed(self):
        self.assertEqual(self.run_ci('[ $1 = test ] && echo "3 passed, 0 failed" || '
                                     'echo "4 passed, 0 failed"'),
                         (0, "11 passed, 0 failed"))

    def test_only_the_last_count_of_a_target_counts(self):
        self.assertEqual(self.run_ci('echo "9 passed, 9 failed"; echo "1 passed, 0 failed"'),
                         (0, "3 passed, 0 failed"))

    def test_a_failed_case_fails(self):
        self.assertEqual(self.run_ci('echo "3 passed, 1 failed"; exit 2'),
                         (1, "9 passed, 3 failed"))

    def test_a_target_that_dies_before_it_counts_fails(self):
        self.assertEqual(self.run_ci('[ $1 = test ] && exit 2; echo "4 passed, 0 failed"'),
                         (1, "8 passed, 1 failed"))
