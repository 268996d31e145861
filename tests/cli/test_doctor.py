# SPDX-License-Identifier: MIT
"""rowlock doctor: what it finds, and --fix."""

import os
import sqlite3
import unittest

from harness import CliTest, finding

GOOD = """CREATE TABLE place (
    id INTEGER PRIMARY KEY, slug TEXT UNIQUE, up INTEGER REFERENCES place);
    CREATE INDEX place_up ON place (up);"""


class Doctor(CliTest):
    def examine(self, *words, status=0, **options):
        return self.run_rowlock("doctor", *words, status=status, **options).stdout

    def test_a_good_database_is_ok_and_nothing_is_written(self):
        path = self.database(GOOD)
        before = sorted(self.top.iterdir())
        out = self.examine(path)
        self.assertNotRegex(out, r"(?m)^bad")
        self.assertIn("ok    journal mode wal\n", out)
        self.assertIn("ok    1 table; unique: place(slug)\n", out)
        self.assertIn("ok    lock table: none yet, the first lock makes it\n", out)
        self.assertEqual([p for p in sorted(self.top.iterdir()) if "-rowlock" in p.name], [])
        self.assertTrue(set(before) <= set(self.top.iterdir()))

    def test_versions_are_told_and_what_follows_from_them(self):
        out = self.examine(self.database(GOOD))
        self.assertRegex(out, r"(?m)^ok    rowlock \d")
        self.assertRegex(out, r"(?m)^(ok|warn)  .*SQLite \d+\.\d+\.\d+")
        if sqlite3.sqlite_version_info < (3, 44):
            self.assertIn("a commit can be lost", finding(out, "SQLite 3").replace("\n", " "))

    def test_another_journal_mode_is_bad_and_fix_is_what_to_type(self):
        path = self.database(GOOD, name="it's.db", journal_mode="delete")
        found = finding(self.examine(path, status=1), "journal mode delete")
        self.assertTrue(found.startswith("bad "), found)
        command = found.split("-> ")[1]
        self.assertEqual(command, "rowlock doctor --fix '" + str(path).replace("'", "'\\''") + "'")

    def test_fix_switches_to_wal(self):
        path = self.database(GOOD, journal_mode="delete")
        done = self.run_rowlock("doctor", "--fix", path)
        self.assertIn("switched", done.stderr)
        self.assertIn("ok    journal mode wal", done.stdout)
        self.assertEqual(self.query(path, "PRAGMA journal_mode"), [("wal",)])
        again = self.run_rowlock("doctor", "--fix", path)
        self.assertEqual(again.stderr, "")

    def test_who_keeps_the_wal_from_being_emptied_is_named(self):
        path = self.database("CREATE TABLE big (id INTEGER PRIMARY KEY, x)")
        reader, writer = sqlite3.connect(path), sqlite3.connect(path)
        late = sqlite3.connect(path)  # of the same process, at another place of the WAL
        writer.execute("INSERT INTO big VALUES (1, zeroblob(400000))")
        writer.commit()
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM big").fetchall()
        for _ in range(30):
            self.assertNotIn("keeps the WAL", self.run_rowlock("locks", path).stderr)
            writer.execute("UPDATE big SET x = zeroblob(400000 + random() % 1000)")
            writer.commit()
            late.execute("SELECT count(*) FROM big").fetchall()
            if os.path.getsize(f"{path}-wal") > 2200 * 4120:
                break
        late.execute("BEGIN")
        late.execute("SELECT count(*) FROM big").fetchall()
        said = f"pid {os.getpid()} (python3) keeps the WAL"
        self.assertIn("warn", finding(self.examine(path), said))
        self.assertIn(said, self.run_rowlock("locks", path).stderr)
        reader.rollback()
        late.rollback()
        self.assertNotIn("keeps the WAL", self.examine(path))
        self.assertNotIn("keeps the WAL", self.run_rowlock("locks", path).stderr)
        for db in (reader, writer, late):
            db.close()

    def test_fix_names_who_is_in_the_way(self):
        path = self.database(GOOD, journal_mode="delete")
        holder = sqlite3.connect(path, isolation_level=None)
        self.addCleanup(holder.close)
        holder.execute("BEGIN IMMEDIATE")
        done = self.run_rowlock("doctor", "--fix", path, status=5)
        self.assertIn(f"held by pid {os.getpid()} (python3", done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertEqual(self.query(path, "PRAGMA journal_mode"), [("delete",)])

    def test_a_table_without_a_primary_key_is_named(self):
        out = self.examine(self.database("CREATE TABLE log (x); CREATE TABLE t (a PRIMARY KEY)"))
        self.assertIn("refuses the table", finding(out, "table log has no primary key"))
        self.assertNotIn("table t has", out)

    def test_a_foreign_key_without_an_index_gets_the_line_that_makes_one(self):
        path = self.database("""
            CREATE TABLE a (x, y, PRIMARY KEY (x, y));
            CREATE TABLE "my b" (id INTEGER PRIMARY KEY, "the x", y, z REFERENCES a,
                FOREIGN KEY ("the x", y) REFERENCES a);
            CREATE TABLE c (x PRIMARY KEY REFERENCES "my b", y REFERENCES c);
            CREATE INDEX c_y ON c (y, x)""")
        out = self.examine(path)
        self.assertEqual(out.count("has no index"), 2)
        sql = finding(out, "foreign key my b (the x, y) to a").split("-> ")[1]
        self.query(path, sql)
        self.assertEqual(self.examine(path).count("has no index"), 1)

    def test_a_unique_column_with_a_collation_of_its_own_is_named(self):
        path = self.top / "app.db"
        db = sqlite3.connect(path)
        db.create_collation("german", lambda a, b: (a > b) - (a < b))
        db.executescript("""PRAGMA journal_mode = wal;
            CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT COLLATE german UNIQUE,
                            slug TEXT COLLATE NOCASE UNIQUE)""")
        db.close()
        out = self.examine(path)
        self.assertIn("one lock", finding(out, "unique column t.name has the collation german"))
        self.assertNotIn("t.slug has", out)

    def test_names_cannot_steer_the_terminal(self):
        out = self.examine(self.database('CREATE TABLE "a\x1b[31m" (x)'))
        self.assertNotIn("\x1b", out)
        self.assertIn("table a\\x1b[31m has no primary key", out)

    def test_what_is_no_database_is_an_error(self):
        self.write("text.db", "this is not a database\n" * 100)
        self.write("empty.db", "")
        done = self.run_rowlock("doctor", "text.db", status=1)
        self.assertIn('"text.db" is not a SQLite database', done.stderr)
        self.assertEqual(done.stdout, "")
        done = self.run_rowlock("doctor", "none.db", status=1)
        self.assertIn('could not open database "none.db": No such file', done.stderr)
        self.assertIn("not a database file", self.run_rowlock("doctor", ".", status=1).stderr)
        self.assertIn("journal mode delete", self.examine("empty.db", status=1))

    def test_other_engines_and_slashes_are_refused_without_showing_a_password(self):
        done = self.run_rowlock("doctor", "sqlite:///tmp/a.db", status=1)
        self.assertIn("sqlite:PATH", done.stderr)
        done = self.run_rowlock("doctor", "mysql://me:secret@host/db", status=1)
        self.assertIn('driver for MariaDB is not built in', done.stderr)
        self.assertNotIn("secret", done.stderr)

    def test_a_file_that_cannot_be_written_is_bad(self):
        path = self.database(GOOD)
        options = self.unprivileged()
        path.chmod(0o444)
        self.assertIn("bad   you cannot write the file", self.examine(path, status=1, **options))
        path.chmod(0o644)
        self.top.chmod(0o555)
        self.addCleanup(self.top.chmod, 0o755)
        self.assertIn("bad   you cannot write its folder",
                      self.examine(path, status=1, **options))

    def test_a_database_that_sqlite_may_not_even_read_gets_its_findings(self):
        path = self.database(GOOD)
        options = self.unprivileged()
        self.top.chmod(0o555)
        self.addCleanup(self.top.chmod, 0o755)
        out = self.examine(path, status=1, **options)
        self.assertIn("bad   you cannot write its folder", out)
        self.assertIn("bad   SQLite cannot read the database", out)

    def test_sqlite_colon_is_the_same_as_the_path(self):
        self.database(GOOD)
        self.assertEqual(self.examine("app.db"), self.examine("sqlite:app.db"))


if __name__ == "__main__":
    unittest.main()
