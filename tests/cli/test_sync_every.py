# SPDX-License-Identifier: MIT
"""rowlock sync --every: again and again, until a signal ends it."""

import fcntl
import json
import os
import pty
import re
import signal
import subprocess
import termios
import unittest

from harness import LIMIT, PROGRAM, environment, json_lines
from test_sync import SyncTest

OFTEN, RARELY = "--every=300ms", "--every=1h"


class EveryTest(SyncTest):
    def setUp(self):
        super().setUp()
        self.definition = self.small([{"code": "a", "name": "one"}])

    def every(self, *options):
        return self.start_rowlock("sync", *options, "t.yaml")

    def put(self, name, *codes):
        """A new source, at once in place of the old one."""
        records = [{"code": code, "name": name} for code in codes or ("a",)]
        os.replace(self.write("new.json", json.dumps(records)), self.top / "t.json")

    def edit(self, old, new):
        text = self.definition.read_text()
        self.assertIn(old, text)
        self.write("new.yaml", text.replace(old, new))
        os.replace(self.top / "new.yaml", self.definition)

    def stop(self, program, status=143):
        program.signal(signal.SIGTERM)
        self.assertEqual(program.end(), status)

    def hold_first(self):
        """Somebody holds record 1, which the source would change."""
        self.sync(self.definition)
        self.put("two")
        self.definition.write_text(self.definition.read_text() + "locks: {wait: 1h, total: 1h}\n")
        return self.hold(1)


class Runs(EveryTest):
    def test_each_run_takes_what_is_new(self):
        program = self.every(OFTEN, "--json")
        program.wait_for_out('"created": 1')
        self.put("two")
        program.wait_for_out('"updated": 1')
        self.put("two", "a", "b")
        program.wait_for_out('"key": {"id": 2}')
        self.stop(program)

    def test_each_run_ends_with_its_last_line(self):
        program = self.every(OFTEN, "--json")
        program.wait_for_out('"unchanged": 1')
        self.stop(program)
        lines = json_lines(program.out)
        self.assertEqual(lines[0]["outcome"], "created")
        for line in lines[1:]:
            self.assertEqual((line["sync"], line["status"]), ("t", "done"))

    def test_a_run_that_fails_is_said_and_the_next_one_tried(self):
        os.rename(self.top / "t.json", self.top / "away.json")
        program = self.every(OFTEN, "--json")
        program.wait_for_out('"status": "failed"')
        program.wait_for_err("No such file")
        os.rename(self.top / "away.json", self.top / "t.json")
        program.wait_for_out('"created": 1')
        self.stop(program)

    def test_a_run_that_goes_on_is_not_overlapped(self):
        """It waits for a record, for many intervals; the next run finds nothing
        left to do."""
        holder = self.hold_first()
        program = self.every("--every=10ms", "--json")
        program.wait_for_err("waiting for t/1")
        self.assertEqual(program.out, "")
        holder.tell("")
        program.wait_for_out('"unchanged": 1')
        self.stop(program)
        outcomes = [(line["updated"], line["unchanged"]) for line in json_lines(program.out)
                    if "sync" in line]
        self.assertEqual(outcomes[0], (1, 0))
        self.assertEqual(set(outcomes[1:]), {(0, 1)})

    def test_another_run_under_way_is_said_and_tried_again(self):
        holder = self.hold_first()
        first = self.start_rowlock("sync", "t.yaml")
        first.wait_for_err("waiting for t/1")
        program = self.every(OFTEN, "--json")
        program.wait_for_err("another run of 't' is under way")
        holder.tell("")
        self.assertEqual(first.end(), 0)
        program.wait_for_out('"status": "done"')
        self.stop(program)

    def test_the_summary_says_when(self):
        program = self.every(RARELY)
        program.wait_for_out("rejected")
        self.stop(program)
        self.assertRegex(program.out, r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  t: 1 record in ")

    def test_a_failed_run_says_when_too(self):
        (self.top / "t.json").unlink()
        program = self.every(RARELY)
        program.wait_for_out("\n")
        self.stop(program)
        self.assertRegex(program.out, r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  t: failed after 0 records "
                                      r"in \d+\.\d\d s\n$")

    def test_the_journal_has_the_time_already(self):
        reading, writing = os.pipe()
        at = os.fstat(writing)
        sync = subprocess.Popen(
            [PROGRAM, "sync", RARELY, "t.yaml"], cwd=self.top, stdout=writing,
            env=environment(JOURNAL_STREAM=f"{at.st_dev}:{at.st_ino}"))
        self.addCleanup(sync.wait)
        self.addCleanup(sync.kill)
        os.close(writing)
        with open(reading, encoding="utf-8") as stream:
            self.assertRegex(stream.readline(), "^t: 1 record in ")
            sync.terminate()
            self.assertEqual(sync.wait(LIMIT), 143)

    def test_a_reader_that_is_gone_ends_it(self):
        for options in ([], ["--json"]):
            with self.subTest(options=options):
                sync = subprocess.Popen([PROGRAM, "sync", OFTEN, *options, "t.yaml"], text=True,
                                        cwd=self.top, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
                self.addCleanup(sync.kill)
                sync.stdout.readline()
                sync.stdout.close()
                self.assertIn("could not write the result: Broken pipe", sync.stderr.read())
                sync.stderr.close()
                self.assertEqual(sync.wait(LIMIT), 1)


class Signals(EveryTest):
    def test_between_runs_it_ends_at_once(self):
        for number, status in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
            with self.subTest(number=number):
                program = self.every(RARELY, "--json")
                program.wait_for_out('"status": "done"')
                program.signal(number)
                self.assertEqual(program.end(), status)
                self.assertEqual(program.err, "")

    def test_in_a_run_it_ends_after_the_batch(self):
        self.hold_first()
        self.put("two", "a", "b", "c")
        program = self.every(RARELY, "--json")
        program.wait_for_err("waiting for t/1")
        self.stop(program)
        self.assertEqual(self.query(self.top / "t.db", "SELECT code, name FROM t ORDER BY id"),
                         [("a", "one"), ("b", "two"), ("c", "two")])
        self.assertIn("interrupted; what is committed stays", program.err)

    def test_ctrl_c_in_a_run(self):
        self.hold_first()
        program = self.every(RARELY)
        program.wait_for_err("waiting for t/1")
        program.signal(signal.SIGINT)
        self.assertEqual(program.end(), 130)

    def test_sighup_reads_the_definition_anew(self):
        program = self.every(OFTEN, "--json")
        program.wait_for_out('"unchanged": 1')
        self.edit("name: /name", "name: {value: constant}")
        program.signal(signal.SIGHUP)
        program.wait_for_err("rowlock: sync: 't.yaml' is read anew\n")
        program.wait_for_out('"new": "constant"')
        self.stop(program)

    def test_sighup_between_runs_keeps_the_time(self):
        program = self.every(RARELY, "--json")
        program.wait_for_out('"created": 1')
        program.signal(signal.SIGHUP)
        program.wait_for_err("is read anew")
        self.stop(program)
        self.assertEqual(program.out.count('"status"'), 1)

    def test_stopped_and_continued_it_keeps_the_time(self):
        program = self.every(RARELY, "--json")
        program.wait_for_out('"created": 1')
        program.signal(signal.SIGSTOP)
        os.waitid(os.P_PID, program.pid, os.WSTOPPED | os.WNOWAIT)
        program.signal(signal.SIGCONT)
        program.signal(signal.SIGHUP)
        program.wait_for_err("is read anew")
        self.stop(program)
        self.assertEqual(program.out.count('"status"'), 1)

    def test_sighup_in_a_run_waits_for_its_end(self):
        holder = self.hold_first()
        program = self.every(RARELY, "--json")
        program.wait_for_err("waiting for t/1")
        program.signal(signal.SIGHUP)
        holder.tell("")
        program.wait_for_err("is read anew")
        program.wait_for_out('"updated": 1')
        self.stop(program)

    def test_a_definition_that_is_wrong_now_is_said_and_the_old_one_stays(self):
        program = self.every(OFTEN, "--json")
        program.wait_for_out('"created": 1')
        good = self.definition.read_text()
        self.edit("match:", "matsch:")
        program.signal(signal.SIGHUP)
        program.wait_for_err("t.yaml:4:1: unknown key 'matsch'")
        program.wait_for_err("rowlock: sync: the definition as it was stays in use\n")
        self.put("two")
        program.wait_for_out('"updated": 1')
        self.definition.write_text(good)
        program.signal(signal.SIGHUP)
        program.wait_for_err("is read anew")
        self.stop(program)

    def read_until(self, terminal, *texts):
        """What a terminal shows, until it has shown these, in order; a program
        that shows nothing is ended by the test's limit of time."""
        shown = ""
        while not re.search(".*".join(map(re.escape, texts)), shown, re.S):
            shown += os.read(terminal, 1000).decode()
        return shown

    def test_a_terminal_that_goes_away_ends_it(self):
        """SIGHUP comes from the terminal then, and nobody wants it to go on."""
        master, slave = pty.openpty()

        def take_terminal():
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        with open(self.top / "out", "wb") as out:
            sync = subprocess.Popen([PROGRAM, "sync", RARELY, "--json", "t.yaml"], cwd=self.top,
                                    stdin=slave, stdout=out, stderr=slave,
                                    env=environment(TERM="xterm"), preexec_fn=take_terminal)
        self.addCleanup(sync.wait)
        self.addCleanup(sync.kill)
        os.close(slave)
        self.read_until(master, "next run at")
        os.close(master)
        self.assertEqual(sync.wait(LIMIT), 129)

    def test_on_a_terminal_the_next_run_is_shown(self):
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        sync = subprocess.Popen([PROGRAM, "sync", RARELY, "t.yaml"], cwd=self.top,
                                stdout=subprocess.DEVNULL, stderr=slave,
                                env=environment(TERM="xterm"))
        self.addCleanup(sync.wait)
        self.addCleanup(sync.kill)
        os.close(slave)
        shown = self.read_until(master, "next run at", "\033[K")
        self.assertRegex(shown, r"\rnext run at \d\d:\d\d:\d\d\033\[K$")
        sync.terminate()
        self.assertEqual(sync.wait(LIMIT), 143)
        self.assertEqual(os.read(master, 1000).decode(), "\r\033[K")


class Usage(EveryTest):
    def test_wrong_intervals(self):
        for text in ("0s", "15", "often", "-1h"):
            with self.subTest(text=text):
                done = self.sync("t.yaml", "--every", text, status=2)
                self.assertIn(f'"{text}" (--every) is no interval', done.stderr)

    def test_not_with_dry_run(self):
        done = self.sync("t.yaml", "--every=1h", "--dry-run", status=2)
        self.assertIn("--every and --dry-run exclude each other", done.stderr)

    def test_a_wrong_definition_does_not_start(self):
        self.edit("match:", "matsch:")
        self.sync("t.yaml", RARELY, status=2)

    def test_environment_twin_and_the_line_beats_it(self):
        program = self.start_rowlock("sync", "--json", "t.yaml",
                                     env=environment(ROWLOCK_EVERY="300ms"))
        program.wait_for_out('"unchanged": 1')
        self.stop(program)
        self.sync("t.yaml", "--dry-run", env=environment(ROWLOCK_EVERY="1h"))


if __name__ == "__main__":
    unittest.main()
