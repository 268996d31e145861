# SPDX-License-Identifier: MIT
"""rowlock doctor DEFINITION: the database, then the definition beside its table.
What it tells to type is typed."""

import json
import re
import sqlite3
import unittest

from harness import CliTest

GOOD = "CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT UNIQUE, name TEXT, n INTEGER)"
FIELDS = "{code: /code, name: /name}"
DJANGO = """CREATE TABLE "site" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT);
CREATE TABLE "app_term" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "remote_id" varchar(20) NULL, "name" varchar(30) NOT NULL, "my: flag" bool NOT NULL,
    "created_at" datetime NOT NULL, "updated_at" datetime NOT NULL,
    "translation_key" char(32) NOT NULL, "price" decimal NOT NULL, "more" JSON NOT NULL,
    "note" text NOT NULL, "day" date NOT NULL,
    "site_id" integer NOT NULL REFERENCES "site" ("id") DEFERRABLE INITIALLY DEFERRED);
CREATE INDEX "app_term_site_id" ON "app_term" ("site_id");
INSERT INTO site VALUES (1)"""


class DefinitionTest(CliTest):
    def define(self, fields=FIELDS, match="[code]", table="t", create="false", name="t.yaml",
               source="t.json"):
        self.write("t.json", json.dumps([{"code": "a", "name": "A"}]))
        if not isinstance(fields, str):
            fields = "\n" + "".join(f"  {line}\n" for line in fields)
        return self.write(name, f"sync: t\ntarget: {{database: t.db, table: {table}, "
                                f"create_table: {create}}}\nsource: {{url: '{source}'}}\n"
                                f"match: {match}\nfields: {fields}\n")

    def examine(self, *words, status=0, **options):
        return self.run_rowlock("doctor", *(words or ("t.yaml",)), status=status, **options).stdout

    def finding(self, out, words):
        """Grade, what, what follows, and the lines to type."""
        lines = out.splitlines()
        [at] = [i for i, line in enumerate(lines) if words in line and line[0] != " "]
        below = []
        for line in lines[at + 1:]:
            if not line.startswith(" "):
                break
            below.append(line)
        todo = [line[9:] for line in below if re.match(r"      (->|  ) ", line)]
        follows = " ".join(line.strip() for line in below if not re.match(r"      (->|  ) ", line))
        grade, what = lines[at].split(None, 1)
        return grade, what, follows, todo

    def check(self, out, grade, words, follows="", todo=None):
        found = self.finding(out, words)
        self.assertEqual(found[0], grade, found)
        self.assertIn(follows, found[2])
        if todo is not None:
            self.assertEqual(found[3], todo)
        return found


class Which(DefinitionTest):
    def test_a_definition_gets_its_database_and_its_table_examined(self):
        self.database(GOOD, "t.db")
        self.define()
        out = self.examine()
        self.assertNotRegex(out, r"(?m)^bad")
        for line in ("ok    journal mode wal", "ok    1 table; unique: t(code)",
                     "ok    definition t.yaml: sync 't', 2 fields, matched by code",
                     "ok    source t.json", "ok    table t: each field has a column",
                     "ok    match key code is unique: sqlite_autoindex_t_1"):
            self.assertIn(line + "\n", out)

    def test_any_name_will_do_for_either(self):
        self.database(GOOD, "t.db")
        self.database(GOOD, "database.yaml")
        self.define(name="definition")
        self.assertIn("definition definition: sync 't'", self.examine("definition"))
        out = self.examine("database.yaml")
        self.assertIn("ok    1 table", out)
        self.assertNotIn("definition", out)

    def test_a_database_named_as_such_is_never_a_definition(self):
        self.define()
        self.assertIn("not a SQLite database",
                      self.run_rowlock("doctor", "sqlite:t.yaml", status=1).stderr)

    def test_the_database_is_seen_from_the_definitions_folder(self):
        self.define(name="sub/t.yaml")
        (self.top / "t.json").rename(self.top / "sub/t.json")
        self.database(GOOD, "sub/t.db")
        self.assertIn("ok    source sub/t.json", self.examine("sub/t.yaml"))

    def test_nothing_is_written(self):
        self.database(GOOD, "t.db")
        self.define()
        before = {p.name: p.read_bytes() for p in self.top.iterdir()}
        self.examine()
        after = {p.name: p.read_bytes() for p in self.top.iterdir()}
        self.assertEqual({name: after[name] for name in before}, before)
        self.assertLessEqual(set(after) - set(before), {"t.db-wal", "t.db-shm"})
        self.assertEqual(after.get("t.db-wal", b""), b"")

    def test_the_source_is_not_asked(self):
        self.database(GOOD, "t.db")
        asked = []
        url = self.serve(lambda request: asked.append(request))
        self.define(source=url + "/t.json")
        self.check(self.examine(), "ok", f"source {url}/t.json (not asked)")
        self.assertEqual(asked, [])


class Wrong(DefinitionTest):
    def test_a_definition_that_cannot_be_read_is_bad(self):
        self.define(fields="{code: {form: /code}}")
        self.check(self.examine(status=1), "bad",
                   "t.yaml:5:17: unknown key 'form' (did you mean 'from'?)")

    def test_a_missing_one_is_bad(self):
        self.check(self.examine("no.yaml", status=1), "bad", "could not open 'no.yaml'")

    def test_a_secret_is_not_told(self):
        self.database(GOOD, "t.db")
        self.define(source="http://127.0.0.1:1/?key=${KEY}")
        out = self.examine(env={"KEY": "hush"})
        self.assertIn("/?key=${KEY} (not asked)", out)
        self.assertNotIn("hush", out)

    def test_every_field_that_does_not_fit_is_named(self):
        self.database(GOOD, "t.db")
        self.define(fields="{code: /code, nam: /name, n: {from: /n, type: text}, x: /x}")
        out = self.examine(status=1)
        self.check(out, "bad", 't.yaml:5:23: t has no column "nam"', todo=['Did you mean "name"?'])
        self.check(out, "bad", "t.yaml:5:35: the type of 'n' is INTEGER in the table, not text")
        self.check(out, "bad", 't.yaml:5:62: t has no column "x"')

    def test_a_missing_table_is_bad_and_a_new_one_is_made(self):
        self.database("CREATE TABLE other (id INTEGER PRIMARY KEY)", "t.db")
        self.define()
        self.check(self.examine(status=1), "bad", 't.yaml:2:33: no such table: "t"')
        self.define(create="true")
        out = self.examine()
        self.check(out, "ok", "table t is not there: the first run makes it")
        self.check(out, "ok", "match key code is unique: t_code_key")
        self.assertEqual(self.query(self.top / "t.db", "SELECT name FROM sqlite_schema"),
                         [("other",)])

    def test_a_missing_database_is_an_error_and_a_new_one_is_made(self):
        self.define()
        self.assertIn('could not open database "t.db"',
                      self.run_rowlock("doctor", "t.yaml", status=1).stderr)
        self.define(create="true")
        self.check(self.examine(), "ok", "the database is not there: the first run makes it")
        self.assertFalse((self.top / "t.db").exists())

    def test_another_journal_mode_is_bad_and_all_else_is_looked_at(self):
        path = self.database(GOOD, "t.db", journal_mode="delete")
        self.define()
        out = self.examine(status=1)
        self.check(out, "bad", "journal mode delete", todo=["rowlock doctor --fix t.yaml"])
        self.check(out, "ok", "match key code is unique")
        self.assertIn("ok    journal mode wal", self.examine("--fix", "t.yaml"))
        self.assertEqual(self.query(path, "PRAGMA journal_mode"), [("wal",)])

    def test_a_source_that_is_no_file_is_a_warning(self):
        self.database(GOOD, "t.db")
        self.define(source="no.json")
        self.check(self.examine(), "warn", "source no.json cannot be read")

    def test_what_an_import_must_not_touch_is_told(self):
        self.database("""CREATE TABLE tree (id INTEGER PRIMARY KEY, path TEXT UNIQUE NOT NULL,
            depth INTEGER NOT NULL, numchild INTEGER NOT NULL, code TEXT UNIQUE, name TEXT);
            CREATE TABLE wagtailcore_page (id INTEGER PRIMARY KEY);
            CREATE TABLE page (page_ptr_id INTEGER PRIMARY KEY REFERENCES wagtailcore_page (id),
                               code TEXT UNIQUE, name TEXT)""", "t.db")
        self.define(table="tree", fields="{code: /code, name: {from: /name, mode: create_only}}")
        out = self.examine()
        self.check(out, "warn", "table tree is a tree", "those that would have to be created are "
                   "rejected", ["Create them in the application: the next run finds them."])
        self.check(out, "warn", "mode: create_only never writes: name")
        self.assertNotIn("must not be NULL", out)
        self.define(table="page")
        self.check(self.examine(status=1), "bad", "has to do with Wagtail's pages", "revisions")


class Keys(DefinitionTest):
    TABLE = ('CREATE TABLE "my t" (id INTEGER PRIMARY KEY, site INTEGER, "the ""code" TEXT, '
             'name TEXT, extra TEXT)')

    def setUp(self):
        super().setUp()
        self.path = self.database(self.TABLE, "t.db")
        self.define(table='"my t"', fields=["site: /site", "'the \"code': /code", "name: /name"],
                    match="[[site, 'the \"code'], name]")

    def test_what_to_type_makes_them_unique(self):
        out = self.examine()
        for key in ('match key (site, the "code) has no index', "match key name has no index"):
            [line] = self.check(out, "warn", key, "Each run reads the whole table for it")[3]
            self.query(self.path, line)
        out = self.examine()
        self.check(out, "ok", 'match key (site, the "code) is unique: my t_site_the "code_key')
        self.check(out, "ok", "match key name is unique: my t_name_key")

    def test_an_index_is_quick_but_not_safe(self):
        self.query(self.path, 'CREATE INDEX i ON "my t" (name)')
        self.check(self.examine(), "warn", "match key name is not unique: index i is a plain one",
                   "A program that takes no record locks can")

    def test_a_unique_index_on_a_part_of_a_key_is_enough(self):
        self.query(self.path, 'CREATE UNIQUE INDEX u ON "my t" ("the ""code")')
        self.check(self.examine(), "ok", 'match key (site, the "code) is unique: u')

    def test_an_index_on_more_than_the_key_is_not(self):
        self.query(self.path, 'CREATE UNIQUE INDEX u ON "my t" (name, extra)')
        self.check(self.examine(), "warn", "match key name is not unique: index u is a plain one")

    def test_a_unique_index_on_some_records_is_not(self):
        self.query(self.path, 'CREATE UNIQUE INDEX u ON "my t" (name) WHERE name IS NOT NULL')
        self.check(self.examine(), "warn",
                   "match key name is not unique: index u guards some records only")

    def test_an_index_that_sqlite_cannot_use_is_none(self):
        self.query(self.path, 'CREATE INDEX i ON "my t" (name COLLATE NOCASE)')
        self.check(self.examine(), "warn", "match key name has no index")

    def test_the_primary_key_is_unique(self):
        self.database("CREATE TABLE p (code TEXT PRIMARY KEY, name TEXT)", "t.db2")
        self.define(table="p").write_text(self.define(table="p").read_text().replace("t.db", "t.db2"))
        self.check(self.examine(), "ok", "match key code is unique: primary key")

    def test_duplicates_are_counted_and_shown(self):
        self.query(self.path, 'INSERT INTO "my t" (name) VALUES (1), (1), (2), (2), (3), (NULL), '
                              '(NULL)')
        found = self.check(self.examine(), "warn", "2 values of that key stand in several records")
        self.assertEqual(self.query(self.path, found[3][0]), [("1", 2), ("2", 2)])

    def test_a_key_that_can_find_nothing_more_is_named(self):
        self.define(table='"my t"', match="[name, [site, name], [name, site]]",
                    fields="{site: /site, name: /name}")
        out = self.examine()
        self.check(out, "warn", "(site, name) finds nothing that name does not find")
        self.check(out, "warn", "(name, site) finds nothing that name does not find")
        self.define(table='"my t"', match="[[site, name], [name, site]]",
                    fields="{site: /site, name: /name}")
        self.check(self.examine(), "warn", "(name, site) finds nothing that (site, name) does not")

    def test_a_collation_of_the_applications_own_cannot_be_matched(self):
        path = self.top / "t.db2"
        db = sqlite3.connect(path)
        db.create_collation("german", lambda a, b: (a > b) - (a < b))
        db.executescript("""PRAGMA journal_mode = wal;
            CREATE TABLE p (id INTEGER PRIMARY KEY, code TEXT COLLATE german UNIQUE, name TEXT)""")
        db.close()
        definition = self.define(table="p")
        definition.write_text(definition.read_text().replace("t.db", "t.db2"))
        self.check(self.examine(status=1), "bad", "match column code has the collation german",
                   "no record could be looked up")
        self.assertIn("no such collation", self.run_rowlock("sync", "t.yaml", status=1).stderr)


class Columns(DefinitionTest):
    def test_lines_to_add_for_what_no_field_fills(self):
        path = self.database(DJANGO, "t.db")
        fields = ["remote_id: /code", "name: /name"]
        self.define(fields, "[remote_id]", "app_term")
        out = self.examine(status=1)
        found = self.check(out, "bad", "no field fills what must not be NULL: my: flag, created_at, ",
                           "Each record that would have to be created is rejected.",
                           ['"my: flag": {value: true, mode: create_only}',
                            "created_at: {value: now, mode: create_only}",
                            "updated_at: {value: now, on: change}",
                            "translation_key: {value: uuid, mode: create_only}",
                            "price: {value: 0, mode: create_only}",
                            'more: {value: "{}", mode: create_only}',
                            'note: {value: "", mode: create_only}',
                            "day: {value: now, mode: create_only}",
                            "site_id: {value: 1, mode: create_only}  # which record of site?"])
        self.run_rowlock("sync", "t.yaml", status=6)
        self.define(fields + found[3], "[remote_id]", "app_term")
        self.assertNotRegex(self.examine(), r"(?m)^bad")
        self.run_rowlock("sync", "t.yaml")
        self.assertEqual(self.query(path, 'SELECT name, "my: flag", price, more, note, site_id, '
                                          "length(translation_key) FROM app_term"),
                         [("A", 1, 0, "{}", "", 1, 32)])

    def test_a_unique_column_gets_no_constant_and_a_blob_nothing(self):
        self.database("""CREATE TABLE t (code TEXT PRIMARY KEY, sku TEXT NOT NULL UNIQUE, name TEXT,
                         data BLOB NOT NULL) WITHOUT ROWID""", "t.db")
        self.define("{name: /name}", "[name]")
        self.check(self.examine(status=1), "bad", "no field fills",
                   todo=["code: /code  # unique: where is it in the source?",
                         "sku: /sku  # unique: where is it in the source?",
                         "# data: no field can fill a blob, give it a default"])

    def test_a_number_that_the_database_gives_needs_no_field(self):
        self.database("CREATE TABLE t (id integer NOT NULL PRIMARY KEY, code TEXT UNIQUE, "
                      "name TEXT, n INTEGER NOT NULL DEFAULT 0)", "t.db")
        self.define()
        self.assertNotIn("no field fills", self.examine())

    def test_what_becomes_null_where_none_may_stand(self):
        self.database("""CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT UNIQUE, a TEXT NOT NULL,
            b TEXT NOT NULL, c TEXT NOT NULL, d TEXT NOT NULL, e TEXT NOT NULL)""", "t.db")
        self.define(["code: /code", "a: {from: /name, strip: true}", "b: {from: /name, empty: 'null'}",
                     "c: {from: /name, slugify: true}", "d: {from: /d, default: null}",
                     "e: {from: /name, default: x}"])
        self.check(self.examine(), "warn", "NULL is made where none may stand: a (strip), b (empty: "
                   "null), c (slugify), d (default: null)", "is rejected")

    def test_types_that_take_not_everything(self):
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT UNIQUE, name varchar(3), "
                      "n INTEGER, d decimal(5, 2), x)", "t.db")
        self.define("{code: /code, name: /name, n: /n, d: /d, x: {value: 1}}")
        self.check(self.examine(), "ok", "columns that take not every value: name varchar(3), "
                   "n INTEGER, d decimal(5, 2)", "rejects its record")

    def test_modes_that_never_write(self):
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT UNIQUE, name TEXT, "
                      "n INTEGER NOT NULL, at TEXT)", "t.db")
        self.define("{code: /code, n: {from: /n, mode: fill}, at: {value: now, on: change}}")
        out = self.examine()
        self.check(out, "warn", "mode: fill never writes into a record that is found: n")
        self.check(out, "warn", "on: change never writes into a record that is found: at")
        self.define("{code: /code, n: /n, name: {from: /name, mode: fill}, "
                    "at: {value: now, on: change}}")
        self.assertNotIn("never writes", self.examine())

    def test_triggers_and_parents(self):
        self.database("""CREATE TABLE p (id INTEGER PRIMARY KEY);
            CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT UNIQUE, name TEXT,
                            p_id INTEGER REFERENCES p);
            CREATE INDEX p_id ON t (p_id);
            CREATE TRIGGER b AFTER UPDATE ON t BEGIN SELECT 1; END;
            CREATE TRIGGER a AFTER INSERT ON t BEGIN SELECT 1; END""", "t.db")
        self.define("{code: /code, name: /name, p_id: /p}")
        out = self.examine()
        self.check(out, "warn", "2 triggers on table t: a, b", "not for unchanged records")
        self.check(out, "ok", "parents: p_id (p)", "a record whose parent is missing is rejected")

    def test_names_cannot_steer_the_terminal(self):
        self.database('CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT UNIQUE, name TEXT, '
                      '"a\x1b[31m" TEXT NOT NULL)', "t.db")
        self.define()
        out = self.examine(status=1)
        self.assertNotIn("\x1b", out)
        self.check(out, "bad", "no field fills what must not be NULL: a\\x1b[31m",
                   todo=['"a\\x1b[31m": {value: "", mode: create_only}'])


if __name__ == "__main__":
    unittest.main()
