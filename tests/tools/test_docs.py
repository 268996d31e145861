# SPDX-License-Identifier: MIT
from harness import TOOLS, TOP, ToolTest

PAGE = TOOLS / "errors-page"
TABLE = TOP / "include/rowlock/error-table.h"


class ErrorsPage(ToolTest):
    def test_the_page_in_docs_is_the_generated_one(self):
        self.assert_clean(PAGE, "--check")

    def test_a_page_that_is_behind_the_table_is_caught(self):
        table = self.write("table.h", TABLE.read_text().replace("deadlock", "embrace"))
        self.assert_caught("run make docs", PAGE, "--check", table)

    def test_every_row_of_the_table_is_a_row_of_the_page(self):
        page = self.run_tool(PAGE).stdout
        self.assertEqual(TABLE.read_text().count(" X("), page.count("| `ROWLOCK_"))

    def test_pieces_are_joined_and_bars_escaped(self):
        table = self.write("table.h", '#define T(X) \\\n    X(A, "00000", "a|b", "", \\\n'
                           '      "One, " \\\n      "(two).")\n')
        self.assertIn("| `ROWLOCK_A` | 0 | 00000 | a\\|b | One, (two). |  |",
                      self.run_tool(PAGE, table).stdout)
