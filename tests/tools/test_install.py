# SPDX-License-Identifier: MIT
import os
import shutil

from harness import TOOLS, ToolTest

INSTALL = TOOLS / "install"


class Install(ToolTest):
    """With a PATH in which dpkg-query, id, sudo and apt-get are ours."""

    def setUp(self):
        super().setUp()
        self.log = self.top / "log"
        self.write("lists", "Packages\n")
        self.fake("id", "echo ${UID_IS:-1000}")
        self.fake("sudo", "exit 1")
        self.fake("dpkg-query", 'shift 3; for p; do [ $p = "${MISSING:-}" ] || '
                                'echo "installed $p"; done')
        self.fake("apt-get", f'[ $1 != indextargets ] || {{ cat {self.top}/lists; exit 0; }}; '
                             f'echo "$@" >>{self.log}; '
                             f'[ ! -e {self.top}/stale ] || case $* in '
                             f'*update) rm {self.top}/stale;; *) exit 100;; esac')

    def fake(self, name, body):
        self.write(f"bin/{name}", f"#!/bin/sh\n{body}\n", 0o755)

    def install(self, *groups, **variables):
        env = {"PATH": f"{self.top}/bin:{os.environ['PATH']}", **variables}
        return self.run_tool(INSTALL, *groups, env=env)

    def calls(self):
        return self.log.read_text().splitlines() if self.log.exists() else []

    def test_nothing_is_said_when_nothing_is_missing(self):
        done = self.install("build", "test", "python", "data", "server", "check", "demo", "bench",
                            "fresh")
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_a_user_without_sudo_gets_the_one_line_to_type(self):
        done = self.install("build", MISSING="meson")
        self.assertEqual(done.returncode, 1)
        self.assertIn("  sudo apt-get install --no-install-recommends meson", done.stdout)
        self.assertEqual(self.calls(), [])

    def test_root_installs_what_is_missing_and_no_more(self):
        done = self.install("build", MISSING="meson", UID_IS="0")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(self.calls(), ["-y -q install --no-install-recommends meson"])

    def test_sudo_without_a_password_is_used(self):
        self.fake("sudo", '[ "$1" = -n ] && shift; exec "$@"')
        self.assertEqual(self.install("build", MISSING="meson").returncode, 0)
        self.assertEqual(len(self.calls()), 1)

    def test_old_package_lists_are_fetched_once(self):
        self.write("stale", "")
        self.assertEqual(self.install("build", MISSING="gcc", UID_IS="0").returncode, 0)
        self.assertEqual([line.split()[-1] for line in self.calls()],
                         ["gcc", "update", "gcc"])

    def test_lists_that_are_not_there_are_fetched_for_the_data(self):
        self.write("lists", "")
        self.assertEqual(self.install("build", UID_IS="0").returncode, 0)
        self.assertEqual(self.calls(), [])
        self.assertEqual(self.install("data", UID_IS="0").returncode, 0)
        self.assertEqual(self.calls(), ["-q update"])
        done = self.install("data")
        self.assertEqual(done.returncode, 1)
        self.assertIn("  sudo apt-get update\n", done.stdout)
        self.assertNotIn("install", done.stdout.splitlines()[-1])

    def test_npm_is_installed_where_there_is_none(self):
        self.fake("npm", "exit 1")
        self.assertEqual(self.install("data", MISSING="npm", UID_IS="0").returncode, 0)
        self.assertEqual(self.calls(), [])
        (self.top / "bin/npm").unlink()
        for tool in ("sh", "sed", "grep", "sort", "tr", "cat", "env", "rm"):
            os.symlink(shutil.which(tool), self.top / "bin" / tool)
        done = self.install("data", MISSING="npm", UID_IS="0", PATH=f"{self.top}/bin")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(self.calls(), ["-y -q install --no-install-recommends npm"])

    def test_a_failed_installation_fails(self):
        self.fake("apt-get", "exit 100")
        self.assertNotEqual(self.install("test", MISSING="sqlite3", UID_IS="0").returncode, 0)

    def test_an_unknown_group_is_wrong_usage(self):
        self.assertEqual(self.install("bilud").returncode, 2)
