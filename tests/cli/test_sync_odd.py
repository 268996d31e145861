# SPDX-License-Identifier: MIT
"""rowlock sync where database, disk or table are not as one expects."""

import json
import resource
import threading
import unittest

from harness import send_in_two
from test_sync import SyncTest

TABLE = "CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT UNIQUE, name TEXT)"


class Files(SyncTest):
    RECORDS = [{"code": f"c{i}", "name": "n" * 50} for i in range(3000)]

    def check_complete(self, definition):
        self.sync(definition)
        self.assertEqual(self.query(self.top / "t.db", "SELECT count(*), count(DISTINCT code) "
                                                       "FROM t"), [(3000, 3000)])
        self.assertEqual(self.query(self.top / "t.db", "PRAGMA integrity_check"), [("ok",)])

    def test_a_file_that_may_not_grow_fails_the_run_and_says_so(self):
        for most in (0, 50_000, 200_000):
            with self.subTest(most):
                path = self.database(TABLE, "t.db")
                definition = self.small(self.RECORDS, target="{database: t.db, table: t}")
                done = self.sync(definition, status=1, preexec_fn=lambda: resource.setrlimit(
                    resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY)))
                self.assertRegex(done.stderr, "File too large|disk is full")
                self.check_complete(definition)
                for file in self.top.glob("t.db*"):
                    file.unlink()
                self.assertFalse(path.exists())

    def test_a_database_that_is_replaced_during_the_run_gets_no_more_of_it(self):
        path, rest = self.database(TABLE, "t.db"), threading.Event()
        body = "\n".join(map(json.dumps, self.RECORDS)).encode() + b"\n"
        address = self.serve(lambda request: send_in_two(
            request, body, body.index(b'{"code": "c1600"'), rest,
            Content_Type="application/x-ndjson"))
        definition = self.small("", target="{database: t.db, table: t}")
        definition.write_text(definition.read_text().replace("t.json", f"{address}/t.ndjson"))
        sync = self.start_rowlock("sync", definition)
        self.wait_until(lambda: self.query(path, "SELECT count(*) FROM t") == [(1500,)],
                        "three batches")
        path.rename(self.top / "old.db")
        rest.set()
        self.assertEqual(sync.end(), 1, sync.err)
        self.assertIn(f'rowlock: sync: database "{path}" was moved or replaced\n', sync.err)
        self.assertFalse(path.exists())


if __name__ == "__main__":
    unittest.main()
