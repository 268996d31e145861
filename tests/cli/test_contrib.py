# SPDX-License-Identifier: MIT
"""The units of contrib/: systemd takes them, and the program takes their lines."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import unittest
from pathlib import Path

from harness import LIMIT, PROGRAM, environment
from test_sync import SyncTest

BUILT = Path(os.environ.get("CONTRIB", "."))
SOURCES = Path(__file__).resolve().parents[2] / "contrib/systemd"


def values(text, key):
    return re.findall(rf"^{key}=(.+)$", text, re.M)


class Contrib(SyncTest):
    def setUp(self):
        super().setUp()
        self.definition = self.small([{"code": "a"}])
        self.service = (BUILT / "rowlock-sync@.service").read_text()
        self.every = (BUILT / "every.conf").read_text()

    def words(self, line):
        """Of a line of a unit: what the program gets, of the built one."""
        words = shlex.split(line.replace("/etc/rowlock/%i.yaml", str(self.definition)))
        self.assertRegex(words[0], r"^/\S+/bin/rowlock$")
        return words[1:]

    def test_the_service_runs_a_definition(self):
        line, = values(self.service, "ExecStart")
        self.run_rowlock(*self.words(line))
        self.assertEqual(self.query(self.top / "t.db", "SELECT code FROM t"), [("a",)])

    def test_the_drop_in_stays_reloads_and_ends_as_the_service_expects(self):
        line, = values(self.every, "ExecStart")
        program = self.start_rowlock(*self.words(line))
        program.wait_for_out("+ created")
        reload, = values(self.every, "ExecReload")
        self.assertTrue(reload.startswith("/bin/kill "), reload)  # not on every machine
        subprocess.run(["sh", "-c", reload.removeprefix("/bin/").replace(
            "$MAINPID", str(program.pid))], check=True)
        program.wait_for_err("is read anew")
        program.signal(signal.SIGTERM)
        good, = values(self.service, "SuccessExitStatus")
        self.assertIn(str(program.end()), good.split())

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd is not installed")
    def test_systemd_takes_the_units(self):
        units = [self.write("rowlock-sync@.service", self.service),
                 self.write("rowlock-sync@.timer",
                            (SOURCES / "rowlock-sync@.timer").read_text()),
                 self.write("rowlock-sync@.service.d/every.conf", self.every)]
        for unit in units:
            unit.write_text(re.sub(r"=/\S+/bin/rowlock ", f"={Path(PROGRAM).resolve()} ",
                                   unit.read_text()))
        for drop_in in (False, True):
            if not drop_in:
                units[2].rename(self.top / "kept")
            done = subprocess.run(
                ["systemd-analyze", "verify", "--man=no", "./rowlock-sync@x.service",
                 "./rowlock-sync@x.timer"], text=True, check=False, capture_output=True,
                timeout=LIMIT, cwd=self.top, env=environment(SYSTEMD_UNIT_PATH=f"{self.top}:"))
            self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))
            if not drop_in:
                (self.top / "kept").rename(units[2])


if __name__ == "__main__":
    unittest.main()
