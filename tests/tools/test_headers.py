# SPDX-License-Identifier: MIT
from harness import TOOLS, ToolTest

CHECK = TOOLS / "check-headers"


class Headers(ToolTest):
    def test_a_plain_header_passes(self):
        self.write("rowlock/a.h", "#include <stddef.h>\nsize_t rowlock_a(void);\n")
        self.assert_clean(CHECK, self.top)

    def test_a_header_that_needs_another_first_is_caught(self):
        self.write("rowlock/a.h", "size_t rowlock_a(void);\n")
        self.assert_caught("rowlock/a.h: does not compile alone", CHECK, self.top)

    def test_c11_is_caught(self):
        self.write("rowlock/a.h", "struct a { struct { int b; }; };\n")
        self.assert_caught("-std=c99", CHECK, self.top)

    def test_a_word_of_cpp_as_a_name_is_caught(self):
        self.write("rowlock/a.h", "void rowlock_a(int new);\n")
        self.assert_caught("-std=c++11", CHECK, self.top)
