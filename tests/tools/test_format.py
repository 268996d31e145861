# SPDX-License-Identifier: MIT
import shutil
import unittest

from harness import TOOLS, TOP, ToolTest

CHECK = TOOLS / "check-format"


@unittest.skipUnless(shutil.which("clang-format"), "needs clang-format")
class Format(ToolTest):
    def setUp(self):
        super().setUp()
        shutil.copy(TOP / ".clang-format", self.top)

    def test_a_line_out_of_place_is_caught_and_mended(self):
        path = self.write("src/base/a.c", "int a( void ) ;\n")
        self.assert_caught("src/base/a.c:1", CHECK, self.top)
        self.assert_clean(CHECK, "--fix", self.top)
        self.assert_clean(CHECK, self.top)
        self.assertEqual(path.read_text(), "int a(void);\n")

    def test_what_was_built_is_not_looked_at(self):
        self.write("build/a.c", "int a( void ) ;\n")
        self.assert_clean(CHECK, self.top)
