# SPDX-License-Identifier: MIT
"""rowlock sync and a taxonomy of a few hundred terms from WordPress, Wagtail and
Drupal, with the definitions that docs/definition.md shows."""

import html
import json
import os
import re
import unicodedata
import unittest
from html.entities import name2codepoint
from pathlib import Path

from harness import CliTest
from sites import Drupal, Wagtail, WordPress, terms

os.environ["no_proxy"] = "*"  # servers are on loopback

DOCS = Path(__file__).parents[2] / "docs" / "definition.md"
MANY = 345  # more than three pages of each


class SiteTest(CliTest):
    site, table, kind = None, None, "INTEGER"

    def setUp(self):
        super().setUp()
        if not self.site:
            self.skipTest("what the sites share")
        self.server = self.site(terms(MANY))
        self.url = self.serve(self.server)
        self.database(f"CREATE TABLE {self.table} (id INTEGER PRIMARY KEY, remote_id {self.kind} "
                      "UNIQUE, slug TEXT UNIQUE, name TEXT NOT NULL, description TEXT, "
                      f"weight INTEGER, parent_id_remote {self.kind})", "site.db")

    def define(self, old="", new=""):
        """The documented definition for this table's site; old replaced."""
        blocks = re.findall(r"```yaml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.S)
        block = next(b for b in blocks if f"table: {self.table}}}" in b)
        self.assertIn(old, block)
        block = block.replace(old, new, 1) if old else block
        self.assertIn("https://example.org/", block)
        self.write("t.yaml", block.replace("https://example.org", self.url))

    def sync(self, status=0):
        """One run; its last line."""
        done = self.run_rowlock("sync", "--json", "t.yaml", status=status)
        return json.loads(done.stdout.splitlines()[-1])

    def failed(self, *expected, status=1):
        self.server.asked.clear()
        error = self.sync(status)["error"]
        for text in expected:
            self.assertIn(text, " ".join(map(str, error.values())))

    def rows(self, what):
        return self.query(self.top / "site.db", f"SELECT {what} FROM {self.table} ORDER BY remote_id")

    def check_all(self, what, expected):
        """Every term arrives as expected(term); a second run changes nothing."""
        self.assertEqual(self.sync()["created"], len(self.server.terms))
        rows = sorted((expected(t) for t in self.server.terms), key=lambda row: row[0])
        self.assertEqual(self.rows(what), rows)
        last = self.sync()
        self.assertEqual((last["unchanged"], last["records"]), (MANY, MANY))
        self.assertEqual(self.rows(what), rows)

    def change_while_it_is_read(self, request, change):
        def before(site):
            if len(site.asked) == request:
                change(site)
        self.server.before = before


class FromWordPress(SiteTest):
    site, table = WordPress, "category"

    def test_taxonomy(self):
        self.define()
        self.check_all("remote_id, slug, name, description, parent_id_remote",
                       lambda t: (t["id"], t["slug"], t["name"], t["description"], t["parent"]))
        self.assertEqual(self.server.asked[:5], [
            f"/wp-json/wp/v2/categories?orderby=id&order=asc&per_page=100&page={n}"
            for n in (1, 2, 3, 4, 5)])

    def test_tags_have_no_parent(self):
        self.define("v2/categories", "v2/tags")
        self.check_all("remote_id, slug, name, parent_id_remote",
                       lambda t: (t["id"], t["slug"], t["name"], 0))

    def test_page_of_more_than_100_is_refused(self):
        self.define("v2/categories", "v2/categories?per_page=101")
        self.failed("per_page=101", "answered HTTP 400", "rest_invalid_param")
        self.define("v2/categories", "v2/categories?per_page=99")
        self.sync()

    def test_last_page_that_is_full(self):
        """The page past the end is asked for, and answers 400."""
        self.server.terms = terms(200)
        self.define()
        self.sync()
        self.assertEqual(len(self.server.asked), 3)

    def test_no_terms(self):
        self.server.terms = []
        self.define()
        self.assertEqual(self.sync()["records"], 0)

    def test_links_lead_through_it_too(self):
        self.define("preset: wordpress", "preset: wordpress\n  pages: {by: link, total: x-wp-total}")
        self.assertEqual(self.sync()["created"], MANY)
        self.assertEqual(self.server.asked[-1],
                         "/wp-json/wp/v2/categories?orderby=id&order=asc&page=35")

    def test_term_that_is_added_while_it_is_read(self):
        self.define()
        self.change_while_it_is_read(3, lambda site: site.terms.append(
            {**terms(1)[0], "id": 1, "slug": "new"}))
        self.failed("the list changed while it was read", "a total of 346, and 345 before",
                    "Try again later", status=5)
        self.assertEqual(self.sync()["records"], MANY + 1)

    def test_term_that_goes_while_it_is_read(self):
        self.define()
        self.change_while_it_is_read(2, lambda site: site.terms.pop(0))
        self.failed("a total of 344, and 345 before", status=5)

    def test_one_comes_and_one_goes_while_it_is_read(self):
        """The total stays, rows shift: one term is on two pages, one on none."""
        def change(site):
            site.terms[:] = [{**terms(1)[0], "id": 1, "slug": "new"}] + site.terms[:-1]

        self.define()
        self.server.count = lambda: 0
        self.change_while_it_is_read(2, change)
        self.failed("1 record of '", "came on two pages", status=5)

    def test_names_as_they_are_escaped(self):
        """Without unescape they come as they were sent."""
        self.define("name:        {from: /name, unescape: html}", "name: /name")
        self.sync()
        self.assertIn(("Arts &amp; Crafts 5",), self.rows("name"))
        self.assertIn(("O&#039;Reilly &quot;Books&quot; 1",), self.rows("name"))
        self.assertIn(("A &amp;amp; B 4",), self.rows("name"))

    def test_slugs_of_names(self):
        self.define("{from: /slug, mode: create_only}",
                    "{from: /name, unescape: html, slugify: true}")
        self.sync()
        self.assertEqual([slug for slug, in self.rows("slug")][:5],
                         ["oreilly-books-1", "cafe-buberb-2", "plain-words-3", "a-amp-b-4",
                          "arts-crafts-5"])


class References(CliTest):
    def unescaped(self, texts):
        """What they are in the table."""
        self.write("t.json", json.dumps([{"n": n, "text": t} for n, t in enumerate(texts)]))
        self.write("t.yaml", "sync: t\ntarget: {database: t.db, table: t, create_table: true}\n"
                   "source: {url: t.json}\nmatch: [n]\nfields: {n: {from: /n, type: integer}, "
                   "text: {from: /text, unescape: html}}\n")
        self.run_rowlock("sync", "t.yaml")
        return [text for text, in self.query(self.top / "t.db", "SELECT text FROM t ORDER BY n")]

    def test_names_are_those_of_python(self):
        """All of Latin-1 and of what is written in texts; mathematics stays."""
        names = {**name2codepoint, "apos": ord("'")}
        texts = [f"a&{name};b" for name in names]
        known = set()
        for name, text, got in zip(names, texts, self.unescaped(texts)):
            if got != text:
                self.assertEqual(got, html.unescape(text))
                known.add(name)
        needed = {name for name, code in names.items() if code < 0x391 or 0x2000 < code < 0x2123}
        self.assertEqual(needed - known - {"oline", "frasl", "image", "weierp", "real"}, set())
        self.assertNotIn("alpha", known)

    def test_numbers_are_those_of_python(self):
        """But for characters that no text should hold."""
        numbers = [*range(0, 0x180), 0x2019, 0xD7FF, 0xE000, 0xFFFD, 0x10000, 0x1F600, 0x10FFFD]
        for form in ("&#{};", "&#x{:x};", "&#X{:X};"):
            texts = [form.format(n) for n in numbers]
            for number, text, got in zip(numbers, texts, self.unescaped(texts)):
                plain = html.unescape(text)
                wrong = unicodedata.category(plain[0]) == "Cc" and plain not in "\t\n\r" \
                    if plain else True
                self.assertEqual(got, text if wrong or number == 0 else plain)


class FromWagtail(SiteTest):
    site, table = Wagtail, "topic"

    def test_pages_of_a_site(self):
        self.define()
        self.check_all("remote_id, slug, name, parent_id_remote",
                       lambda t: (t["id"], t["slug"], t["name"], t["parent"] or None))
        start = "/api/v2/pages/?type=topics.TopicPage&fields=parent&order=id&limit=20&offset="
        self.assertEqual(self.server.asked[:2], [start + "0", start + "20"])
        self.assertEqual(self.server.asked[18], start + str(MANY))

    def test_parent_is_there_only_when_asked_for(self):
        self.define("&fields=parent", "")
        self.sync()
        self.assertEqual({parent for parent, in self.rows("parent_id_remote")}, {None})

    def test_unknown_parameter_is_refused(self):
        self.define("&fields=parent", "&fields=parent&page=1")
        self.failed("answered HTTP 400", "not an operation or a recognised field: page")

    def test_limit_over_20_is_refused(self):
        self.define("&fields=parent", "&fields=parent&limit=21")
        self.failed("limit=21", "answered HTTP 400", "limit cannot be higher than 20")
        self.define("&fields=parent", "&fields=parent&limit=7")
        self.sync()
        self.assertEqual(len(self.server.asked), 2 + MANY // 7 + 1)

    def test_page_that_is_added_while_it_is_read(self):
        self.define()
        self.change_while_it_is_read(5, lambda site: site.terms.append({**terms(1)[0], "id": 1}))
        self.failed("the list changed while it was read", status=5)

    def test_other_order(self):
        self.define("&fields=parent", "&fields=parent&order=-id")
        self.sync()
        self.assertNotIn("order=id", self.server.asked[0])


class FromDrupal(SiteTest):
    site, table, kind = Drupal, "keyword", "TEXT"

    def slugs(self):
        """As the definition makes them, by the rule of Django's slugify()."""
        plain = {"\u00e9": "e", "\u00dc": "U"}
        for term in self.server.terms:
            name = "".join(plain.get(c, c) for c in term["name"]).lower()
            term["made"] = re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", name)).strip("-_")

    def test_vocabulary(self):
        self.define()
        self.slugs()
        uuids = {t["id"]: t["uuid"] for t in self.server.terms}
        self.check_all("remote_id, name, slug, description, weight, parent_id_remote", lambda t: (
            t["uuid"], t["name"], t["made"], t["description"] or None, t["id"] % 7,
            uuids.get(t["parent"], "virtual")))
        self.assertEqual(self.server.asked[0],
                         "/jsonapi/taxonomy_term/keywords?page%5Blimit%5D=50&sort=id")
        self.assertEqual(len(self.server.asked), 14)

    def test_limit_that_is_lowered_leaves_no_gap(self):
        self.define("taxonomy_term/keywords", "taxonomy_term/keywords?page[limit]=500")
        self.assertEqual(self.sync()["created"], MANY)
        self.assertEqual(len(self.server.asked), 7)

    def test_vocabulary_of_one_page(self):
        """links has no next."""
        self.server.terms = terms(50)
        self.define()
        self.assertEqual(self.sync()["created"], 50)
        self.assertEqual(len(self.server.asked), 1)

    def test_pointer_that_is_mistyped(self):
        for at, said in (("/link/next/href", "nor what it would be in"),
                         ("/links/nexd/href", "In its place is 'next'"),
                         ("/links/next/hrefs", "In its place is 'href'"),
                         ("/links/next", "has an object at")):
            self.define("preset: drupal", f"preset: drupal\n  pages: {{by: next, at: {at}}}")
            self.failed(at, said)

    def test_description_that_goes(self):
        self.define()
        self.sync()
        for term in self.server.terms:
            term["description"] = ""
        self.assertEqual(self.sync()["updated"], MANY // 3)
        self.assertEqual({d for d, in self.rows("description")}, {None})

    def test_sort_that_it_does_not_know(self):
        self.define("taxonomy_term/keywords", "taxonomy_term/keywords?sort=nope")
        self.failed("answered HTTP 400", "Invalid nested filtering")


if __name__ == "__main__":
    unittest.main()
