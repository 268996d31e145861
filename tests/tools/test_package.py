# SPDX-License-Identifier: MIT
"""What `make install` installs can be built against, with pkg-config."""

import os
import sqlite3
import subprocess

from harness import TOP, ToolTest

BUILD = os.environ.get("ROWLOCK_BUILD", TOP / "build")
LOCKS = """
#include <rowlock/lock.h>
#include <stdio.h>

int
main(int argc, char **argv)
{
    rowlock_value key = rowlock_int(7);
    rowlock_name name = {ROWLOCK_RECORD, "t", NULL, &key, 1};
    rowlock_locks *locks;
    rowlock_error err;
    if (argc < 2 || rowlock_locks_open(argv[1], NULL, &locks, &err) ||
        rowlock_locks_take(locks, &name, ROWLOCK_UPDATE, ROWLOCK_WAIT, &err))
        return 1;
    puts(rowlock_mode_name(rowlock_locks_held(locks, &name)));
    rowlock_locks_close(locks);
    return 0;
}
"""
RECORDS = """
#include <rowlock/rowlock.h>
#include <stdio.h>

static int
create(rowlock_block *b, void *arg, rowlock_error *err)
{
    rowlock_pair name = {"name", rowlock_text("x")};
    (void)arg;
    return rowlock_record_create(b, "t", &name, 1, NULL, err);
}

int
main(int argc, char **argv)
{
    rowlock_db *db;
    rowlock_error err;
    if (argc < 2 || rowlock_open(argv[1], NULL, &db, &err) ||
        rowlock_atomic(db, create, NULL, &err))
        return 1;
    puts(rowlock_mode_name(ROWLOCK_SHARE));
    rowlock_close(db);
    return 0;
}
"""


class Package(ToolTest):
    def setUp(self):
        super().setUp()
        done = self.run_tool("meson", "install", "-C", BUILD, "--no-rebuild",
                             "--destdir", self.top / "root")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.folder = next(self.top.rglob("rowlock.pc")).parent
        self.env = {**os.environ, "PKG_CONFIG_PATH": str(self.folder),
                    "PKG_CONFIG_SYSROOT_DIR": str(self.top / "root"),
                    "LD_LIBRARY_PATH": str(self.folder.parent)}

    def flags(self, *words):
        return subprocess.run(["pkg-config", *words], check=True, text=True, env=self.env,
                              stdout=subprocess.PIPE).stdout.split()

    def build(self, text, package):
        source = self.write("a.c", text)
        program = self.top / "a"
        done = self.run_tool("gcc", "-std=c99", "-pedantic", "-Wall", "-Werror", source,
                             "-o", program, *self.flags("--cflags", "--libs", package),
                             env=self.env)
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        return program

    def test_librowlock_alone_serves_a_program_that_locks(self):
        program = self.build(LOCKS, "rowlock")
        database = self.write("app.db", "")
        done = self.run_tool(program, database, env=self.env)
        self.assertEqual((done.returncode, done.stdout), (0, "UPDATE\n"))
        needs = self.run_tool("objdump", "-p", program).stdout
        self.assertIn("librowlock.so.0", needs)
        self.assertNotIn("sqlite", needs)

    def test_librowlock_data_serves_a_program_that_keeps_records(self):
        program = self.build(RECORDS, "rowlock-data")
        database = self.top / "app.db"
        db = sqlite3.connect(database)
        db.executescript("PRAGMA journal_mode = wal;"
                         "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT);")
        done = self.run_tool(program, database, env=self.env)
        self.assertEqual((done.returncode, done.stdout), (0, "SHARE\n"))
        self.assertEqual(db.execute("SELECT * FROM t").fetchall(), [(1, "x")])
        db.close()

    def test_every_public_header_is_installed(self):
        installed = [path.name for path in self.top.glob("root/**/include/rowlock/*")]
        self.assertEqual(sorted(installed),
                         sorted(path.name for path in (TOP / "include/rowlock").iterdir()))

    def test_pages_and_completions_are_installed(self):
        pages = {path.name for path in self.top.glob("root/**/man/man1/*")}
        self.assertIn("rowlock.1", pages)
        program = next(self.top.glob("root/**/bin/rowlock"))
        for line in self.run_tool(program, "help", env=self.env).stdout.splitlines():
            if line.startswith("  "):
                self.assertIn(f"rowlock-{line.split()[0]}.1", pages)
        scripts = list(self.top.glob("root/**/bash-completion/completions/*"))
        self.assertEqual([path.name for path in scripts], ["rowlock.bash"])
        self.assertIn("complete -o default", scripts[0].read_text())
