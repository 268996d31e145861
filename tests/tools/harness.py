# SPDX-License-Identifier: MIT
"""What the tests of tools/ share: a folder to plant in, and running a tool."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
TOOLS = TOP / "tools"


class ToolTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="rowlock-test-")
        self.addCleanup(folder.cleanup)
        self.top = Path(folder.name)

    def write(self, name, text, mode=0o644):
        """Plant a file below the test's folder."""
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    def run_tool(self, *command, **options):
        options.setdefault("env", os.environ)
        return subprocess.run([str(word) for word in command], text=True, timeout=100,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, **options)

    def assert_caught(self, words, *command):
        """The tool fails, and says words."""
        done = self.run_tool(*command)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertIn(words, done.stdout)

    def assert_clean(self, *command):
        done = self.run_tool(*command)
        self.assertEqual((done.returncode, done.stdout), (0, ""))
