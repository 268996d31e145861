# SPDX-License-Identifier: MIT
import shutil
import unittest

from harness import TOOLS, ToolTest

CHECK = TOOLS / "check-sizes"


def function(lines, above=""):
    body = "    n++;\n" * (lines - 3)
    return f"{above}int\ncount(int n)\n{{\n{body}}}\n"


@unittest.skipUnless(shutil.which("ctags"), "needs universal-ctags")
class Sizes(ToolTest):
    def test_70_lines_are_allowed(self):
        self.write("src/base/count.c", function(70))
        self.assert_clean(CHECK, self.top)

    def test_a_function_of_71_lines_is_caught(self):
        self.write("src/base/count.c", function(71))
        self.assert_caught("src/base/count.c:2: count() has 71 lines", CHECK, self.top)

    def test_a_reason_beside_it_excuses_a_function(self):
        self.write("src/base/count.c", function(71, "/* long: one step a line */\n"))
        self.assert_clean(CHECK, self.top)

    def test_the_reason_of_the_function_before_excuses_nothing(self):
        self.write("src/base/count.c",
                   function(71, "/* long: one step a line */\n")
                   + function(71).replace("count", "again"))
        self.assert_caught("again() has 71 lines", CHECK, self.top)

    def test_a_file_of_801_lines_is_caught(self):
        self.write("src/base/long.h", "\n" * 800)
        self.assert_clean(CHECK, self.top)
        self.write("src/base/long.h", "\n" * 801)
        self.assert_caught("src/base/long.h: 801 lines", CHECK, self.top)
