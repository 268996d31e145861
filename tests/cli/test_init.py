# SPDX-License-Identifier: MIT
"""rowlock init: the definition that it writes reads back and runs, whatever the
source holds."""

import json
import os
import re
import unittest
from urllib.parse import parse_qs, urlsplit

from harness import CliTest, environment, send

os.environ["no_proxy"] = "*"  # servers are on loopback

PLAIN = [{"id": n, "slug": f"term-{n}", "name": f"Term {n}", "weight": n / 2, "live": n % 2 == 0,
          "zip": f"0{n}", "extra": {"lang": "en"}, "tags": ["x"]} for n in range(1, 6)]
WORDPRESS = [{"id": n, "count": n, "description": "", "link": f"http://127.0.0.1/tag/{n}",
              "name": f"Tag &amp; {n}", "slug": f"tag-{n}", "taxonomy": "post_tag", "meta": [],
              "_links": {"self": [{"href": "x"}]}} for n in range(1, 125)]
WAGTAIL = [{"id": n, "meta": {"type": "app.Term", "slug": f"t-{n}"}, "title": f"Term {n}"}
           for n in range(1, 45)]
TERM = """CREATE TABLE "site" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT);
CREATE TABLE "term" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "remote_id" integer NULL UNIQUE, "slug" varchar(50) NOT NULL UNIQUE,
    "name" varchar(100) NOT NULL, "live" bool NOT NULL, "updated_at" datetime NOT NULL,
    "key" char(32) NOT NULL, "parent_id" integer NULL REFERENCES "term" ("id"),
    "site_id" integer NOT NULL REFERENCES "site" ("id"), "note" text NULL);
INSERT INTO site VALUES (1)"""


def query_of(handler):
    return {k: v[0] for k, v in parse_qs(urlsplit(handler.path).query).items()}


def wordpress(handler):
    """Pages from 1; past the end 400; the total in a header."""
    query = query_of(handler)
    page, size = int(query.get("page", 1)), int(query.get("per_page", 10))
    part = WORDPRESS[(page - 1) * size:page * size]
    if size > 100 or (page > 1 and not part):
        return send(handler, b'{"code": "rest_post_invalid_page_number"}', 400)
    send(handler, json.dumps(part).encode(), Content_Type="application/json",
         X_WP_Total=str(len(WORDPRESS)))


def wagtail(handler):
    """Unknown parameters and a limit over 20 are errors."""
    query = query_of(handler)
    limit, offset = int(query.get("limit", 20)), int(query.get("offset", 0))
    if limit > 20 or set(query) - {"limit", "offset", "order"}:
        return send(handler, b'{"message": "limit cannot be higher than 20"}', 400)
    send(handler, json.dumps({"meta": {"total_count": len(WAGTAIL)},
                              "items": WAGTAIL[offset:offset + limit]}).encode(),
         Content_Type="application/json")


class InitTest(CliTest):
    def serve_body(self, body, **headers):
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.serve(lambda h: send(h, text, **{"Content_Type": "application/json", **headers}))

    def draft(self, *words, **options):
        """What it writes; the second time into a file, which must be the same."""
        text = self.run_rowlock("init", *words, **options).stdout
        name = f"d{len(list(self.top.glob('d*.yaml')))}.yaml"
        done = self.run_rowlock("init", "-o", name, *words, **options)
        self.assertEqual(done.stdout, "")
        self.assertIn(f"next: rowlock doctor {name}", done.stderr)
        self.assertEqual((self.top / name).read_text(encoding="utf-8"), text)
        self.name = name
        return text

    def run_draft(self, n, **options):
        """Dry run, run, and a second run that has nothing to do."""
        dry = self.run_rowlock("sync", "--dry-run", "--json", self.name, status=3, **options)
        self.assertEqual(json.loads(dry.stdout.splitlines()[-1])["created"], n)
        for outcome in ("created", "unchanged"):
            done = self.run_rowlock("sync", "--json", self.name, **options)
            counts = json.loads(done.stdout.splitlines()[-1])
            self.assertEqual(counts["records"], n, counts)
            self.assertEqual(counts[outcome], n, counts)
        self.assertNotRegex(self.run_rowlock("doctor", self.name, **options).stdout, "(?m)^bad")

    def refused(self, *words, expected, status=1, **options):
        done = self.run_rowlock("init", *words, status=status, **options)
        self.assertEqual(done.stdout, "")
        for text in [expected] if isinstance(expected, str) else expected:
            self.assertIn(text, done.stderr)
        return done


class NewTable(InitTest):
    def test_json(self):
        self.write("terms.json", json.dumps({"version": 1, "items": PLAIN}))
        text = self.draft("terms.json")
        for line in ("sync: terms", "  database: terms.db", "  create_table: true",
                     "  url: terms.json", "  records: /items", "match: [remote_id, slug]"):
            self.assertIn(line + "\n" if "match" not in line else line, text)
        self.assertRegex(text, r"(?m)^  weight: +\{from: /weight, type: real\} +# 0.5$")
        self.assertRegex(text, r'(?m)^  lang: +/extra/lang +# "en"$')
        self.assertIn('  #   /tags  ["x"]\n', text)
        self.run_draft(5)
        self.assertEqual(self.query(self.top / "terms.db", "SELECT remote_id, slug, zip, live, lang "
                                    "FROM terms WHERE id = 3"), [(3, "term-3", "03", 0, "en")])

    def test_csv_guesses_no_numbers(self):
        self.write("places.csv", "id,name,zip,~a/b\n7,A,01234,x\n8,B,01235,y\n")
        text = self.draft("places.csv")
        self.assertRegex(text, r"(?m)^  zip: +/zip +# \"01234\"$")
        self.assertRegex(text, r'(?m)^  a_b: +"/~0a~1b" ')
        self.run_draft(2)
        self.assertEqual(self.query(self.top / "places.db", "SELECT remote_id, zip, a_b FROM places"),
                         [("7", "01234", "x"), ("8", "01235", "y")])

    def test_ndjson_and_what_only_the_content_type_tells(self):
        lines = b"".join(json.dumps(r).encode() + b"\n" for r in PLAIN)
        url = self.serve_body(lines, Content_Type="application/x-ndjson")
        self.assertIn("  format: ndjson\n", self.draft(url + "/export"))
        self.run_draft(5)

    def test_wordpress(self):
        url = self.serve(wordpress) + "/wp-json/wp/v2/tags"
        text = self.draft(url)
        self.assertIn("  preset: wordpress\n  # its count changes with each post", text)
        self.assertNotRegex(text, "(?m)^  count:")
        self.run_draft(124)
        self.assertEqual(self.query(self.top / "tags.db", "SELECT name FROM tags WHERE id = 1"),
                         [("Tag & 1",)])

    def test_wordpress_whose_total_does_not_come_through(self):
        url = self.serve_body(WORDPRESS[:3]) + "/wp-json/wp/v2/tags"
        self.assertIn("  pages: {by: page, param: page, size_param: per_page, size: 100}\n",
                      self.draft(url))

    def test_wagtail(self):
        url = self.serve(wagtail) + "/api/v2/terms/"
        text = self.draft(url)
        self.assertIn("after a look at 20 records", text)
        self.assertIn("  preset: wagtail\nmatch: [remote_id, slug]", text)
        self.assertRegex(text, r"(?m)^  slug: +/meta/slug +# \"t-1\"$")
        self.run_draft(44)

    def test_drupal(self):
        records = [{"type": "term", "id": f"u-{n}", "attributes": {"name": f"N{n}", "description":
                    {"value": f"d{n}", "format": "html"}}} for n in range(5)]

        def answer(handler):
            start = int(query_of(handler).get("o", 0))
            links = {"self": {"href": handler.path}}
            if start + 2 < len(records):
                links["next"] = {"href": f"{url}/jsonapi/term?o={start + 2}"}
            send(handler, json.dumps({"jsonapi": {"version": "1.0"}, "links": links,
                                      "data": records[start:start + 2]}).encode(),
                 Content_Type="application/vnd.api+json")

        url = self.serve(answer)
        text = self.draft(url + "/jsonapi/term")
        self.assertIn("  preset: drupal\n", text)
        self.assertRegex(text, r"(?m)^  description: +/attributes/description/value ")
        self.assertRegex(text, r"(?m)^  remote_id: +/id +# \"u-0\"$")
        self.run_draft(5)

    def test_signs_of_pages(self):
        def page(n, **more):
            return json.dumps({"results": [{"code": f"c{n}"}], **more}).encode()

        bodies = {"/link": (page(1), {"Link": '</link2>; rel="next"'}), "/link2": (page(2), {}),
                  "/next": (page(1, next="/next2", count=2), {}),
                  "/next2": (page(2, next=None, count=2), {}),
                  "/cursor": (page(1, next_cursor="abc"), {}),
                  "/cursor?cursor=abc": (page(2, next_cursor=None), {}),
                  "/counted?page=1": (page(1), {}), "/counted?page=2": (page(2), {})}
        url = self.serve(lambda h: send(h, bodies[h.path][0], **{
            "Content_Type": "application/json", **bodies[h.path][1]})
            if h.path in bodies else send(h, b"no", 404))
        for path, pages in (("/link", "{by: link}"), ("/next", "{by: next, at: /next, total: /count}"),
                            ("/cursor", "{by: cursor, at: /next_cursor, param: cursor}"),
                            ("/counted?page=1", "{by: page, param: page, start: 1}")):
            with self.subTest(path):
                self.assertIn(f"  pages: {pages}\n", self.draft(url + path))
                self.run_draft(2)

    def test_a_total_that_is_not_reached_is_pointed_out(self):
        url = self.serve_body({"total": 50, "items": PLAIN})
        text = self.draft(url + "/x")
        self.assertIn("  # /total says 50, but only 5 records came", text)
        self.assertNotRegex(text, "(?m)^  pages:")

    def test_a_list_that_stands_deeper(self):
        self.write("x.json", json.dumps({"response": {"docs": PLAIN, "n": 1}}))
        self.assertIn("  records: /response/docs\n", self.draft("x.json"))
        self.run_draft(5)

    def test_names_that_are_taken(self):
        self.write("x.json", json.dumps([{"id": 1, "remote_id": 2, "a": {"name": "x"}, "name": "y",
                                          "Name": "z", "rowid": 3, "path": "p", "depth": 1,
                                          "numchild": 0, "": "empty"}]))
        text = self.draft("x.json")
        columns = re.findall(r"(?m)^  (\w+): +(?:\{from: )?\"?(/[^ \",]*)", text)
        self.assertEqual(sorted(columns), [
            ("depth", "/depth"), ("member", "/"), ("name", "/a/name"), ("name_2", "/Name"),
            ("numchild", "/numchild"), ("remote_id", "/id"), ("remote_name", "/name"),
            ("remote_path", "/path"), ("remote_remote_id", "/remote_id"),
            ("remote_rowid", "/rowid")])
        self.run_draft(1)


class ExistingTable(InitTest):
    def check(self, source, n, **fields):
        path = self.database(TERM)
        text = self.draft(source, "app.db", "term")
        self.assertNotIn("create_table", text)
        self.assertIn("match: [remote_id, slug]\n", text)
        for column, pointer in {"remote_id": "/id", **fields}.items():
            self.assertRegex(text, rf"(?m)^  {column}: .*{re.escape(pointer)}[ ,]")
        self.assertIn('  live: {value: true, mode: create_only}\n'
                      if "live" not in fields else "", text)
        self.assertIn("  updated_at: {value: now, on: change}\n"
                      "  key: {value: uuid, mode: create_only}\n"
                      "  site_id: {value: 1, mode: create_only}  # which record of site?\n", text)
        self.assertIn("columns that are left alone: parent_id, note", text)
        self.run_draft(n)
        self.assertEqual(self.query(path, "SELECT count(DISTINCT remote_id), count(DISTINCT slug), "
                                    "count(DISTINCT \"key\") FROM term"), [(n, n, n)])
        return text

    def test_json(self):
        self.write("t.json", json.dumps(PLAIN))
        text = self.check("t.json", 5, slug="/slug", name="/name", live="/live")
        self.assertIn("#   /weight  0.5\n", text)

    def test_csv(self):
        self.write("t.csv", "id,slug,title\n" + "".join(f"{n},s{n},T{n}\n" for n in range(3)))
        self.check("t.csv", 3, slug="/slug", name="/title")

    def test_wordpress(self):
        self.check(self.serve(wordpress) + "/wp-json/wp/v2/tags", 124, slug="/slug", name="/name")

    def test_wagtail(self):
        self.check(self.serve(wagtail) + "/api/v2/terms/", 44, slug="/meta/slug", name="/title")

    def test_a_slug_is_made_of_the_name(self):
        self.database(TERM)
        self.write("t.json", json.dumps([{"id": n, "title": f"Term {n}"} for n in range(3)]))
        text = self.draft("t.json", "app.db", "term")
        self.assertIn("  slug:      {from: /title, slugify: true, mode: create_only}  # \"Term 0\"\n",
                      text)
        self.run_draft(3)
        self.assertEqual(self.query(self.top / "app.db", "SELECT slug FROM term WHERE remote_id = 2"),
                         [("term-2",)])

    def test_values_that_do_not_fit_are_told(self):
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT UNIQUE, n INTEGER, "
                      "name varchar(3), note TEXT NOT NULL, at DATETIME)")
        self.write("t.json", json.dumps([{"code": "a", "n": 1, "name": "long one", "note": None,
                                          "at": "soon"}, {"code": "b", "n": "x", "name": "b"},
                                         {"code": "c", "n": 3, "note": "n"}]))
        text = self.draft("t.json", "app.db", "t")
        self.assertRegex(text, r"(?m)^  n: +/n +# 1; 1 of 3 do not fit INTEGER$")
        self.assertIn("; up to 8 characters, too many; 1 of 3 lack it", text)
        self.assertIn("; NOT NULL, and 2 of 3 have none", text)
        self.assertIn("columns that are left alone: at\n", text)
        self.assertIn('#   /at  "soon"\n', text)

    def test_uuids_lose_their_dashes_where_there_is_no_room_for_them(self):
        """Django's UUIDField is char(32) on SQLite."""
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, remote_id char(32) UNIQUE, name)")
        self.write("t.json", json.dumps([{"id": f"0f14d0ab-9605-4A62-a9e4-5ed26688389{n}",
                                          "name": "x"} for n in range(3)]))
        self.assertRegex(self.draft("t.json", "app.db", "t"),
                         r"(?m)^  remote_id: \{from: /id, type: uuid\}  # \"[^\"]+\"$")
        self.run_draft(3)
        self.assertEqual(self.query(self.top / "app.db", "SELECT remote_id FROM t WHERE id = 1"),
                         [("0f14d0ab96054a62a9e45ed266883890",)])

    def test_a_composite_unique_index_is_a_key(self):
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, site TEXT, code TEXT, name TEXT, "
                      "UNIQUE (site, code))")
        self.write("t.json", json.dumps([{"site": "s", "code": c, "name": c} for c in "ab"]))
        self.assertIn("match: [[site, code]]\n", self.draft("t.json", "app.db", "t"))
        self.run_draft(2)

    def test_no_unique_index_is_told(self):
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT, name TEXT)")
        self.write("t.json", json.dumps([{"code": c, "name": "x"} for c in "ab"]))
        self.assertIn("match: [code]  # no unique index: rowlock doctor has the line\n",
                      self.draft("t.json", "app.db", "t"))
        self.run_draft(2)

    def test_paths_are_seen_from_the_definitions_folder(self):
        self.database(TERM)
        self.write("t.json", json.dumps(PLAIN))
        (self.top / "sub").mkdir()
        self.run_rowlock("init", "-o", "sub/d.yaml", "t.json", "app.db", "term")
        self.run_rowlock("sync", "--dry-run", "sub/d.yaml", status=3)

    def test_another_journal_mode_is_no_matter_yet(self):
        self.database(TERM, journal_mode="delete")
        self.write("t.json", json.dumps(PLAIN))
        self.draft("t.json", "app.db", "term")

    def test_a_tree_gets_no_place_and_pages_are_refused(self):
        self.database("""CREATE TABLE tree (id INTEGER PRIMARY KEY, path TEXT UNIQUE NOT NULL, depth
            INTEGER NOT NULL, numchild INTEGER NOT NULL, code TEXT UNIQUE, name TEXT);
            CREATE TABLE wagtailcore_page (id INTEGER PRIMARY KEY, code TEXT UNIQUE)""")
        self.write("t.json", json.dumps([{"code": "a", "name": "A", "path": "/a", "depth": 1}]))
        text = self.draft("t.json", "app.db", "tree")
        self.assertNotRegex(text, "(?m)^  (path|depth|numchild):")
        self.run_rowlock("sync", "--dry-run", self.name, status=6)
        self.refused("t.json", "app.db", "wagtailcore_page", expected="Wagtail's pages")

    def test_tables_that_do_not_go_with_it(self):
        self.database(TERM)
        self.write("t.json", json.dumps([{"x": 1, "y": 2}]))
        self.refused("t.json", "app.db", "term", expected=(
            'no column of "term" is called like a member of the source', "Leave DATABASE and TABLE"))
        self.refused("t.json", "app.db", "terms", expected='no such table: "terms"')
        self.refused("t.json", "none.db", "term", expected=(
            'could not open database "none.db"', "Leave DATABASE and TABLE out"))
        self.refused("t.json", "app.db", status=2, expected="DATABASE needs a TABLE")


class Untrusted(InitTest):
    def test_nothing_breaks_out_of_a_comment_or_a_name(self):
        evil = ["a\nsync: evil", "b\r\nfields: {}", "c\u2028d: e", "e\u0085f", "g\u2029h", "\ufeff",
                "\x1b[31m", "# \x07", "'\"\\", "{{", "*x", "&y", "!z", "%TAG", "- ", ": ", "\x7f\x9b",
                "~1/0~", "\U0001f600", "x" * 5000]
        records = [{"id": n, "list": [value], "long" + value: 1, value: value + str(n)}
                   for n, value in enumerate(evil)] * 1
        for n, record in enumerate(records):
            record["same"] = evil[n]
        self.write("t.json", json.dumps(records))
        text = self.draft("t.json")
        self.assertNotRegex(text, "[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
        self.assertEqual(len(re.findall("(?m)^sync:", text)), 1)
        self.assertLess(max(map(len, text.splitlines())), 5200)
        self.run_draft(len(evil))

    def test_examples_are_short(self):
        self.write("t.json", json.dumps([{"id": 1, "text": "\u00e4" * 100000, "list": ["y" * 1000]}]))
        text = self.draft("t.json")
        self.assertIn('# "' + "\u00e4" * 40 + '..."\n', text)
        self.assertLess(len(text), 1000)

    def test_more_members_than_are_looked_at(self):
        self.write("t.json", json.dumps([{f"m{n}": n for n in range(1000)}]))
        text = self.draft("t.json")
        self.assertIn("#   and more: 300 were looked at\n", text)
        self.run_draft(1)

    def test_a_bad_record_does_not_stop_it(self):
        self.write("t.ndjson", '{"id": 1, "id": 2}\n{"id": 3}\n{"id": 4}\n')
        self.assertIn("after a look at 2 records", self.draft("t.ndjson"))


class Secrets(InitTest):
    def test_a_key_in_the_url_is_not_written(self):
        records = [{"id": n, "self": f"http://x/?id={n}&api_key=hush-hush"} for n in range(2)]
        asked = []

        def answer(handler):
            asked.append(handler.path)
            send(handler, json.dumps(records).encode(), Content_Type="application/json")

        url = self.serve(answer)
        text = self.draft(url + "/x?sort=id&api_key=hush-hush&page_size=5")
        self.assertNotIn("hush", text)
        self.assertIn("?sort=id&api_key=${API_KEY}&page_size=5", text)
        self.assertIn("  # the url's api_key is not written here: set API_KEY to it\n", text)
        self.assertIn("(not shown)", text)
        self.assertIn("the environment has no value for 'API_KEY'",
                      self.run_rowlock("sync", self.name, status=2).stderr)
        self.run_rowlock("sync", self.name, env=environment(API_KEY="hush-hush"))
        self.assertEqual(set(asked), {"/x?sort=id&api_key=hush-hush&page_size=5"})

    def test_a_reference_stays_one(self):
        url = self.serve_body([{"id": 1, "echo": "it is hush-hush"}])
        text = self.draft(url + "/x?a=${KEY}&b=1", env=environment(KEY="hush-hush"))
        self.assertNotIn("hush", text)
        self.assertIn("/x?a=${KEY}&b=1", text)

    def test_a_bearer_is_named(self):
        def answer(handler):
            good = handler.headers["Authorization"] == "Bearer hush-hush"
            send(handler, json.dumps([{"id": 1, "echo": handler.headers["Authorization"]}]).encode()
                 if good else b"no", 200 if good else 401, Content_Type="application/json")

        url = self.serve(answer)
        env = environment(TOKEN="hush-hush")
        text = self.draft("--bearer", "TOKEN", url, env=env)
        self.assertIn('  auth: {bearer: "${TOKEN}"}\n', text)
        self.assertNotIn("hush", text)
        self.run_draft(1, env=env)
        self.refused(url, expected="HTTP 401")
        self.refused("--bearer", "A B", url, status=2, expected="no name of a variable")

    def test_errors_do_not_tell_it(self):
        url = self.serve(lambda h: send(h, b"no", 500))
        done = self.refused(url + "/?token=hush-hush", status=5, expected="answered HTTP 500")
        self.assertNotIn("hush", done.stderr)
        done = self.refused("http://me:hush-hush@127.0.0.1/", expected="user or password")
        self.assertNotIn("hush", done.stderr)


class Wrong(InitTest):
    def test_a_server_that_is_away(self):
        self.refused("http://127.0.0.1:1/x", status=5, expected="could not fetch")

    def test_html(self):
        for body in (b"<!doctype html><p>hello", b"  \n<html>"):
            url = self.serve_body(body, Content_Type="text/html")
            self.refused(url, expected="the source answers HTML or XML, not records")

    def test_an_empty_list(self):
        for body in ([], {"items": []}):
            self.refused(self.serve_body(body), expected="the source has no records now")

    def test_two_lists(self):
        url = self.serve_body({"a": PLAIN, "b": {"c": PLAIN}, "d": PLAIN})
        self.refused(url, expected=("the body has several lists", "They are at /a, /b/c, /d.",
                                    "such as --records /a"))
        self.assertIn("  records: /b/c\n", self.draft("--records", "/b/c", url))

    def test_no_records_at_all(self):
        self.refused(self.serve_body({"a": 1}), expected="the body is not a list")
        self.write("t.ndjson", '{"a": 1, "a": 2}\n')
        self.refused("t.ndjson", expected="member 'a' is there twice")

    def test_records_that_nothing_tells_apart(self):
        self.write("t.json", json.dumps([{"a": 1}, {"a": 1}]))
        self.refused("t.json", expected=("nothing tells the records apart", "key of several"))

    def test_a_file_is_not_written_over(self):
        self.write("t.json", json.dumps(PLAIN))
        self.write("d.yaml", "mine")
        self.refused("-o", "d.yaml", "t.json", expected="'d.yaml' is there already")
        self.refused("-o", "no/d.yaml", "t.json", expected="could not write 'no/d.yaml'")
        self.assertEqual((self.top / "d.yaml").read_text(), "mine")

    def test_options(self):
        self.write("t.json", json.dumps(PLAIN))
        self.refused("--records", "items", "t.json", expected="a JSON pointer begins with '/'")
        self.refused("--format", "xml", "t.json", expected="'xml' is none of: json")
        self.refused("none.json", expected="could not open 'none.json'")
        self.refused(status=2, expected="URL is missing")


if __name__ == "__main__":
    unittest.main()
