# SPDX-License-Identifier: MIT
import json

from harness import TOOLS, ToolTest

COUNT = TOOLS / "count-tests"


class Count(ToolTest):
    def count(self, *entries, status=0):
        log = self.write("testlog.json", "".join(json.dumps(e) + "\n" for e in entries))
        done = self.run_tool(COUNT, log, status)
        return done.returncode, done.stdout.splitlines()[-1]

    def test_a_program_without_cases_counts_as_one(self):
        self.assertEqual(self.count({"result": "OK"}), (0, "1 passed, 0 failed"))

    def test_cmocka_cases_are_counted_once_each(self):
        entry = {"result": "FAIL", "stdout": "[       OK ] test_a\n",
                 "stderr": "[  FAILED  ] test_b\n[  FAILED  ] 1 test(s), listed below:\n"
                           "[  FAILED  ] test_b\n"}
        self.assertEqual(self.count(entry, status=1), (1, "1 passed, 1 failed"))

    def test_unittest_cases_are_counted_from_the_summary(self):
        entry = {"result": "FAIL", "stderr":
                 "Ran 5 tests in 0.1s\n\nFAILED (failures=1, errors=1, skipped=1)\n"}
        self.assertEqual(self.count(entry, status=1), (1, "2 passed, 2 failed"))

    def test_a_crash_after_good_cases_is_a_failure(self):
        entry = {"result": "FAIL", "stdout": "[       OK ] test_a\n"}
        self.assertEqual(self.count(entry, status=1), (1, "1 passed, 1 failed"))

    def test_a_timeout_is_a_failure(self):
        self.assertEqual(self.count({"result": "TIMEOUT"}, status=1),
                         (1, "0 passed, 1 failed"))

    def test_a_skipped_program_is_neither(self):
        self.assertEqual(self.count({"result": "OK"}, {"result": "SKIP"}),
                         (0, "1 passed, 0 failed"))

    def test_no_test_at_all_is_a_failure(self):
        self.assertEqual(self.count(), (1, "0 passed, 1 failed"))
        self.assertEqual(self.run_tool(COUNT, self.top / "none", 1).stdout.splitlines()[-1],
                         "0 passed, 1 failed")

    def test_a_status_that_no_case_explains_is_a_failure(self):
        self.assertEqual(self.count({"result": "OK"}, status=2), (1, "1 passed, 1 failed"))
