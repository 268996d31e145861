#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Import records with `rowlock sync`, and beside it with the loop that a Django
project would write (Django's default settings for SQLite, one atomic block a
record, found by remote id and then by slug). Both on this disk, in one run.

Django's loop is measured on a sample of the records, in a table that holds all
of them when it updates.

    bench/import.py ROWLOCK [RECORDS [SAMPLE]]
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DEFINITION = """\
sync: bench
target:
  database: sqlite:bench.db
  table: term
  create_table: true
source:
  url: terms.json
  records: /terms
pace: full
match: [remote_id, slug]
fields:
  remote_id: {from: /code, strip: true}
  slug:      {from: /code, slugify: true, mode: create_only}
  name:      /name
  kind:      {from: /type, default: null}
"""


def terms(n, suffix=""):
    return [{"code": f"X-{i:06}", "name": f"Term number {i}{suffix}", "type": "Bench"}
            for i in range(n)]


class Rowlock:
    """Three runs of one definition over all records."""

    def __init__(self, program, folder, n):
        self.program, self.folder, self.n = program, Path(folder), n
        (self.folder / "bench.yaml").write_text(DEFINITION)

    def run(self, records):
        (self.folder / "terms.json").write_text(json.dumps({"terms": records}))
        begin = time.monotonic()
        subprocess.run([self.program, "sync", "bench.yaml"], cwd=self.folder, check=True,
                       stdout=subprocess.DEVNULL)
        return self.n / (time.monotonic() - begin)

    def measure(self):
        first, second = terms(self.n), terms(self.n, ", renamed")
        return {"create": self.run(first), "unchanged": self.run(first),
                "update": self.run(second)}


class Django:
    """The loop of a Django project, one record after the other."""

    def __init__(self, folder, n, sample):
        import django
        from django.conf import settings
        settings.configure(
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3",
                                   "NAME": os.path.join(folder, "django.db")}},
            DEFAULT_AUTO_FIELD="django.db.models.BigAutoField")
        django.setup()
        from django.db import connection, models, transaction

        class Term(models.Model):
            remote_id = models.TextField(unique=True, null=True)
            slug = models.TextField(unique=True)
            name = models.TextField()
            kind = models.TextField(null=True)

            class Meta:
                app_label = "bench"

        with connection.schema_editor() as editor:
            editor.create_model(Term)
        self.model, self.atomic = Term, transaction.atomic
        self.n, self.sample = n, sample

    def upsert(self, remote):
        """The case: find by remote id, then by slug; update, or create."""
        remote_id = remote["code"].strip() or None
        slug = re.sub(r"[^a-z0-9]+", "-", remote["code"].lower())
        with self.atomic():
            rows = self.model.objects.select_for_update()
            term = (rows.filter(remote_id=remote_id).first()
                    or rows.filter(slug=slug).first())
            if term is None:
                return self.model.objects.create(
                    remote_id=remote_id, slug=slug, name=remote["name"], kind=remote["type"])
            term.remote_id, term.name, term.kind = remote_id, remote["name"], remote["type"]
            term.save(update_fields=["remote_id", "name", "kind"])
            return term

    def run(self, records):
        begin = time.monotonic()
        for record in records:
            self.upsert(record)
        return len(records) / (time.monotonic() - begin)

    def fill(self):
        """The records behind the sample, quickly."""
        self.model.objects.bulk_create(
            self.model(remote_id=r["code"], slug=r["code"].lower(), name=r["name"], kind=r["type"])
            for r in terms(self.n)[self.sample:])

    def measure(self):
        create = self.run(terms(self.sample))
        self.fill()
        return {"create": create, "unchanged": self.run(terms(self.sample)),
                "update": self.run(terms(self.sample, ", renamed"))}


def main(program, n=100_000, sample=1_000):
    with tempfile.TemporaryDirectory(prefix="rowlock-bench-", dir="/var/tmp") as folder:
        ours = Rowlock(os.path.abspath(program), folder, int(n)).measure()
        theirs = Django(folder, int(n), int(sample)).measure()
    print(f"import of {int(n):,} records   rowlock sync       Django loop   ratio")
    for what, rate in ours.items():
        print(f"  {what:<22} {rate:>10,.0f}/s {theirs[what]:>14,.0f}/s "
              f"{rate / theirs[what]:>7.0f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
