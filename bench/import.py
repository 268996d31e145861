#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Import records with `rowlock sync` (pace: full), and beside it in one run, on
this disk, with

- a plain C loop: one prepared INSERT ... ON CONFLICT DO UPDATE, one transaction,
  no locks (bench/loop.c);
- `sqlite-utils upsert`;
- the loop that a Django project would write (Django's default settings for
  SQLite, one atomic block a record, found by remote id and then by slug).

All write the same table. The last two are measured on a sample of the records,
in a table that holds all of them when they update.

    bench/import.py ROWLOCK LOOP [RECORDS [SAMPLE]]
"""

import os
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from import_data import DEFINITION, PHASES, term, write_lines

def rate(n, *words, cwd):
    begin = time.monotonic()
    subprocess.run(words, cwd=cwd, check=True, stdout=subprocess.DEVNULL)
    return n / (time.monotonic() - begin)


class Programs:
    """rowlock sync, the C loop and sqlite-utils, each with a database of its own."""

    def __init__(self, rowlock, loop, folder, n, sample):
        self.rowlock, self.loop = rowlock, loop
        self.folder, self.n, self.sample = Path(folder), n, sample
        (self.folder / "bench.yaml").write_text(DEFINITION)

    def measure(self, suffix):
        lines, some = self.folder / "terms.ndjson", self.folder / "some.ndjson"
        write_lines(lines, self.n, suffix)
        write_lines(some, self.sample, suffix)
        return {"C loop": rate(self.n, self.loop, "loop.db", lines, cwd=self.folder),
                "rowlock sync": rate(self.n, self.rowlock, "sync", "bench.yaml",
                                     cwd=self.folder),
                "sqlite-utils": rate(self.sample, "sqlite-utils", "upsert", "utils.db", "term",
                                     some, "--nl", "--pk", "code", cwd=self.folder)}

    def check(self):
        """Both tables say the same, or a figure means nothing."""
        rows = [sqlite3.connect(self.folder / name).execute(
            "SELECT remote_id, lower(slug), name, kind, parent FROM term ORDER BY 1")
            for name in ("bench.db", "loop.db")]
        for ours, theirs in zip(*rows, strict=True):
            if ours != theirs:
                sys.exit(f"bench/import.py: {ours} is not {theirs}")


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
            parent = models.TextField(null=True)

            class Meta:
                app_label = "bench"

        with connection.schema_editor() as editor:
            editor.create_model(Term)
        self.model, self.atomic = Term, transaction.atomic
        self.n, self.sample, self.filled = n, sample, False

    def upsert(self, remote):
        """The case: find by remote id, then by slug; update, or create."""
        remote_id = remote["code"].strip() or None
        slug = re.sub(r"[^a-z0-9]+", "-", remote["code"].lower())
        fields = {"remote_id": remote_id, "name": remote["name"], "kind": remote["type"],
                  "parent": remote["parent"]}
        with self.atomic():
            rows = self.model.objects.select_for_update()
            found = (rows.filter(remote_id=remote_id).first()
                     or rows.filter(slug=slug).first())
            if found is None:
                return self.model.objects.create(slug=slug, **fields)
            for name, value in fields.items():
                setattr(found, name, value)
            found.save(update_fields=list(fields))
            return found

    def fill(self):
        """The records behind the sample, quickly."""
        self.model.objects.bulk_create(
            (self.model(remote_id=r["code"], slug=r["code"].lower(), name=r["name"],
                        kind=r["type"], parent=r["parent"])
             for r in (term(i, "") for i in range(self.sample, self.n))), batch_size=500)

    def measure(self, suffix):
        records = [term(i, suffix) for i in range(self.sample)]
        begin = time.monotonic()
        for record in records:
            self.upsert(record)
        took = time.monotonic() - begin
        if not self.filled:
            self.fill()
            self.filled = True
        return {"Django's loop": self.sample / took}


def start_ms(rowlock):
    """The median start of the program, in milliseconds."""
    def once():
        begin = time.monotonic()
        subprocess.run([rowlock, "version"], check=True, stdout=subprocess.DEVNULL)
        return (time.monotonic() - begin) * 1000
    return statistics.median(once() for _ in range(101))


def main(rowlock, loop, n=1_000_000, sample=1_000):
    rowlock, loop, n, sample = os.path.abspath(rowlock), os.path.abspath(loop), int(n), int(sample)
    print(f"start of the program: {start_ms(rowlock):.1f} ms")
    with tempfile.TemporaryDirectory(prefix="rowlock-bench-", dir="/var/tmp") as folder:
        programs = Programs(rowlock, loop, folder, n, sample)
        django = Django(folder, n, sample)
        for i, (phase, suffix) in enumerate(PHASES.items()):
            rates = {**programs.measure(suffix), **django.measure(suffix)}
            if i == 0:
                print(f"import of {n:,} records, records a second:")
                print("".join([" " * 11, *(f"{who:>16}" for who in rates), f"{'to the C loop':>16}"]))
            print("".join([f"  {phase:<9}", *(f"{r:>16,.0f}" for r in rates.values()),
                           f"{rates['rowlock sync'] / rates['C loop']:>16.2f}"]), flush=True)
        programs.check()


if __name__ == "__main__":
    main(*sys.argv[1:])
