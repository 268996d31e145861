# SPDX-License-Identifier: MIT
"""What README.md shows, done: its C, its definition, its two processes."""

import os
import re
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "cli"))
from harness import CliTest  # noqa: E402

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("ROWLOCK_BUILD", TOP / "build"))
README = (TOP / "README.md").read_text(encoding="utf-8")
SANITIZE = os.environ.get("SANITIZE", "none")
FLAGS = [] if SANITIZE == "none" else [f"-fsanitize={SANITIZE}"]
SHOP = """
    CREATE TABLE product (id INTEGER PRIMARY KEY, sku TEXT UNIQUE, stock INTEGER);
    INSERT INTO product VALUES (7, 'A-7', 12);
"""


def block(language, number=0):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.M | re.S)[number]


def shape(text):
    """Words only: numbers and the width of columns differ from run to run."""
    text = re.sub(r"\d+(\.\d+)? (ms|s)\b", "N s", text)
    return [re.sub(r"\b\d{2,}\b", "N", " ".join(line.split())) for line in text.splitlines()]


class Readme(CliTest):
    def test_the_c_program_compiles_without_a_warning_and_works(self):
        source, program = self.write("a.c", block("c")), self.top / "a"
        subprocess.run(["gcc", "-std=c99", "-pedantic", "-Wall", "-Werror", *FLAGS, source,
                        "-o", program, f"-I{TOP}/include", f"-L{BUILD}/lib",
                        "-lrowlock-data", "-lrowlock",
                        f"-Wl,-rpath,{BUILD}/lib"], check=True)
        shop = self.database(SHOP, "shop.db")
        done = subprocess.run([program], cwd=self.top, text=True, stdout=subprocess.PIPE)
        self.assertEqual((done.returncode, done.stdout), (0, "old\n"))
        self.assertEqual(self.query(shop, "SELECT * FROM product"), [(7, "A-7", 11)])

    def test_the_definition_imports_every_region(self):
        definition = self.write("regions.yaml", block("yaml"))
        self.run_rowlock("sync", definition)
        self.assertEqual(self.query(self.top / "regions.db", "SELECT count(*) FROM region"),
                         [(5127,)])

    def test_the_two_processes_contend_as_shown(self):
        self.database(SHOP, "shop.db")
        holder = self.start_rowlock("lock", "shop.db", "product", "7", "--", "sh", "-c",
                                    "echo held; read line; exit 0")
        holder.wait_for_out("held")
        upsert = ("upsert", "shop.db", "product", "--match", "sku", "sku=A-7", "stock=11")
        text = self.run_rowlock("locks", "shop.db").stdout
        text += self.run_rowlock(*upsert, "--nowait", status=5).stderr
        waiter = self.start_rowlock(*upsert)
        waiter.wait_for_err("waiting for")
        self.assertEqual(holder.end(), 0)
        self.assertEqual(waiter.end(), 0)
        text += waiter.err + waiter.out
        shown = "".join(line + "\n" for line in block("console").splitlines()
                        if not line.startswith("$ "))
        self.assertEqual(shape(text), shape(shown))

    def test_every_link_leads_to_a_file(self):
        for page in ("README.md", "ARCHITECTURE.md", "tests/README.md"):
            text = (TOP / page).read_text(encoding="utf-8")
            for link in re.findall(r"\]\(([^)#:]+)\)", text):
                self.assertTrue((TOP / page).parent.joinpath(link).exists(), f"{page}: {link}")


if __name__ == "__main__":
    unittest.main()
