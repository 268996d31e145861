# SPDX-License-Identifier: MIT
"""rowlock doctor --repair: after a failed flush what can be read is saved, whatever
befalls the repair itself."""

import os
import sqlite3
import stat
import subprocess
import sys
import unittest

from harness import LIMIT, PROGRAM, CliTest, environment

ROWS = 30
STEPS = ("rename", "unlink", "fsync")
KEEPER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("UPDATE t SET slug = 's0' WHERE id = 1")
db.commit()
print("ready", flush=True)
sys.stdin.read()
"""


class Repair(CliTest):
    def setUp(self):
        super().setUp()
        self.path = self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, slug TEXT UNIQUE)")
        self.fill(0, ROWS)

    def fill(self, first, last):
        self.write("d.yml", "sync: d\ntarget: {database: app.db, table: t}\n"
                            "source: {url: s.csv}\nmatch: [slug]\nfields: {slug: /slug}\n")
        self.write("s.csv", "slug\n" + "".join(f"s{i}\n" for i in range(first, last)))
        self.run_rowlock("sync", "d.yml")

    def strace(self, *words):
        """How it ended; injected calls are those on the files of the database."""
        return subprocess.run(
            ["strace", "-qq", "-f", "-o", self.top / "calls", *words], cwd=self.top,
            env=environment(ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"),
            text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            timeout=LIMIT, check=False)

    def poison(self):
        """A commit whose flush fails, and that is there; the -wal is not empty."""
        keeper = subprocess.Popen([sys.executable, "-c", KEEPER, self.path], text=True,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.assertEqual(keeper.stdout.readline(), "ready\n")
        done = self.strace("-e", "inject=fdatasync:error=EIO:when=1", PROGRAM, "upsert", "app.db",
                           "t", "--match", "slug", "slug=last")
        self.assertIn("committed, but it may not be on disk", done.stderr)
        keeper.kill()  # else it would empty the -wal
        keeper.wait(LIMIT)
        keeper.stdin.close()
        keeper.stdout.close()
        self.assertEqual(self.rows(), ROWS + 1)
        self.assertGreater(os.path.getsize(f"{self.path}-wal"), 0)

    def rows(self):
        """As one sees who changes nothing, not even by closing."""
        db = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
        try:
            [(n,)] = db.execute("SELECT count(*) FROM t")
            return n
        finally:
            db.close()

    def check_whole(self):
        self.assertEqual(self.rows(), ROWS + 1)
        self.assertEqual(self.query(self.path, "PRAGMA integrity_check"), [("ok",)])
        self.assertEqual(self.run_rowlock("upsert", "app.db", "t", "--match", "slug",
                                          "slug=next").stdout, f"created {ROWS + 2}\n")
        left = {p.name for p in self.top.glob("app.db-rowlock-*")}
        self.assertLessEqual(left, {"app.db-rowlock-failed"})  # when it cannot be removed

    def check_nobody_opens(self):
        link = self.top / "link.db"
        link.symlink_to("app.db")
        for name in ("app.db", "link.db"):
            said = self.run_rowlock("upsert", name, "t", "--match", "slug", "slug=x",
                                    status=1).stderr
            self.assertIn("cut short", said)
        link.unlink()

    def repair(self, **options):
        return self.run_rowlock("doctor", "--repair", "app.db", **options)

    # ---- what it is for ----

    def test_nobody_writes_until_it_is_done_and_nothing_is_lost(self):
        os.chmod(self.path, 0o600)
        self.poison()
        refused = self.run_rowlock("upsert", "app.db", "t", "--match", "slug", "slug=x", status=1)
        self.assertIn("the database's disk has failed", refused.stderr)
        found = self.run_rowlock("doctor", "app.db", status=1).stdout
        self.assertIn("bad   the database's disk has failed", found)
        self.assertIn("-> rowlock doctor --repair app.db", found)
        self.run_rowlock("doctor", "--fix", "app.db", status=None)  # and does not empty the WAL
        self.assertEqual(self.rows(), ROWS + 1)
        self.assertIn("saved", self.repair().stderr)
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)
        self.check_whole()

    def test_without_a_failure_nothing_is_done(self):
        inode = os.stat(self.path).st_ino
        self.assertIn("nothing to repair", self.repair().stderr)
        self.assertEqual(os.stat(self.path).st_ino, inode)

    def test_what_is_not_there_is_an_error_and_no_file_is_made(self):
        said = self.run_rowlock("doctor", "--repair", "other.db", status=1).stderr
        self.assertIn('could not open "other.db": No such file', said)
        self.assertEqual(list(self.top.glob("other.db*")), [])

    # ---- cut short ----

    def cut(self, harm):
        """The repair meets harm at the n-th call of each kind, for every n; then it is
        done again."""
        cuts = 0
        for call in STEPS:
            for n in range(1, 20):
                with self.subTest(call=call, n=n):
                    self.poison()
                    self.strace("-e", f"inject={call}:{harm}:when={n}", PROGRAM, "doctor",
                                "--repair", "app.db")
                    injected = "(INJECTED)" in (self.top / "calls").read_text() or \
                        "+++ killed by" in (self.top / "calls").read_text()
                    if os.path.exists(self.path):  # never one that lacks something
                        pending = os.path.exists(f"{self.path}-rowlock-repaired")
                        self.assertTrue(pending or self.rows() == ROWS + 1)
                        if pending:
                            self.check_nobody_opens()
                    self.repair()
                    self.check_whole()
                    self.tearDown()
                    self.setUp()
                    cuts += injected
                    if not injected:
                        break
        return cuts

    def test_killed_at_any_step_it_goes_on_where_it_was(self):
        self.assertGreater(self.cut("signal=KILL"), 8)

    def test_a_step_that_fails_loses_nothing(self):
        self.assertGreater(self.cut("error=EPERM"), 8)

    # ---- alone ----

    def test_a_program_that_has_it_open_is_in_the_way(self):
        self.poison()
        idle = sqlite3.connect(self.path)  # and reads nothing
        said = self.repair(status=5).stderr
        self.assertIn("another program has", said)
        idle.close()
        self.repair()
        self.check_whole()

    def test_a_session_is_in_the_way(self):
        holder = self.start_rowlock("lock", "app.db", "t", "1", "--", "sh", "-c",
                                    "echo held; cat")
        holder.wait_for_out("held")
        self.assertIn("other programs use", self.repair(status=5).stderr)
        self.assertEqual(holder.end(), 0)

    # ---- names ----

    def test_through_a_link_the_file_itself_is_repaired(self):
        self.poison()
        os.symlink("app.db", self.top / "link.db")
        self.run_rowlock("doctor", "--repair", "link.db")
        self.assertTrue((self.top / "link.db").is_symlink())
        self.check_whole()

    def test_a_file_of_several_names_is_refused(self):
        self.poison()
        os.link(self.path, self.top / "other.db")
        self.assertIn("several names", self.repair(status=1).stderr)
        os.unlink(self.top / "other.db")
        self.repair()
        self.check_whole()


if __name__ == "__main__":
    unittest.main()
