# SPDX-License-Identifier: MIT
import subprocess

from harness import TOOLS, ToolTest

CHECK = TOOLS / "check-symbols"
MAP = "ROWLOCK_0 {\n  global:\n    rowlock_a;\n  local:\n    *;\n};\n"
HEADER = ("#define ROWLOCK_API __attribute__((visibility(\"default\")))\n"
          "ROWLOCK_API int rowlock_a(\n    int a);\n")
CODE = '#include "a.h"\nint rowlock_a(int a) { return a; }\n'


class Symbols(ToolTest):
    def setUp(self):
        super().setUp()
        self.header = self.write("a.h", HEADER)
        self.map = self.write("a.map", MAP)

    def build(self, code, *flags):
        self.write("a.c", code)
        library = self.top / "liba.so"
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, self.top / "a.c", *flags],
                       check=True)
        return library

    def check(self, code, *flags):
        return CHECK, self.build(code, *flags), self.map, self.header

    def linked(self):
        return f"-Wl,--version-script={self.map}"

    def test_a_library_like_its_map_passes(self):
        self.assert_clean(*self.check(CODE, self.linked()))

    def test_a_symbol_without_the_prefix_is_caught(self):
        self.assert_caught("shows: helper", *self.check(CODE + "int helper;\n"))

    def test_a_symbol_that_the_map_lacks_is_caught(self):
        self.assert_caught("< rowlock_b", *self.check(CODE + "int rowlock_b;\n"))

    def test_a_mapped_function_that_is_not_built_is_caught(self):
        self.write("a.map", MAP.replace("rowlock_a;", "rowlock_a;\n    rowlock_b;"))
        self.assert_caught("> rowlock_b", *self.check(CODE, self.linked()))

    def test_a_declared_function_that_the_map_lacks_is_caught(self):
        self.write("a.h", HEADER + "ROWLOCK_API void rowlock_c(void);\n")
        self.assert_caught("> rowlock_c", *self.check(CODE, self.linked()))

    def test_needs__another_library_is_caught(self):
        library = self.build(CODE, "-Wl,--no-as-needed", "-lm")
        self.assert_caught("needs libm.so.6", CHECK, "--needs", library, "libc.so.6")
        self.assert_clean(CHECK, "--needs", library, "libc.so.6", "libm.so.6")

    def test_lacks__a_hidden_copy_is_caught(self):
        library = self.build(CODE + "int hidden(void);\nint hidden(void) { return 1; }\n",
                             self.linked())
        self.assert_caught("hidden", CHECK, "--lacks", library, "hidden")
        self.assert_clean(CHECK, "--lacks", library, "elsewhere")
