# SPDX-License-Identifier: MIT
"""What the import benches import."""

DEFINITION = """\
sync: bench
target:
  database: sqlite:bench.db
  table: term
  create_table: true
source:
  url: terms.ndjson
pace: full
match: [remote_id, slug]
fields:
  remote_id: {from: /code, strip: true}
  slug:      {from: /code, slugify: true, mode: create_only}
  name:      /name
  kind:      {from: /type, default: null}
  parent:    /parent
"""
PHASES = {"create": "", "unchanged": "", "update": ", renamed"}


def term(i, suffix):
    return {"code": f"X-{i:07}", "name": f"Term number {i} of the benchmark{suffix}",
            "type": "Bench", "parent": f"X-{i // 10:07}"}


def write_lines(path, n, suffix):
    """About 120 bytes a record, as bench/loop.c knows them."""
    with open(path, "w", encoding="ascii") as lines:
        for i in range(n):
            lines.write('{"code": "%(code)s", "name": "%(name)s", "type": "%(type)s", '
                        '"parent": "%(parent)s"}\n' % term(i, suffix))
