# SPDX-License-Identifier: MIT
"""rowlock sync and the total that a listing in pages tells: what came is all of
it only if that many came, and the list stayed as it was."""

import os
import unittest

from test_sync_pages import CODES, Pages, records

os.environ["no_proxy"] = "*"  # servers are on loopback

BY_PAGE = "{by: page, param: page, total: %s}"
BY_OFFSET = "{by: offset, param: offset, total: %s}"


def told(n, codes):
    """A page's list, and a header."""
    return records(codes), {"X_WP_Total": str(n)}


class Reached(Pages):
    def test_header(self):
        """In any case; a page that does not tell it says nothing else."""
        for end in (400, 404, [], told(7, [])):
            url, _ = self.serve_bodies({"/x?page=1": told(7, CODES[:3]), "/x?page=2": records(
                CODES[3:]), "/x?page=3": end})
            self.define(url + "/x", BY_PAGE % "x-wp-Total")
            self.arrives()

    def test_pointer(self):
        """Before the records or behind them; a number, or a text that is one."""
        url, _ = self.serve_bodies({
            "/x?offset=0": {"meta": {"total_count": 7}, "items": records(CODES[:3])},
            "/x?offset=3": {"items": records(CODES[3:]), "meta": {"n": {}, "total_count": "7"}},
            "/x?offset=7": {"items": [], "meta": {"total_count": 7}}})
        self.define(url + "/x", BY_OFFSET % "/meta/total_count")
        self.arrives()

    def test_next_and_total_in_one_body(self):
        for at in ("/meta/next", "/next"):
            url, _ = self.serve_bodies({
                "/x": {"meta": {"next": "/y", "total": 7}, "next": "/y", "d": records(CODES[:3])},
                "/y": {"d": records(CODES[3:]), "meta": {"total": 7}}})
            self.define(url + "/x", f"{{by: next, at: {at}, total: /meta/total}}")
            self.arrives()

    def test_cursor_with_a_total(self):
        url, _ = self.serve_bodies({
            "/x": {"total": 7, "d": records(CODES[:3]), "next": "a"},
            "/x?after=a": {"next": None, "d": records(CODES[3:]), "total": 7}})
        self.define(url + "/x", "{by: cursor, param: after, at: /next, total: /total}")
        self.arrives()

    def test_link_with_a_total(self):
        url, _ = self.serve_bodies({
            "/x": (records(CODES[:3]), {"X_WP_Total": "7", "Link": "</y>; rel=next"}),
            "/y": told(7, CODES[3:])})
        self.define(url + "/x", "{by: link, total: X-WP-Total}")
        self.arrives()

    def test_table_with_a_total(self):
        url, _ = self.serve_bodies({"/x?page=1": (b"code\nc0\nc1\n", {"X_WP_Total": "2"}),
                                    "/x?page=2": b"code\n"}, Content_Type="text/csv")
        self.define(url + "/x", BY_PAGE % "X-WP-Total")
        self.arrives(CODES[:2])
        self.define(url + "/x", BY_PAGE % "/total")
        self.refused("is read as csv, which has no place for a next page or a total")

    def test_empty_list(self):
        url, _ = self.serve_bodies({"/x?page=1": told(0, [])})
        self.define(url + "/x", BY_PAGE % "X-WP-Total")
        self.arrives([])

    def test_rejected_records_count(self):
        url, _ = self.serve_bodies({"/x?page=1": (b'[{"code": nope}, {"code": "a"}]',
                                                  {"X_WP_Total": "2"}), "/x?page=2": []})
        self.define(url + "/x", BY_PAGE % "X-WP-Total")
        self.refused("record 1", status=6)

    def test_two_records_that_are_equal_on_one_page(self):
        url, _ = self.serve_bodies({"/x?page=1": told(3, ["a", "b", "a"]), "/x?page=2": []})
        self.define(url + "/x", BY_PAGE % "X-WP-Total")
        self.arrives(["a", "b"])


class NotReached(Pages):
    def test_short_listing_is_not_taken_for_a_complete_one(self):
        for end in (400, []):
            url, _ = self.serve_bodies({"/x?page=1": told(8, CODES), "/x?page=2": end})
            self.define(url + "/x", BY_PAGE % "X-WP-Total")
            self.refused("/x' gave 7 records, but tells a total of 8 at 'X-WP-Total'",
                         "The listing is not whole")

    def test_no_records_are_not_taken_for_an_empty_list(self):
        url, _ = self.serve_bodies({"/x": {"total": 7, "d": [], "next": None}})
        self.define(url + "/x", "{by: next, at: /next, total: /total}")
        self.refused("gave 0 records, but tells a total of 7")

    def test_more_than_told(self):
        """A failure where pages are counted; else nothing is missing."""
        url, _ = self.serve_bodies({"/x?page=1": told(6, CODES), "/x?page=2": []})
        self.define(url + "/x", BY_PAGE % "X-WP-Total")
        self.refused("gave 7 records, but tells a total of 6")
        url, _ = self.serve_bodies({"/x": told(6, CODES)})
        self.define(url + "/x", "{by: link, total: X-WP-Total}")
        self.arrives()

    def test_total_that_is_never_told(self):
        url, _ = self.serve_bodies({"/x?page=1": {"d": records(CODES), "total": None, "n": {}}})
        for total in ("X-WP-Total", "/total", "/n/total", "/meta/total"):
            self.define(url + "/x", BY_PAGE % total)
            self.refused(f"/x?page=1' tells no total at '{total}'")

    def test_total_that_is_no_number(self):
        for total in ("7, 7", "seven", "-7", "7.0", "0x7", "7 of 9", "9" * 16, "9" * 99, "", "7\u00b2"):
            url, _ = self.serve_bodies({"/x?page=1": (records(CODES), {"X_WP_Total": total})})
            self.define(url + "/x", BY_PAGE % "X-WP-Total")
            self.refused("tells no number at 'X-WP-Total'")
        for total, message in ((7.5, "tells no number at '/total'"), (-7, "tells no number"),
                               ("7 ", "tells no number"), ([7], "has a list at '/total'"),
                               ({"value": 7}, "has an object at '/total'"), (True, "true"),
                               ("7\0", "has a text with a NUL at"), ("7" * 9000, "too long")):
            url, _ = self.serve_bodies({"/x?page=1": {"total": total, "d": records(CODES)}})
            self.define(url + "/x", BY_PAGE % "/total")
            self.refused(message)

    def test_total_that_is_told_twice(self):
        url, _ = self.serve_bodies({"/x?page=1": b'{"total": 7, "d": [{"code": "a"}], "total": 1}'})
        self.define(url + "/x", BY_PAGE % "/total")
        self.refused("has two values at '/total'")
        url, _ = self.serve_bodies({"/x?page=1": (records(CODES), {"X_WP_Total": "7",
                                                                   "x_wp_total": "1"})})
        self.define(url + "/x", BY_PAGE % "X-WP-Total")
        self.refused("tells no number")


class Changed(Pages):
    """Rows that shift while the pages are read: try again later."""

    def test_total_that_changes_between_pages(self):
        for last in (told(8, CODES[3:]), told(6, CODES[4:])):
            url, _ = self.serve_bodies({"/x?page=1": told(7, CODES[:3]), "/x?page=2": last})
            self.define(url + "/x", BY_PAGE % "X-WP-Total")
            self.refused("the list changed while it was read", "/x?page=2' tells a total of",
                         "and 7 before", "Try again later", status=5)

    def test_total_that_changes_on_the_page_past_the_end(self):
        url, _ = self.serve_bodies({
            "/x?offset=0": {"meta": {"total": 7}, "items": records(CODES)},
            "/x?offset=7": {"meta": {"total": 6}, "items": []}})
        self.define(url + "/x", BY_OFFSET % "/meta/total")
        self.refused("the list changed while it was read", status=5)

    def test_record_on_two_pages(self):
        """One came and one went: the total is as it was, and one is missing."""
        url, _ = self.serve_bodies({"/x?page=1": told(7, CODES[:3]), "/x?page=2": told(
            7, CODES[2:6]), "/x?page=3": 400})
        self.define(url + "/x", BY_PAGE % "X-WP-Total")
        self.refused("the list changed while it was read: 1 record of '", "came on two pages",
                     status=5)

    def test_total_of_what_is_not_counted_may_change(self):
        """The next page is told: nothing shifts, and the last total counts."""
        url, _ = self.serve_bodies({"/x": {"d": records(CODES[:3]), "next": "/y", "n": 6},
                                    "/y": {"d": records(CODES[2:]), "next": None, "n": 7}})
        self.define(url + "/x", "{by: next, at: /next, total: /n}")
        self.arrives()

    def test_without_a_total_a_record_may_come_twice(self):
        url, _ = self.serve_bodies({"/x?page=1": records(CODES[:3]), "/x?page=2": records(
            CODES[2:]), "/x?page=3": []})
        self.define(url + "/x", "{by: page, param: page}")
        self.arrives()


if __name__ == "__main__":
    unittest.main()
