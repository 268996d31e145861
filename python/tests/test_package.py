# SPDX-License-Identifier: MIT
"""What was installed."""

import importlib.metadata
import inspect
import subprocess
import sys
import unittest
from pathlib import Path

import rowlock
from support import TOP, PythonTest

FOLDER = Path(rowlock.__file__).parent
MODULE = FOLDER / "_bridge.abi3.so"


class Package(PythonTest):
    def test_it_is_not_the_source_folder_that_is_tested(self):
        self.assertFalse(FOLDER.is_relative_to(TOP / "python"))

    def test_one_wheel_serves_python_3_10_and_later(self):
        tags = importlib.metadata.distribution("rowlock").read_text("WHEEL")
        self.assertIn("Tag: cp310-abi3-linux_", tags)
        self.assertTrue(MODULE.exists())

    def test_the_version_is_the_project_s(self):
        version = self.run_rowlock("--version").stdout.split()[1]
        self.assertEqual(rowlock.__version__, version)
        self.assertEqual(importlib.metadata.version("rowlock"), version)

    def test_the_module_shows_no_symbol_of_the_library(self):
        shown = subprocess.run(["nm", "-D", "--defined-only", MODULE], check=True, text=True,
                               stdout=subprocess.PIPE).stdout
        self.assertEqual([line.split()[-1] for line in shown.splitlines()], ["PyInit__bridge"])

    def test_no_sqlite_comes_with_it(self):
        """A second one in a process would give up the locks of the first."""
        done = subprocess.run([sys.executable, "-c", "import rowlock\n"
                               "print(open('/proc/self/maps').read())"], check=True, text=True,
                              stdout=subprocess.PIPE)
        self.assertIn("_bridge.abi3.so", done.stdout)
        self.assertNotIn("sqlite", done.stdout)

    def test_it_is_typed_and_every_public_call_is_explained(self):
        self.assertTrue((FOLDER / "py.typed").exists())
        for thing in (rowlock.open, *vars(rowlock.Session).values(), *vars(rowlock.Lock).values()):
            if not inspect.isfunction(thing) or thing.__name__.startswith("_"):
                continue
            self.assertTrue(thing.__doc__, thing)
            hints = inspect.get_annotations(thing)
            self.assertIn("return", hints, thing)
            self.assertEqual(set(inspect.signature(thing).parameters) - set(hints), {"self"} & set(
                inspect.signature(thing).parameters), thing)

    def test_all_that_is_public_is_listed(self):
        public = {name for name, thing in vars(rowlock).items() if not name.startswith("_")
                  and getattr(thing, "__module__", "").startswith("rowlock")}
        self.assertEqual(public - {"Value"}, set(rowlock.__all__) - {"Key", "Value", "Wait"})


if __name__ == "__main__":
    unittest.main()
