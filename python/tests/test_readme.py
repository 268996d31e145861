# SPDX-License-Identifier: MIT
"""What the READMEs show in Python, done."""

import re
import subprocess
import sys
import unittest

from support import TOP, PythonTest

SHOP = """CREATE TABLE product (id INTEGER PRIMARY KEY, sku TEXT, stock INTEGER);
    INSERT INTO product VALUES (7, 'A-7', 12), (8, 'A-8', 1);"""


class Readme(PythonTest):
    def run_block(self, page):
        shop = self.database(SHOP, "shop.db")
        [code] = re.findall(r"^```python\n(.*?)^```$", (TOP / page).read_text(encoding="utf-8"),
                            re.M | re.S)
        done = subprocess.run([sys.executable, "-c", code], cwd=self.top, text=True,
                              capture_output=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(self.query(shop, "SELECT stock FROM product WHERE id = 7"), [(11,)])
        return done.stdout

    def test_the_project_s_example_counts_down_the_stock(self):
        self.run_block("README.md")

    def test_the_package_s_example_counts_down_the_stock(self):
        self.assertIn("is ours", self.run_block("python/README.md"))


if __name__ == "__main__":
    unittest.main()
