# SPDX-License-Identifier: MIT
from harness import TOOLS, ToolTest

CHECK = TOOLS / "check-arrows"


class Arrows(ToolTest):
    def setUp(self):
        super().setUp()
        self.write("include/rowlock/error.h", "")
        self.write("include/rowlock/record.h", "")
        self.write("src/base/text.h", "#include <stddef.h>\n")
        self.write("src/record/record.h", "")
        self.write("tests/support/support.h", "")

    def test_down_is_allowed(self):
        self.write("src/record/save.c", '#include "record.h"\n#include "base/text.h"\n'
                   '#include <utf8proc.h>\n#include <sys/stat.h>\n')
        self.assert_clean(CHECK, self.top)

    def test_up_is_caught_with_its_line(self):
        self.write("src/base/text.c", '#include "text.h"\n\n#include "record/record.h"\n')
        self.assert_caught("src/base/text.c:3: src/base may not use src/record/record.h",
                           CHECK, self.top)

    def test_up_to_a_public_header_is_caught(self):
        self.write("src/lock/table.c", "#include <rowlock/record.h>\n")
        self.assert_caught("src/lock may not use include/rowlock/record.h", CHECK, self.top)

    def test_a_foreign_header_in_the_lock_room_is_caught(self):
        self.write("src/lock/table.c", "#include <sqlite3.h>\n")
        self.assert_caught("src/lock may not use <sqlite3.h>", CHECK, self.top)

    def test_a_path_with_dots_is_seen_through(self):
        self.write("src/base/text.c", '#include "../record/record.h"\n')
        self.assert_caught("src/base may not use src/record/record.h", CHECK, self.top)

    def test_a_unit_test_may_use_support_and_the_code_beside_it_may_not(self):
        self.write("src/base/text_test.c", '#include "support/support.h"\n#include <cmocka.h>\n')
        self.assert_clean(CHECK, self.top)
        self.write("src/base/text.c", '#include "support/support.h"\n')
        self.assert_caught("src/base may not use tests/support/support.h", CHECK, self.top)

    def test_a_room_that_is_not_in_the_table_is_caught(self):
        self.write("src/attic/old.c", "")
        self.assert_caught("in no room", CHECK, self.top)

    def test_a_header_that_is_nowhere_is_caught(self):
        self.write("src/base/text.c", '#include "lost.h"\n')
        self.assert_caught('"lost.h" is nowhere', CHECK, self.top)
