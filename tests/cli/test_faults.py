# SPDX-License-Identifier: MIT
"""The n-th system call fails, for every n of a run of the program: it says so and
ends, or it did not matter; nothing is half-written, nothing stays locked, and
the next run is well. (Deaths at each call are in test_sync_kill.)"""

import json
import os
import subprocess
import unittest

from harness import LIMIT, PROGRAM, CliTest, environment

# What SQLite, the lock table and the sources are made of, and the loader.
FILES = ("openat", "newfstatat", "fcntl", "read", "pread64", "write", "pwrite64", "fdatasync",
         "fsync", "linkat", "unlink", "fchmod", "fchown", "fstatfs", "lseek", "readlink")
ROOM = ("openat", "write", "pwrite64", "fallocate", "ftruncate")
MEMORY = ("mmap", "mremap")
THREADS = ("clone3", "clone")
RECORDS = 600
MOST_CALLS = 4000
SANITIZED = os.environ.get("SANITIZE", "none") != "none"
STEP = 1 if int(os.environ.get("ROWLOCK_SOAK", 1)) > 1 else 3


class Faults(CliTest):
    def watched(self, calls, *words):
        """Run it to its end; how that was, and its calls, a line each."""
        log = self.top / "calls"
        log.unlink(missing_ok=True)
        # The leak checker stops a program that is watched in this way.
        env = environment(ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0")
        done = subprocess.run(
            ["strace", "-qq", "-f", "-o", log, "-e", f"trace={calls}", "-e", "signal=none", *words],
            cwd=self.top, env=env, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=LIMIT, check=False)
        self.assertTrue(log.exists(), done.stderr)
        return done, log.read_text().splitlines()

    def loaders(self, call):
        """How many such calls the loader makes, before the program begins."""
        _, lines = self.watched(f"{call},openat", PROGRAM, "sync", "begin.yml")
        begin = next(i for i, line in enumerate(lines) if "begin.yml" in line)
        return sum(f" {call}(" in line for line in lines[:begin])

    def run_failing(self, call, error, n, *words):
        """With its n-th such call failing; None: it had fewer."""
        done, lines = self.watched(call, "-e", f"inject={call}:error={error}:when={n}", PROGRAM,
                                   *map(str, words))
        self.said = f"call {n} of {call}: {done.returncode}\nout: {done.stdout}\n" \
                    f"err: {done.stderr}"
        return done if any("(INJECTED)" in line for line in lines) else None

    def check_end(self, call, done):
        """It ended by itself, and with a word if it was not well."""
        self.assertGreaterEqual(done.returncode, 0, self.said)
        self.assertLess(done.returncode, 128, self.said)
        if done.returncode and call != "write":  # which may have been the word itself
            self.assertNotEqual(done.stderr, "", self.said)

    def cure(self, call):
        """After a failure that may have lost commits nobody writes, until this."""
        found = self.run_rowlock("doctor", "app.db", status=None).stdout
        poisoned = "the database's disk has failed" in found
        if poisoned:
            self.assertIn(call, ("fdatasync", "fsync", "pwrite64"), self.said)
            self.run_rowlock("doctor", "--repair", "app.db")
        return poisoned

    def check_database(self):
        self.assertEqual(self.query(self.path, "PRAGMA integrity_check"), [("ok",)], self.said)
        locks = json.loads(self.run_rowlock("locks", "app.db", "--json").stdout)
        self.assertEqual(locks, [], self.said)

    def fail_each(self, calls, error, step, attempt):
        """Each of these calls of a run, one at a time."""
        noticed, tried, self.poisoned = 0, 0, 0
        for call in calls:
            for n in range(self.loaders(call) + 1, MOST_CALLS, step):
                done = attempt(call, error, n)
                if done is None:
                    break
                tried += 1
                noticed += done.returncode != 0
        self.assertLess(tried, MOST_CALLS)
        self.assertGreater(noticed, 0, f"{tried} failures, and none was noticed")

    # ---- one record ----

    def upsert(self, call, error, n):
        words = ("upsert", "app.db", "t", "--match", "slug", "slug=tea", f"n:={n}")
        before = self.query(self.path, "SELECT slug, n FROM t")
        done = self.run_failing(call, error, n, *words)
        if done is None:
            return None
        self.check_end(call, done)
        self.poisoned += self.cure(call)
        self.check_database()
        after = self.query(self.path, "SELECT slug, n FROM t")
        self.assertIn(after, ([("tea", n)],) if done.returncode == 0 else (before, [("tea", n)]),
                      self.said)
        self.assertIn(self.run_rowlock(*words).stdout, ("created 1\n", "updated 1\n",
                                                        "unchanged 1\n"))
        return done

    def prepare_upsert(self):
        self.path = self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, slug TEXT UNIQUE, "
                                  "n INTEGER)")

    def test_upsert_when_a_call_for_a_file_fails(self):
        self.prepare_upsert()
        self.fail_each(FILES, "EIO", 1, self.upsert)
        self.assertGreater(self.poisoned, 0)

    def test_upsert_when_the_disk_is_full(self):
        self.prepare_upsert()
        self.fail_each(ROOM, "ENOSPC", 1, self.upsert)

    @unittest.skipIf(SANITIZED, "the sanitizer's own memory")
    def test_upsert_when_a_call_for_memory_fails(self):
        self.prepare_upsert()
        self.fail_each(MEMORY, "ENOMEM", 1, self.upsert)

    # ---- an import ----

    def prepare_sync(self):
        self.path = self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT UNIQUE, "
                                  "name TEXT, copy TEXT)")
        self.write("d.yml", "sync: d\ntarget: {database: app.db, table: t}\n"
                            "source: {url: s.ndjson}\nmatch: [code]\n"
                            "fields: {code: /code, name: /name, copy: /name}\n")

    def sync(self, call, error, n):
        self.write("s.ndjson", "".join(json.dumps({"code": f"c{i}", "name": f"{n}.{i}"}) + "\n"
                                       for i in range(RECORDS)))
        done = self.run_failing(call, error, n, "sync", "d.yml", "--json")
        if done is None:
            return None
        self.check_end(call, done)
        self.poisoned += self.cure(call)
        self.check_database()
        self.assertEqual(self.query(self.path, "SELECT * FROM t WHERE name IS NOT copy"), [],
                         self.said)
        self.assertEqual(self.query(self.path, "SELECT code FROM t GROUP BY code "
                                               "HAVING count(*) > 1"), [], self.said)
        written = self.query(self.path, "SELECT count(*) FROM t WHERE name LIKE ?", f"{n}.%")
        if done.returncode == 0:
            self.assertEqual(written, [(RECORDS,)], self.said)
        self.run_rowlock("sync", "d.yml")
        self.assertEqual(self.query(self.path, "SELECT count(*) FROM t WHERE name LIKE ?",
                                    f"{n}.%"), [(RECORDS,)], self.said)
        return done

    def test_sync_when_a_call_for_a_file_fails(self):
        self.prepare_sync()
        self.fail_each(FILES, "EIO", STEP, self.sync)

    @unittest.skipIf(SANITIZED, "the sanitizer's own memory")
    def test_sync_when_a_call_for_memory_fails(self):
        self.prepare_sync()
        self.fail_each(MEMORY, "ENOMEM", STEP, self.sync)

    def test_sync_when_no_thread_can_be_made(self):
        self.prepare_sync()
        self.fail_each(THREADS, "EAGAIN", 1, self.sync)


if __name__ == "__main__":
    unittest.main()
