# SPDX-License-Identifier: MIT
"""rowlock sync into a table that Django made, in a project with Django's default
settings: what doctor says to type, what arrives as Django reads it, and what
becomes of an edit by Django, which takes no record locks on SQLite."""

import datetime
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import uuid
from decimal import Decimal
from pathlib import Path

from harness import LIMIT, PROGRAM, CliTest, Program, environment

MODELS = """
import uuid
from django.db import models

class Vendor(models.Model):
    name = models.CharField(max_length=80)

class Term(models.Model):
    remote_id = models.UUIDField(unique=True, null=True)
    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=200)
    live = models.BooleanField(default=True)
    rank = models.PositiveIntegerField(default=0)
    price = models.DecimalField(max_digits=12, decimal_places=3)
    weight = models.FloatField(null=True)
    published_at = models.DateTimeField(null=True)
    day = models.DateField(null=True)
    extra = models.JSONField(default=dict)
    vendor = models.ForeignKey(Vendor, null=True, on_delete=models.PROTECT)
    note = models.TextField()
    translation_key = models.UUIDField(default=uuid.uuid4, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
"""

DEFINITION = """\
sync: terms
target: {database: db.sqlite3, table: terms_term}
source: {url: terms.json}
match: [remote_id, slug]
locks: {wait: 30s}
fields:
  remote_id:       {from: /uuid, type: uuid}
  slug:            {from: /name, slugify: true, mode: create_only}
  name:            /name
  live:            /live
  rank:            /rank
  price:           /price
  weight:          /weight
  published_at:    /published
  day:             /day
  extra:           {from: /extra, type: json}
  vendor_id:       {value: 1, mode: create_only}
  note:            {value: "", mode: create_only}
  translation_key: {value: uuid, mode: create_only}
  created_at:      {value: now, mode: create_only}
  updated_at:      {value: now, on: change}
"""

# What the source knows nothing of.
UNKNOWN = ("  vendor_id:", "  note:", "  translation_key:", "  created_at:", "  updated_at:")

# Python's repr() of each value: it shows type and value.
READ = """
from terms.models import Term
from django.utils import timezone
for t in Term.objects.order_by("id"):
    assert timezone.is_aware(t.created_at) and timezone.is_aware(t.updated_at), t
    print([t.remote_id, t.slug, t.name, t.live, t.rank, t.price, t.weight,
           t.published_at and t.published_at.astimezone(timezone.utc).isoformat(),
           t.day, t.extra, t.vendor.name, t.note])
"""

NAMES = ("Café au lait", "Straße", "中文 name", "plain", "two  spaces", "O'Neill \"x\"", "\U0001f6a3 oar")


def remote(i):
    """Record i of the source."""
    return {"uuid": str(uuid.UUID(int=i * 0x1234567890abcdef)), "name": f"{NAMES[i % 7]} {i}",
            "live": i % 3 > 0, "rank": i, "price": f"{i}.{i % 1000:03}",
            "weight": None if i % 5 == 0 else i / 7,
            "published": None if i % 4 == 0 else
            f"2024-03-{1 + i % 28:02}T{i % 24:02}:30:15.{i:06}" + ("Z", "+02:00", "-05:30")[i % 3],
            "day": f"1999-12-{1 + i % 31:02}" if i % 2 else None,
            "extra": {"i": i, "list": [1, 2.5, None, True, "é"], "deep": {"a": {}}}}


def as_django_reads(i):
    from django.utils.text import slugify
    r = remote(i)
    published = r["published"] and datetime.datetime.fromisoformat(
        r["published"].replace("Z", "+00:00")).astimezone(datetime.timezone.utc).isoformat()
    return repr([uuid.UUID(r["uuid"]), slugify(r["name"]), r["name"], r["live"], i,
                 Decimal(r["price"]), r["weight"], published,
                 r["day"] and datetime.date.fromisoformat(r["day"]), r["extra"], "Acme", ""])


class Project(CliTest):
    """Each test has a copy of a project that was migrated once."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="rowlock-test-")
        cls.addClassCleanup(folder.cleanup)
        cls.made = Path(folder.name) / "project"
        cls.made.mkdir()
        cls.python(cls.made, "-m", "django", "startproject", "shop", ".")
        cls.python(cls.made, "manage.py", "startapp", "terms")
        (cls.made / "terms/models.py").write_text(MODELS)
        settings = cls.made / "shop/settings.py"
        settings.write_text(settings.read_text() + "\nINSTALLED_APPS += ['terms']\n")
        cls.python(cls.made, "manage.py", "makemigrations", "terms")
        cls.python(cls.made, "manage.py", "migrate")
        cls.python(cls.made, "manage.py", "shell", "-c",
                   "from terms.models import Vendor; Vendor.objects.create(name='Acme')")

    @staticmethod
    def python(folder, *words):
        done = subprocess.run([sys.executable, "-B", *words], cwd=folder, text=True, input="",
                              timeout=LIMIT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode:
            raise AssertionError(f"{words}: {done.stderr}")
        return done.stdout

    def setUp(self):
        super().setUp()
        self.top = self.top / "project"
        shutil.copytree(self.made, self.top)
        self.write("terms.yaml", DEFINITION)

    def django(self, script):
        return self.python(self.top, "manage.py", "shell", "-c", script)

    def start_django(self, script):
        program = Program(sys.executable, "-B", "manage.py", "shell", "-c", script, cwd=self.top)
        self.addCleanup(program.kill)
        return program

    def source(self, records):
        self.write("terms.json", json.dumps(records, ensure_ascii=False))

    def sync(self, status=0):
        done = self.run_rowlock("sync", "terms.yaml", "--json", status=status)
        last = json.loads(done.stdout.splitlines()[-1])
        return {name: last[name] for name in ("created", "updated", "unchanged", "rejected")
                if last[name]}

    def type_what_doctor_says(self):
        """Its one bad finding, and the command below it, typed as it stands."""
        out = self.run_rowlock("doctor", "db.sqlite3", status=1).stdout.splitlines()
        at, = [i for i, line in enumerate(out) if line.startswith("bad ")]
        self.assertIn("journal mode delete", out[at])
        command = next(line for line in out[at:] if "-> " in line).partition("-> ")[2]
        path = f"{os.path.dirname(PROGRAM)}:{os.environ['PATH']}"
        subprocess.run(["sh", "-c", command], check=True, timeout=LIMIT, cwd=self.top,
                       capture_output=True, env=environment(PATH=path))


class Django(Project):
    count = 1200

    def fill(self):
        self.type_what_doctor_says()
        self.source([remote(i) for i in range(self.count)])
        self.assertEqual(self.sync(), {"created": self.count})

    def test_refused_until_doctor_is_obeyed(self):
        self.source([remote(0)])
        done = self.run_rowlock("sync", "terms.yaml", status=1)
        self.assertIn("rowlock doctor --fix", done.stderr)
        self.assertEqual(self.query(self.top / "db.sqlite3", "SELECT * FROM terms_term"), [])
        self.type_what_doctor_says()
        self.run_rowlock("doctor", "db.sqlite3")
        self.assertEqual(self.sync(), {"created": 1})

    def test_doctor_names_the_columns_that_nobody_fills(self):
        """What it says to add to fields is added as it stands."""
        lines = DEFINITION.splitlines(keepends=True)
        lean = "".join(line for line in lines if not line.startswith(UNKNOWN))
        self.write("terms.yaml", lean)
        self.type_what_doctor_says()
        self.source([remote(i) for i in range(10)])
        self.assertEqual(self.sync(6), {"rejected": 10})
        out = self.run_rowlock("doctor", "terms.yaml", status=1).stdout
        said = re.search(r"(?m)^bad   no field fills .*\n(?:      .*\n)*?"
                         r"((?:      -> .*\n)(?:         .*\n)*)", out).group(1)
        self.write("terms.yaml", lean + said.replace("->", "  ").replace(" " * 9, "  "))
        self.run_rowlock("doctor", "terms.yaml")
        self.assertEqual(self.sync(), {"created": 10})
        read = self.django(READ.replace("t.vendor.name", "'Acme'")).splitlines()
        self.assertEqual(read, [as_django_reads(i) for i in range(10)])

    def test_django_reads_every_value_back(self):
        self.fill()
        read = self.django(READ).splitlines()
        self.assertEqual(read, [as_django_reads(i) for i in range(self.count)])

    def test_what_django_saves_again_is_unchanged(self):
        """Django writes times, decimals, UUIDs and JSON in its own way; equal is
        equal."""
        self.fill()
        self.assertEqual(self.sync(), {"unchanged": self.count})
        self.django("from terms.models import Term\nfor t in Term.objects.all(): t.save()")
        self.assertEqual(self.sync(), {"unchanged": self.count})

    def test_records_that_django_made_are_adopted(self):
        self.type_what_doctor_says()
        self.django("import uuid\nfrom terms.models import Term, Vendor\n"
                    "acme = Vendor.objects.get()\nfor i in range(3): Term.objects.create("
                    f"remote_id=(None, None, uuid.UUID({remote(2)['uuid']!r}))[i], "
                    "slug=f'plain-{3 + 7 * i}', name='by hand', price=1, vendor=acme)")
        self.source([remote(3), remote(10), {**remote(17), "uuid": remote(2)["uuid"]}])
        self.assertEqual(self.sync(), {"updated": 3})
        read = self.django(READ).splitlines()
        self.assertEqual(read[:2], [as_django_reads(3), as_django_reads(10)])

    def test_what_does_not_fit_is_rejected_and_django_can_read_the_rest(self):
        self.type_what_doctor_says()
        bad = [{"price": "1.2345x"}, {"rank": -1}, {"name": "x" * 201}, {"live": "yes"},
               {"uuid": "no"}, {"published": "yesterday"}, {"name": "x" * 100}, {"name": None}]
        self.source([{**remote(i), **(bad[i] if i < len(bad) else {})} for i in range(20)])
        self.assertEqual(self.sync(6), {"created": 12, "rejected": 8})
        read = self.django(READ).splitlines()
        self.assertEqual(read, [as_django_reads(i) for i in range(8, 20)])

    def test_a_parent_that_is_missing_rejects_its_record_alone(self):
        """Django's foreign keys are checked at the commit."""
        self.type_what_doctor_says()
        self.write("terms.yaml", DEFINITION.replace("{value: 1, mode: create_only}", "/vendor"))
        count = 1200
        for vendors, outcome, expected in (
                ((1, None, 99), {"created": 800, "rejected": 400}, [(None, 400), (1, 400)]),
                ((99, 1, 1), {"created": 400, "updated": 400, "rejected": 400}, [(1, 1200)])):
            self.source([{**remote(i), "vendor": vendors[i % 3]} for i in range(count)])
            self.assertEqual(self.sync(6), outcome)
            self.assertEqual(self.query(self.top / "db.sqlite3", "SELECT vendor_id, count(*) FROM "
                                        "terms_term GROUP BY 1 ORDER BY 1"), expected)
            line = json.loads(self.run_rowlock("sync", "terms.yaml", "--json", status=6)
                              .stdout.splitlines()[0])
            self.assertEqual((line["record"] - 1) % 3, vendors.index(99))
            self.assertEqual((line["sqlstate"], line["detail"]), (
                "23503", 'Key (vendor_id) is not present in table "terms_vendor".'))


class Beside(Project):
    """select_for_update() is silently dropped by Django on SQLite: its writes are
    those of a stranger. They are noticed under the record's lock."""

    count = 600
    names = "from terms.models import Term\nfrom django.db import transaction\n"

    def setUp(self):
        super().setUp()
        self.type_what_doctor_says()
        self.records = [{**remote(i), "note": ""} for i in range(self.count)]
        self.write("terms.yaml", DEFINITION.replace('{value: "", mode: create_only}',
                                                    "{from: /note, mode: fill}"))
        self.source(self.records)
        self.assertEqual(self.sync(), {"created": self.count})

    def meet(self, change):
        """Django changes record 3 (t) and holds SQLite's write lock until the
        sync waits for it; record 3 has a new name and a first note by then."""
        self.records[3].update(name="renamed", note="from the source")
        self.source(self.records)
        django = self.start_django(
            f"{self.names}with transaction.atomic():\n"
            f"    t = Term.objects.select_for_update().get(slug='plain-3')\n    {change}\n"
            "    print('held', flush=True)\n    input()")
        django.wait_for_out("held")
        sync = self.start_rowlock("sync", "--json", "terms.yaml")
        sync.wait_for_err("waiting for")
        django.tell("")
        self.assertEqual(django.end(), 0, django.err)
        self.assertEqual(sync.end(), 0, sync.err)
        last = json.loads(sync.out.splitlines()[-1])
        self.assertEqual(last["unchanged"], self.count - 1)
        return last, self.query(self.top / "db.sqlite3", "SELECT name, note, vendor_id, rank "
                                "FROM terms_term WHERE slug IN ('plain-3', 'renamed')")

    def test_an_edit_is_not_overwritten(self):
        last, rows = self.meet("t.note, t.vendor = 'by hand', None; t.save()")
        self.assertEqual((last["updated"], rows), (1, [("renamed", "by hand", None, 3)]))

    def test_a_field_that_the_source_rules_is_put_right(self):
        last, rows = self.meet("t.rank = 99; t.save()")
        self.assertEqual((last["updated"], rows), (1, [("renamed", "from the source", 1, 3)]))

    def test_a_record_that_is_gone_is_created_anew(self):
        last, rows = self.meet("t.delete()")
        self.assertEqual((last["created"], rows), (1, [("renamed", "from the source", 1, 3)]))

    def test_a_record_that_lost_its_keys_is_left_alone(self):
        last, rows = self.meet("t.remote_id, t.slug = None, 'mine'; t.save()")
        self.assertEqual((last["created"], rows), (1, [("renamed", "from the source", 1, 3)]))
        self.assertEqual(self.query(self.top / "db.sqlite3", "SELECT name, note FROM terms_term "
                                    "WHERE slug = 'mine'"), [("plain 3", "")])

    def test_neither_loses_a_change_in_a_run_of_both(self):
        for record in self.records:
            record["name"] += " (new)"
        self.source(self.records)
        django = self.start_django(f"{self.names}print('go', flush=True)\n"
                                   f"for t in list(Term.objects.order_by('-id')):\n"
                                   "    t.note = 'by hand'\n"
                                   "    t.save(update_fields=['note'])")
        django.wait_for_out("go")
        sync = self.start_rowlock("sync", "--json", "terms.yaml")
        self.assertEqual((django.end(), sync.end()), (0, 0), django.err + sync.err)
        self.assertEqual(json.loads(sync.out.splitlines()[-1])["updated"], self.count)
        self.assertEqual(self.query(self.top / "db.sqlite3", "SELECT count(*) FROM terms_term "
                                    "WHERE note = 'by hand' AND name LIKE '% (new)'"),
                         [(self.count,)])


if __name__ == "__main__":
    unittest.main()
