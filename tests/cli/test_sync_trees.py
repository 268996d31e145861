# SPDX-License-Identifier: MIT
"""rowlock sync and tables whose records are more than a row: the trees of
django-treebeard, and Wagtail's pages. The tables are made as Django's migrations
make them."""

import json
import unittest

from harness import DB, CliTest, json_lines, left, sqlites_own

COLLECTION = """CREATE TABLE "wagtailcore_collection" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, "path" varchar(255) NOT NULL UNIQUE,
    "depth" INTEGER unsigned NOT NULL CHECK ("depth" >= 0),
    "numchild" INTEGER unsigned NOT NULL CHECK ("numchild" >= 0), "name" varchar(255) NOT NULL);
CREATE TABLE "category" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, "path" varchar(255) NOT NULL UNIQUE,
    "depth" INTEGER unsigned NOT NULL CHECK ("depth" >= 0),
    "numchild" INTEGER unsigned NOT NULL CHECK ("numchild" >= 0),
    "remote_id" varchar(20) NULL UNIQUE, "name" varchar(30) NOT NULL);
INSERT INTO category VALUES (1, '0001', 1, 1, 'r', 'Root'), (2, '00010001', 2, 0, 'a', 'Old');
"""
PAGES = """CREATE TABLE "wagtailcore_page" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, "path" varchar(255) NOT NULL UNIQUE,
    "depth" INTEGER unsigned NOT NULL CHECK ("depth" >= 0),
    "numchild" INTEGER unsigned NOT NULL CHECK ("numchild" >= 0), "title" varchar(255) NOT NULL,
    "slug" varchar(255) NOT NULL, "live" bool NOT NULL);
CREATE TABLE "blog_blogpage" ("page_ptr_id" integer NOT NULL PRIMARY KEY
    REFERENCES "wagtailcore_page" ("id") DEFERRABLE INITIALLY DEFERRED,
    "code" varchar(20) NOT NULL, "intro" varchar(250) NOT NULL);
INSERT INTO wagtailcore_page VALUES (1, '0001', 1, 0, 'Root', 'root', TRUE);
INSERT INTO blog_blogpage VALUES (1, 'a', 'old');
"""
RECORDS = [{"code": "r", "name": "Root"}, {"code": "a", "name": "New"},
           {"code": "b", "name": "Unheard of"}]
PLACE = "(path, depth, numchild)"


class TreeTest(CliTest):
    def setUp(self):
        super().setUp()
        self.remove(DB)

    def define(self, table="category", fields="{remote_id: /code, name: /name}",
               match="[remote_id]", create="false"):
        self.write("t.json", json.dumps(RECORDS))
        return self.write("t.yaml", f"sync: t\ntarget: {{database: {DB}, table: {table}, "
                                    f"create_table: {create}}}\nsource: {{url: t.json}}\n"
                                    f"match: {match}\nfields: {fields}\n")

    def refused(self, *expected):
        for words in ((), ("--dry-run",)):
            done = self.run_rowlock("sync", *words, "t.yaml", status=2)
            for text in expected:
                self.assertIn(text, done.stderr)
            self.assertEqual(done.stdout, "")


class Trees(TreeTest):
    def test_what_is_found_is_updated_and_what_is_not_is_rejected(self):
        path = self.database(COLLECTION, "t.db")
        done = self.run_rowlock("sync", self.define(), status=6)
        self.assertIn("record 3 (line 1, byte 63) rejected: the table is a tree " + PLACE +
                      ": create the record in the application", done.stderr)
        self.assertEqual(self.query(path, "SELECT id, path, depth, numchild, name FROM category"),
                         [(1, "0001", 1, 1, "Root"), (2, "00010001", 2, 0, "New")])

    def test_a_program_is_told_what_to_do(self):
        self.database(COLLECTION, "t.db")
        out = self.run_rowlock("sync", "--json", self.define(), status=6).stdout
        line, = left(out)
        self.assertEqual({k: v for k, v in line.items()
                          if k in ("outcome", "record", "sqlstate", "detail")},
                         {"outcome": "rejected", "record": 3, "sqlstate": "0A000",
                          "detail": "A record that is made without its place would corrupt "
                                    "the tree."})
        self.assertEqual({k: json_lines(out)[-1][k] for k in ("updated", "created", "rejected")},
                         {"updated": 1, "created": 0, "rejected": 1})

    def test_a_dry_run_says_the_same(self):
        self.database(COLLECTION, "t.db")
        done = self.run_rowlock("sync", "--dry-run", self.define(), status=6)
        self.assertIn("rejected: the table is a tree", done.stderr)
        self.assertIn("* category/2", done.stdout)
        self.assertNotIn("+ category", done.stdout)

    def test_what_the_application_has_created_is_found_next_time(self):
        path = self.database(COLLECTION, "t.db")
        definition = self.define()
        self.run_rowlock("sync", definition, status=6)
        self.query(path, "INSERT INTO category VALUES (3, '00010002', 2, 0, 'b', '')")
        self.run_rowlock("sync", definition)
        self.assertEqual(self.query(path, "SELECT path, name FROM category WHERE id = 3"),
                         [("00010002", "Unheard of")])

    @sqlites_own("stranger")
    def test_a_record_that_goes_away_under_the_look_is_not_made_anew(self):
        """It is found, then deleted by a program that holds its lock."""
        path = self.database(COLLECTION, "t.db")
        definition = self.define()
        holder = self.start_rowlock("lock", DB, "category", "2", "--",
                                    "sh", "-c", "echo held; read line")
        holder.wait_for_out("held")
        sync = self.start_rowlock("sync", definition)
        self.wait_until_it_waits(sync, DB)
        self.query(path, "DELETE FROM category WHERE id = 2")
        holder.tell("")
        self.assertEqual(holder.end(), 0)
        self.assertEqual(sync.end(), 6)
        self.assertEqual(sync.err.count("the table is a tree"), 2, sync.err)
        self.assertEqual(self.query(path, "SELECT remote_id FROM category"), [("r",)])

    def test_the_place_is_never_written(self):
        self.database(COLLECTION, "t.db")
        for column in ("path", "Depth", "numchild"):
            with self.subTest(column):
                self.define(fields=f"{{remote_id: /code, {column}: {{value: 1, mode: fill}}}}")
                self.refused(f"t.yaml:5:28: '{column}' is a record's place in a tree: only the "
                             "application may write it", "hint: Leave path, depth and numchild out")

    def test_a_table_with_two_of_the_columns_is_no_tree(self):
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT UNIQUE, path TEXT, "
                      "depth INTEGER)", "t.db")
        self.define("t", "{code: /code, path: /name, depth: {value: 1}}", "[code]")
        self.run_rowlock("sync", "t.yaml")
        self.assertEqual(self.query(DB, "SELECT path, depth FROM t WHERE code = 'a'"),
                         [("New", 1)])

    def test_no_tree_is_made_by_create_table(self):
        self.define("t", "{code: /code, path: /name, depth: {value: 1}, numchild: {value: 0}}",
                    "[code]", "true")
        self.refused("t.yaml:5:23: path, depth and numchild make a tree")
        self.assertFalse(self.there_is(DB))


class Pages(TreeTest):
    def check_refused(self, table, match, fields):
        path = self.database(PAGES, "t.db")
        before = self.query(path, f"SELECT * FROM {table}")
        for create in ("false", "true"):
            self.define(table, fields, match, create)
            self.refused(f't.yaml:2:{29 + len(DB)}: table "{table}" has to do with '
                         "Wagtail's pages (wagtailcore_page)",
                         "Pages have locks, revisions and a tree of their own",
                         "such as a snippet's")
        self.assertEqual(self.query(path, f"SELECT * FROM {table}"), before)

    def test_a_page_model_is_refused(self):
        self.check_refused("blog_blogpage", "[code]", "{code: /code, intro: /name}")

    def test_the_table_of_all_pages_is_refused(self):
        self.check_refused("wagtailcore_page", "[slug]", "{slug: /code, title: /name}")


if __name__ == "__main__":
    unittest.main()
