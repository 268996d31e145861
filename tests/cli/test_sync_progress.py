# SPDX-License-Identifier: MIT
"""rowlock sync: what it shows while it works, and how it ends."""

import fcntl
import json
import os
import pty
import re
import struct
import termios
import threading
import unittest

from harness import LIMIT, PROGRAM, Program, environment, json_lines, send
from test_sync import SyncTest


class Screen:
    """What a terminal shows that knows \\r, \\n and "clear to the end of line",
    and nothing else. A line that needs more than the width is a fault."""

    def __init__(self, columns):
        self.columns, self.lines, self.at = columns, [""], 0

    def feed(self, text):
        for part in re.findall(r"\033\[K|.|\n", text, re.S):
            line = self.lines[-1]
            if part == "\033[K":
                self.lines[-1] = line[:self.at]
            elif part == "\r":
                self.at = 0
            elif part == "\n":
                self.lines.append("")
                self.at = 0
            elif part == "\033":
                raise AssertionError(f"an unknown sequence in {text!r}")
            else:
                self.lines[-1] = line[:self.at] + part + line[self.at + 1:]
                self.at += 1
                if self.at >= self.columns:
                    raise AssertionError(f"wider than {self.columns}: {self.lines[-1]!r}")


class Terminal:
    """A program whose stderr is a terminal."""

    def __init__(self, test, *words, columns=80, **more):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.screen, self.shown, self.seen = Screen(columns), "", threading.Condition()
        self.program = Program("/bin/sh", "-c", f'exec "$@" 2>&{slave}', "sh", PROGRAM, *words,
                               cwd=test.top, pass_fds=[slave],
                               env=environment(**{"TERM": "xterm", **more}))
        os.close(slave)
        self.fault = None
        self.thread = threading.Thread(target=self._read)
        self.thread.start()
        test.addCleanup(os.close, self.master)
        test.addCleanup(self.thread.join)
        test.addCleanup(self.program.kill)

    def _read(self):
        while True:
            try:
                piece = os.read(self.master, 65536).decode()
            except OSError:  # the last writer is gone
                piece = ""
            with self.seen:
                self.shown += piece
                try:
                    self.screen.feed(piece)
                except AssertionError as fault:
                    self.fault = self.fault or fault
                self.seen.notify_all()
            if not piece:
                return

    def wait_for(self, text):
        with self.seen:
            if not self.seen.wait_for(lambda: text in self.shown, LIMIT):
                raise AssertionError(f"no {text!r} in {self.shown[-1000:]!r}")

    def end(self):
        status = self.program.end()
        self.thread.join(LIMIT)
        if self.fault:
            raise self.fault
        return status


class Progress(SyncTest):
    def pages(self, gate=None):
        """A source of three pages of 1,000; the last waits for the gate."""
        def answer(request):
            page = int(request.path.split("=")[-1])
            if gate and page == 3:
                gate.wait(LIMIT)
            records = [{"code": f"c{page}-{i}", "name": "x"} for i in range(1000)]
            send(request, json.dumps(records if page < 4 else []).encode())
        return self.define(f"{self.serve(answer)}/a.json", ", pages: {by: page, param: page}")

    def define(self, url, more=""):
        return self.write("t.yaml", "sync: t\ntarget: {database: t.db, table: t, create_table: "
                          f"true}}\nsource: {{url: '{url}'{more}}}\nmatch: [code]\n"
                          "fields: {code: /code, name: /name}\n")

    def test_counts_and_pages_are_shown_and_nothing_is_left(self):
        for columns in (80, 40):
            with self.subTest(columns=columns):
                gate = threading.Event()
                terminal = Terminal(self, "sync", self.pages(gate), columns=columns)
                terminal.wait_for("2,000 records")
                terminal.wait_for("2 pages")
                gate.set()
                self.assertEqual(terminal.end(), 0)
                self.assertEqual(terminal.screen.lines, [""])
                self.assertIn(", 4 pages)\n", terminal.program.out)
                (self.top / "t.db").unlink()

    def test_a_narrow_terminal_is_never_wrapped(self):
        gate = threading.Event()
        terminal = Terminal(self, "sync", self.pages(gate), columns=12)
        terminal.wait_for("2,000 re...")
        gate.set()
        self.assertEqual(terminal.end(), 0)
        self.assertEqual(terminal.screen.lines, [""])

    def test_a_held_record_and_its_holder(self):
        definition = self.small([{"code": "a", "name": "one"}])
        self.sync(definition)
        self.small([{"code": "a", "name": "two"}])
        holder = self.hold(1)
        terminal = Terminal(self, "sync", definition)
        terminal.wait_for(f"waiting for t/1: locked by pid {holder.pid} (rowlock lock)")
        holder.tell("")
        self.assertEqual(terminal.end(), 0)
        self.assertEqual(terminal.screen.lines, [""])

    def away(self, *headers):
        """A server that is unwell until the gate is open."""
        gate = threading.Event()

        def answer(request):
            if gate.is_set():
                send(request, b'[{"code": "a"}]')
            else:
                send(request, b"no", status=503, **dict(headers))
        return gate, self.define(f"{self.serve(answer)}/a.json")

    def test_a_source_that_is_asked_again_later(self):
        _, definition = self.away(("Retry_After", "600"))
        terminal = Terminal(self, "sync", definition, columns=60)
        terminal.wait_for("asking again in 10 min: answered HTTP 503")
        terminal.program.signal(2)
        self.assertEqual(terminal.end(), 130)
        self.assertEqual(terminal.screen.lines,
                         ["rowlock: sync: interrupted; what is committed stays", ""])

    def test_without_a_terminal_a_wait_is_said_once(self):
        _, definition = self.away(("Retry_After", "600"))
        sync = self.start_rowlock("sync", definition)
        sync.wait_for_err("answered HTTP 503\n")
        sync.signal(2)
        self.assertEqual(sync.end(), 130)
        self.assertRegex(sync.err, r"^rowlock: asking the source again in \d+ min: 'http://\S+' "
                                   r"answered HTTP 503\nrowlock: sync: interrupted")

    def test_a_dumb_terminal_gets_lines(self):
        _, definition = self.away(("Retry_After", "600"))
        terminal = Terminal(self, "sync", definition, columns=200, TERM="dumb")
        terminal.wait_for("rowlock: asking the source again in ")
        terminal.program.signal(2)
        self.assertEqual(terminal.end(), 130)
        self.assertNotIn("\033", terminal.shown)

    def test_lines_of_records_and_progress_do_not_mix(self):
        definition = self.small("[" + ",".join(["7"] * 1000) + "]")
        terminal = Terminal(self, "sync", definition, columns=120)
        self.assertEqual(terminal.end(), 6)
        self.assertEqual(len(terminal.screen.lines), 22)
        for line in terminal.screen.lines[:20]:
            self.assertRegex(line, r"^rowlock: ! record \d+ \(line 1, byte \d+\) rejected: ")


class Summary(SyncTest):
    def test_pages_are_counted(self):
        definition = Progress.pages(self)
        self.assertEqual(json_lines(self.sync(definition, "--json").stdout)[-1]["pages"], 4)

    define = Progress.define

    def test_says_what_is_left_and_what_to_do(self):
        definition = self.small([{"code": "a", "name": "x"}, 7, {"code": "a", "name": "y"}])
        done = self.sync(definition, status=4)
        self.assertEqual(done.stdout.splitlines()[1:], [
            "  + created    1", "  * updated    0", "  = unchanged  0", "  ^ conflicts  1",
            "  ~ deferred   0", "  ! rejected   1", "what is left (exit status 4):",
            "  ^ mend the records, or see on_disagree in docs/definition.md",
            "  ! mend them at the source, or how the definition reads them",
            f"  each of them: rowlock sync --json {definition}"])

    def test_deferred_ones_say_where_to_look(self):
        definition = self.small([{"code": "a", "name": "one"}])
        self.sync(definition)
        self.small([{"code": "a", "name": "two"}])
        definition.write_text(definition.read_text() + "locks: {wait: 0s}\n")
        self.hold(1)
        done = self.sync(definition, status=5)
        self.assertIn("  ~ the next run writes them; who holds them: rowlock locks "
                      f"{self.top}/t.db\n", done.stdout)


if __name__ == "__main__":
    unittest.main()
