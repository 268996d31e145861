# SPDX-License-Identifier: MIT
"""rowlock sync and a list in pages: every page, each once, or a failure."""

import json
import os
import unittest
from urllib.parse import parse_qs, urlsplit

from harness import CliTest, environment, send

os.environ["no_proxy"] = "*"  # servers are on loopback

SECRET = "hunter2-s3cret"
CODES = [f"c{n}" for n in range(7)]
BY_PAGE = "{by: page, param: page, start: 1, size_param: per_page, size: 3}"


def records(codes):
    return [{"code": code} for code in codes]


class Pages(CliTest):
    def define(self, url, pages, more=""):
        self.write("t.yaml", "sync: t\ntarget: {database: t.db, table: t, create_table: true}\n"
                   f"source: {{url: '{url}', retries: 0, pages: {pages}{more}}}\n"
                   "match: [code]\nfields: {code: /code}\n")

    def sync(self, status=0):
        for path in self.top.glob("t.db*"):
            path.unlink()
        done = self.run_rowlock("sync", "t.yaml", status=status, env=environment(TOKEN=SECRET))
        self.assertNotIn(SECRET, done.stdout + done.stderr)
        return done

    def arrives(self, codes=CODES):
        self.sync()
        self.assertEqual([row[0] for row in self.query(self.top / "t.db",
                                                       "SELECT code FROM t ORDER BY id")],
                         list(codes))

    def refused(self, *expected, status=1):
        done = self.sync(status)
        for text in expected:
            self.assertIn(text, done.stderr)

    def serve_bodies(self, bodies, **headers):
        """Answer each path and query by what bodies has: a value as JSON,
        bytes, or a status; the address and the list of what was asked."""
        asked = []

        def answer(handler):
            asked.append(handler.path)
            body = bodies[handler.path]
            if isinstance(body, int):
                return send(handler, b"no", status=body)
            body, extra = body if isinstance(body, tuple) else (body, {})
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
            send(handler, body, **{"Content_Type": "application/json", **headers, **extra})

        return self.serve(answer), asked


class Counted(Pages):
    def test_pages_end_with_an_empty_list_or_400_or_404(self):
        """A short page is not the end."""
        for end in ([], 400, 404):
            url, asked = self.serve_bodies({
                "/x?per_page=3&page=1": records(CODES[:3]), "/x?per_page=3&page=2":
                records(CODES[3:4]), "/x?per_page=3&page=3": records(CODES[4:]),
                "/x?per_page=3&page=4": end})
            self.define(url + "/x", BY_PAGE)
            self.arrives()
            self.assertEqual(len(asked), 4)

    def test_first_page_is_no_end_by_its_status(self):
        for status in (400, 404):
            url, _ = self.serve_bodies({"/x?per_page=3&page=1": status})
            self.define(url + "/x", BY_PAGE)
            self.refused(f"/x?per_page=3&page=1' answered HTTP {status}")

    def test_other_statuses_are_no_end(self):
        for status, code in ((401, 1), (403, 1), (410, 1), (500, 5), (503, 5)):
            url, _ = self.serve_bodies({"/x?page=0": records(CODES), "/x?page=1": status})
            self.define(url + "/x", "{by: page, param: page, start: 0}")
            self.refused(f"page=1' answered HTTP {status}", status=code)

    def test_empty_list_on_page_one(self):
        url, _ = self.serve_bodies({"/x?page=1": []})
        self.define(url + "/x", "{by: page, param: page}")
        self.arrives([])

    def test_query_of_the_url_stays(self):
        url, asked = self.serve_bodies({
            "/x?orderby=id&per_page=3&page=1": records(CODES),
            "/x?orderby=id&per_page=3&page=2": []})
        self.define(url + "/x?page=9&orderby=id&per_page=1#top", BY_PAGE)
        self.arrives()

    def test_parameter_that_is_passed_over_is_noticed(self):
        """Each page is the first: not a list without end."""
        url = self.serve(lambda handler: send(handler, json.dumps(records(CODES)).encode()))
        self.define(url + "/x", BY_PAGE)
        self.refused("page=2' holds the same records as a page before it")

    def test_offset_counts_what_came(self):
        """A limit that the server lowers leaves no gap."""
        def answer(handler):
            query = parse_qs(urlsplit(handler.path).query)
            self.assertEqual(query["limit"], ["50"])
            start = int(query["offset"][0])
            send(handler, json.dumps({"items": records(CODES[start:start + 2])}).encode())

        self.define(self.serve(answer) + "/x",
                    "{by: offset, param: offset, size_param: limit, size: 50}")
        self.arrives()

    def test_page_that_is_cut_fails(self):
        whole = json.dumps(records(CODES[3:])).encode()
        for cut in range(len(whole)):
            url, _ = self.serve_bodies({"/x?page=1": records(CODES[:3]), "/x?page=2": whole[:cut]})
            self.define(url + "/x", "{by: page, param: page}")
            self.refused("/x?page=2, line 1")

    def test_csv_in_pages(self):
        url, _ = self.serve_bodies({"/x?page=1": b"code\nc0\nc1\n", "/x?page=2": b"n,code\n1,c2\n",
                                    "/x?page=3": b"code\n"}, Content_Type="text/csv")
        self.define(url + "/x", "{by: page, param: page}")
        self.arrives(CODES[:3])


class Told(Pages):
    def test_link_header(self):
        """Relative, with commas in quotes and in the url, among others."""
        bodies = {
            "/a/x": (records(CODES[:3]), {"Link": '</>; title="a, <b>; rel=next"; rel=up, '
                                                  '<y?n=1,2>; foo; REL="last Next"'}),
            "/a/y?n=1,2": (records(CODES[3:5]), {"Link": "<?n=3>;rel=next"}),
            "/a/y?n=3": (records(CODES[5:]), {"Link": '</a/x>; rel="prev", </z>; rel="nextish", '
                                                      '</w>; rel=next; anchor="/other"'})}
        url, asked = self.serve_bodies(bodies)
        self.define(url + "/a/x", "{by: link}")
        self.arrives()
        self.assertEqual(asked, list(bodies))

    def test_link_header_that_cannot_be_read(self):
        for link in ("next", "<x", '<x>; rel="next', '<x>; title="a" rel=next',
                     "<" + "x" * 5000 + ">; rel=next"):
            url, _ = self.serve_bodies({"/x": (records(CODES), {"Link": link})})
            self.define(url + "/x", "{by: link}")
            self.refused("sent a Link header that cannot be read")

    def test_next_in_the_body(self):
        """Before the records or behind them, escaped; null, absent and "" are the end."""
        for end in ({"links": {"next": None}}, {"links": {"next": ""}}, {"links": {}}):
            url, asked = self.serve_bodies({
                "/x": {"links": {"next": "/x?p=2"}, "data": records(CODES[:3])},
                "/x?p=2": b'{"data": [{"code":"c3"}], "links": {"next": "?p=\\u0033\\/"}}',
                "/x?p=3/": {"data": records(CODES[4:]), **end}})
            self.define(url + "/x", "{by: next, at: /links/next}")
            self.arrives()
            self.assertEqual(len(asked), 3)

    def test_listing_of_one_page(self):
        """Where the next one would be is there: a list that is short today."""
        for at in ("/links/next", "/links/next/href", "/links/next/0/href", "/paging/next/after",
                   "/n/0", "/n/0/href"):
            for links in ({"self": "/x", "prev": None}, {"next": None, "nextt": "/y"}):
                url, _ = self.serve_bodies({"/x": {"links": links, "data": records(CODES),
                                                   "paging": None, "n": []}})
                self.define(url + "/x", f"{{by: next, at: {at}}}", ", records: /data")
                self.arrives()

    def test_pointer_that_is_mistyped_is_no_end(self):
        """Nothing there, nor what it could be in; or something much like it."""
        page = {"data": records(CODES), "links": {"next": {"href": "/y"}, "n": [{"next": "/y"}]},
                "next_page": "/y", "count": 7}
        for at, beside in (("/link/next/href", ""), ("/count/next", ""), ("/links/n/next", ""),
                           ("/next_page/href", ""), ("/links/nxt/href", "next"),
                           ("/links/next/herf", "href"), ("/nextPage", "next_page"),
                           ("/next", "next_page"), ("/next_page_url", "next_page")):
            url, asked = self.serve_bodies({"/x": page})
            for way in ("by: next", "by: cursor, param: after"):
                self.define(url + "/x", f"{{{way}, at: {at}}}")
                self.refused(f"/x' has nothing at '{at}'", "say absent: end",
                             f"In its place is '{beside}'" if beside else "nor what it would be in")
            self.define(url + "/x", f"{{by: next, at: {at}, absent: end}}")
            self.arrives()

    def test_pointer_into_the_records_that_were_found(self):
        url, _ = self.serve_bodies({"/x": {"items": records(CODES)}})
        for at in ("/items/0/next", "/items/next", "/items"):
            self.define(url + "/x", f"{{by: next, at: {at}}}")
            self.refused(f"'{at}' points into the records, which are at '/items'")

    def test_page_without_a_place_for_the_next_is_no_end(self):
        """On later pages too, unless it is said that it is."""
        url, _ = self.serve_bodies({"/x": {"data": records(CODES), "links": {"next": "/y"}},
                                    "/y": {"data": [], "message": "sorry"}})
        self.define(url + "/x", "{by: next, at: /links/next}", ", records: /data")
        self.refused("/y (page 2)' has nothing at '/links/next'")
        self.define(url + "/x", "{by: next, at: /links/next, absent: end}", ", records: /data")
        self.arrives()

    def test_pointer_that_was_right_once_is_right(self):
        """What looks like it on the last page is of no interest."""
        url, _ = self.serve_bodies({
            "/x": {"data": records(CODES[:3]), "next": "/y"},
            "/y": {"data": records(CODES[3:]), "next_update": "tomorrow"}})
        self.define(url + "/x", "{by: next, at: /next}")
        self.arrives()

    def test_list_in_the_way_to_the_next(self):
        url, _ = self.serve_bodies({
            "/x": {"data": records(CODES[:3]), "links": [["/y"]]},
            "/y": {"data": records(CODES[3:]), "links": [[]]}})
        self.define(url + "/x", "{by: next, at: /links/0/0}")
        self.arrives()

    def test_bad_record_does_not_hide_the_next_page(self):
        url, asked = self.serve_bodies({
            "/x": b'{"data": [{"code":"c0"}, {"code": nope}], "next": "/y"}',
            "/y": {"data": records(["c1"]), "next": None}})
        self.define(url + "/x", "{by: next, at: /next}")
        self.sync(6)
        self.assertEqual(asked, ["/x", "/y"])

    def test_next_that_is_no_url(self):
        for value in (True, ["/y"], {"href": "/y"}, "ftp://127.0.0.1/y", "http://u:p@127.0.0.1/",
                      "file:///etc/passwd", "a\0b", "http://", "x" * 9000):
            url, asked = self.serve_bodies({"/x": {"data": records(CODES), "next": value}})
            self.define(url + "/x", "{by: next, at: /next}")
            self.sync(1)
            self.assertEqual(asked, ["/x"])

    def test_loops(self):
        for there in ("/x", "/y"):
            url, asked = self.serve_bodies({
                "/x": {"data": records(CODES[:3]), "next": "/y"},
                "/y": {"data": records(CODES[3:]), "next": there + "#again"}})
            self.define(url + "/x", "{by: next, at: /next}")
            self.refused("was read already: the pages are a loop")
            self.assertEqual(asked, ["/x", "/y"])

    def test_missing_page_is_no_end(self):
        url, _ = self.serve_bodies({"/x": {"data": records(CODES), "next": "/y"}, "/y": 404})
        self.define(url + "/x", "{by: next, at: /next}")
        self.refused("/y (page 2)' answered HTTP 404")

    def test_next_on_another_origin_gets_no_secret(self):
        seen = []

        def far(handler):
            seen.append(handler.headers["Authorization"])
            send(handler, json.dumps({"data": records(CODES[3:5]),
                                      "next": f"{near_url}/z?key={SECRET}"}).encode())

        def near(handler):
            seen.append(handler.headers["Authorization"])
            if handler.path.startswith("/z"):
                return send(handler, json.dumps({"data": records(CODES[5:])}).encode())
            send(handler, json.dumps({"data": records(CODES[:3]), "next": far_url}).encode())

        far_url, near_url = self.serve(far), self.serve(near)
        self.define(near_url + "/x", "{by: next, at: /next}", ", auth: {bearer: '${TOKEN}'}")
        self.arrives()
        self.assertEqual(seen, [f"Bearer {SECRET}", None, f"Bearer {SECRET}"])

    def test_cursor(self):
        """A text or a number; it is escaped, and the first page needs none."""
        url, _ = self.serve_bodies({
            "/x?n=3": {"items": records(CODES[:3]), "meta": {"next": "a&b= %"}},
            "/x?n=3&after=a%26b%3D%20%25": {"meta": {"next": 17}, "items": records(CODES[3:5])},
            "/x?n=3&after=17": {"items": records(CODES[5:]), "meta": {"next": None}}})
        self.define(url + "/x?n=3", "{by: cursor, at: /meta/next, param: after}")
        self.arrives()

    def test_same_cursor_twice_is_a_loop(self):
        bodies = {"/x": {"items": records(CODES[:3]), "next": "a"},
                  "/x?after=a": {"items": records(CODES[3:]), "next": "a"}}
        url, _ = self.serve_bodies(bodies)
        self.define(url + "/x", "{by: cursor, at: /next, param: after}")
        self.refused("the pages are a loop")


class Definitions(Pages):
    def test_wrong_pages_are_refused(self):
        for pages, message in (("{by: links}", "'links' is none of: link, page, next"),
                               ("{}", "key 'by' is missing"),
                               ("{by: page}", "key 'param' is missing"),
                               ("{by: next}", "key 'at' is missing"),
                               ("{by: cursor, at: /a}", "key 'param' is missing"),
                               ("{by: link, param: p}", "this way has no use for 'param'"),
                               ("{by: next, at: /a, size: 3}", "this way has no use for 'size'"),
                               ("{by: page, param: p, size: 3}", "key 'size_param' is missing"),
                               ("{by: page, param: p, size: x, size_param: q}", "a number was"),
                               ("{by: page, param: p, size: 1, size_param: p}", "are one"),
                               ("{by: next, at: /d/0/next}", "must point beside the records"),
                               ("{by: link, absent: end}", "this way has no use for 'absent'"),
                               ("{by: next, at: /a, absent: ok}", "'ok' is none of: end"),
                               ("{by: link, total: /d}", "'total' must point beside the records"),
                               ("{by: link, total: 'X Total'}", "is no name of a header"),
                               ("{by: link, total: /a~2}", "t.yaml:3:"),
                               ("{by: link, totl: X-Total}", "did you mean 'total'?")):
            self.define("http://127.0.0.1:1/", pages, ", records: /d")
            self.assertIn(message, self.sync(2).stderr)

    def test_files_have_no_pages(self):
        self.write("t.yaml", "sync: t\ntarget: {database: t.db, table: t}\n"
                   "source: {url: t.json, pages: {by: link}}\nmatch: [code]\nfields: {code: /c}\n")
        self.assertIn("is for http:// and https:// only", self.sync(2).stderr)


if __name__ == "__main__":
    unittest.main()
