# SPDX-License-Identifier: MIT
"""Servers that behave as the sites behave whose listings are imported: answers
for the harness's serve(), over a list of terms that a test may change while it
is read.

A term is a dict: id, uuid, name, slug, description, parent (an id, or 0).
"""

import html
import itertools
import json
import uuid
from urllib.parse import parse_qsl, urlencode, urlsplit

from harness import send

KINDS = ("Arts & Crafts", "O'Reilly \"Books\"", "Caf\u00e9 <b>\u00dcber</b>", "Plain words", "A &amp; B")


def terms(n):
    """n terms, each with an earlier one or none as parent; of its own name."""
    made = []
    for i in range(1, n + 1):
        made.append({"id": 100 + i, "uuid": str(uuid.uuid5(uuid.NAMESPACE_OID, str(i))),
                     "name": f"{KINDS[i % len(KINDS)]} {i}", "slug": f"term-{i}",
                     "description": "" if i % 3 else f"About {i} & <i>more</i>",
                     "parent": 100 + i // 2 if i > 5 else 0})
    return made


class Site:
    """What they share: the request taken apart, and all that was asked."""
    kind = "application/json"

    def __init__(self, listing):
        self.terms = listing
        self.asked = []
        self.before = lambda site: None  # called with each request

    def __call__(self, request):
        url = urlsplit(request.path)
        self.asked.append(request.path)
        self.before(self)
        self.host = "http://" + request.headers["Host"]
        self.path = url.path
        status, body, headers = self.answer(dict(parse_qsl(url.query, keep_blank_values=True)))
        send(request, json.dumps(body).encode(), status=status, Content_Type=self.kind, **headers)

    def link(self, query):
        return f"{self.host}{self.path}?{urlencode(query)}"


class WordPress(Site):
    """wp/v2: per_page up to 100, escaped names, a count that is never the same,
    400 past the last page, and totals in headers."""
    kind = "application/json; charset=UTF-8"
    counter = itertools.count(1)

    def answer(self, query):
        page, size = int(query.get("page", 1)), int(query.get("per_page", 10))
        if not 1 <= size <= 100:
            return self.refuse("rest_invalid_param", "Invalid parameter(s): per_page")
        listing = self.sort(query.get("orderby", "name"), query.get("order", "asc") == "desc")
        pages = -(-len(listing) // size)
        if page > max(pages, 1):
            return self.refuse("rest_post_invalid_page_number",
                               "The page number requested is larger than the number of pages "
                               "available.")
        headers = {"X_WP_Total": str(len(listing)), "X_WP_TotalPages": str(pages)}
        links = [f'<{self.link({**query, "page": page + step})}>; rel="{rel}"'
                 for step, rel in ((-1, "prev"), (1, "next")) if 1 <= page + step <= pages]
        if links:
            headers["Link"] = ", ".join(links)
        return 200, [self.show(t) for t in listing[(page - 1) * size:page * size]], headers

    def sort(self, key, backwards):
        keys = {"id": lambda t: t["id"], "name": lambda t: t["name"],
                "count": lambda t: (self.count() * 7919) % 101}
        return sorted(self.terms, key=keys[key], reverse=backwards)

    def count(self):
        return next(self.counter)

    def show(self, term):
        shown = {"id": term["id"], "count": self.count(),
                 "description": html.escape(term["description"]).replace("&#x27;", "&#039;"),
                 "link": f"{self.host}/category/{term['slug']}/",
                 "name": html.escape(term["name"]).replace("&#x27;", "&#039;"),
                 "slug": term["slug"], "taxonomy": "post_tag" if self.is_flat() else "category",
                 "parent": term["parent"], "meta": [],
                 "_links": {"self": [{"href": f"{self.host}{self.path}/{term['id']}"}]}}
        if self.is_flat():
            del shown["parent"]
        return shown

    def is_flat(self):
        return self.path.endswith("/tags")

    @staticmethod
    def refuse(code, message):
        return 400, {"code": code, "message": message, "data": {"status": 400}}, {}


class Wagtail(Site):
    """API v2: limit up to 20, no parameter that it does not know, parent only
    when it is asked for."""
    known = {"limit", "offset", "fields", "order", "search", "type", "child_of"}

    def answer(self, query):
        for name in query:
            if name not in self.known:
                return self.refuse("query parameter is not an operation or a recognised field: "
                                   + name)
        start, size = int(query.get("offset", 0)), int(query.get("limit", 20))
        if size > 20:
            return self.refuse("limit cannot be higher than 20")
        if query.get("order", "id") not in ("id", "-id"):
            return self.refuse(f"cannot order by '{query['order']}' (unknown field)")
        listing = sorted(self.terms, key=lambda t: t["id"], reverse=query.get("order") == "-id")
        fields = query.get("fields", "").split(",")
        items = [self.show(t, "parent" in fields) for t in listing[start:start + size]]
        return 200, {"meta": {"total_count": len(listing)}, "items": items}, {}

    def show(self, term, parent):
        shown = {"id": term["id"],
                 "meta": {"type": "topics.TopicPage", "slug": term["slug"],
                          "detail_url": f"{self.host}{self.path}{term['id']}/",
                          "html_url": f"{self.host}/{term['slug']}/",
                          "first_published_at": "2024-05-01T08:00:00Z"},
                 "title": term["name"]}
        if parent:
            shown["meta"]["parent"] = {"id": term["parent"], "title": "X"} if term["parent"] \
                else None
        return shown

    @staticmethod
    def refuse(message):
        return 400, {"message": message}, {}


class Drupal(Site):
    """JSON:API: uuids, limits over 50 lowered without a word, parents in a list
    with the root as "virtual", a next url while there is one."""
    kind = "application/vnd.api+json"
    sorts = {"id": lambda t: t["uuid"], "drupal_internal__tid": lambda t: t["id"],
             "name": lambda t: t["name"]}

    def answer(self, query):
        start = int(query.get("page[offset]", 0))
        size = min(int(query.get("page[limit]", 50)), 50)
        if query.get("sort", "id") not in self.sorts:
            return 400, {"errors": [{"title": "Bad Request", "status": "400",
                                     "detail": "Invalid nested filtering."}]}, {}
        listing = sorted(self.terms, key=self.sorts[query.get("sort", "drupal_internal__tid")])
        links = {"self": {"href": self.link(query)}}
        if start + size < len(listing):
            links["next"] = {"href": self.link({**query, "page[offset]": start + size,
                                                "page[limit]": size})}
        return 200, {"jsonapi": {"version": "1.0", "meta": {"links": {}}},
                     "data": [self.show(t) for t in listing[start:start + size]],
                     "links": links}, {}

    def show(self, term):
        kind = "taxonomy_term--" + self.path.rsplit("/", 1)[1]
        parents = {t["id"]: t["uuid"] for t in self.terms}
        text = {"value": term["description"], "format": "basic_html", "processed": "..."}
        return {"type": kind, "id": term["uuid"],
                "links": {"self": {"href": f"{self.host}{self.path}/{term['uuid']}"}},
                "attributes": {"drupal_internal__tid": term["id"], "name": term["name"],
                               "weight": term["id"] % 7, "changed": "2024-05-01T08:00:00+00:00",
                               "status": True, "description": text if term["description"] else None,
                               "path": {"alias": "/" + term["slug"], "pid": term["id"],
                                        "langcode": "en"}},
                "relationships": {"parent": {
                    "data": [{"type": kind, "id": parents.get(term["parent"], "virtual")}],
                    "links": {"self": {"href": "..."}}}}}
