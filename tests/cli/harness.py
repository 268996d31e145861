# SPDX-License-Identifier: MIT
"""What the tests of the program share: a folder, a database, running rowlock,
following one that runs, and a web server on loopback.

$ROWLOCK is the built program. Nothing pauses: each wait is for an event, and
fails the test after LIMIT seconds.
"""

import codecs
import http.server
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

from engines import DB, ENGINE, LIMIT, SERVER, sqlites_own  # noqa: F401: for the tests

NOBODY = 65534
PROGRAM = os.environ.get("ROWLOCK", "rowlock")



def named(table, key):
    """How one who waits calls a record; a server does not tell which it is."""
    return table if SERVER else f"{table}/{key}"


# `nohup make test` ignores it, which programs inherit; what is caught they do not.
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)


def environment(**more):
    """This one, with more: for env=."""
    return {**os.environ, **more}


class Program:
    """A program that runs; what it writes is kept and can be waited for."""

    def __init__(self, *words, **options):
        self.process = subprocess.Popen(
            [str(word) for word in words], start_new_session=True, bufsize=0,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        self.pid = self.process.pid
        self.news = threading.Condition()
        self.out, self.err, self.open_streams = "", "", 2
        self.readers = [threading.Thread(target=self._read, args=pair, daemon=True) for pair in
                        (("out", self.process.stdout), ("err", self.process.stderr))]
        for reader in self.readers:
            reader.start()

    def _read(self, name, stream):
        decoder = codecs.getincrementaldecoder("utf-8")()
        while piece := stream.read(1 << 16):
            with self.news:
                setattr(self, name, getattr(self, name) + decoder.decode(piece))
                self.news.notify_all()
        with self.news:
            self.open_streams -= 1
            self.news.notify_all()

    def _wait_for(self, name, text):
        with self.news:
            self.news.wait_for(lambda: text in getattr(self, name) or not self.open_streams, LIMIT)
            if text not in getattr(self, name):
                raise AssertionError(f"no {text!r}; out: {self.out!r}, err: {self.err!r}")

    def wait_for_out(self, text):
        self._wait_for("out", text)

    def wait_for_err(self, text):
        self._wait_for("err", text)

    def tell(self, line):
        self.process.stdin.write((line + "\n").encode())

    def signal(self, number):
        self.process.send_signal(number)

    def end(self):
        """Close its input, wait for its end; its status (-n for a signal)."""
        if not self.process.stdin.closed:
            self.process.stdin.close()
        status = self.process.wait(LIMIT)
        for reader in self.readers:
            reader.join(LIMIT)
        return status

    def kill(self):
        """Kill it with -9, and every program that it started."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(LIMIT)
        for reader in self.readers:
            reader.join(LIMIT)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()


def finding(out, words):
    """Of what doctor printed: the finding with words, and the lines below it, as one."""
    lines = out.splitlines()
    [at] = [i for i, line in enumerate(lines) if words in line and line[0] != " "]
    end = at + 1
    while end < len(lines) and lines[end].startswith(" "):
        end += 1
    return " ".join(line.strip() for line in lines[at:end])


class CliTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="rowlock-test-")
        self.addCleanup(folder.cleanup)
        self.top = Path(folder.name)
        ENGINE.begin()

    def write(self, name, text):
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def database(self, sql, name="app.db", journal_mode="wal"):
        """A new database, made by sql; or more in one that is there."""
        return ENGINE.make(self.top, name, sql, journal_mode)

    def remove(self, url):
        """The database of that address, and what is beside it."""
        ENGINE.remove(self.top, url)

    def there_is(self, url):
        """Whether anything is in that database, or it is there at all."""
        return ENGINE.there_is(self.top, url)

    def tables(self, url):
        """The names of all that are there."""
        return ENGINE.tables(self.top, url)

    def query(self, url, sql, *values):
        """What a program that knows no record locks sees, or does."""
        return ENGINE.query(self.top, url, sql, values)

    def check_sound(self, url):
        """The database's file is sound, where it has one."""
        if not SERVER:
            self.assertEqual(self.query(url, "PRAGMA integrity_check"), [("ok",)])

    def check_free(self, url):
        """Nobody holds, or waits for, a lock of a record."""
        self.assertEqual(self.run_rowlock("locks", url, "--json").stdout, "[]\n")

    def run_rowlock(self, *words, status=0, **options):
        """Run to the end; the exit status must be the one given, if one is."""
        options.setdefault("cwd", self.top)
        options.setdefault("input", "")
        options.setdefault("timeout", LIMIT)
        done = subprocess.run([PROGRAM, *map(str, words)], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, **options)
        if status is not None:
            self.assertEqual(done.returncode, status, f"out: {done.stdout}\nerr: {done.stderr}")
        return done

    def start_rowlock(self, *words, **options):
        """Start it; killed with its children at the end of the test."""
        options.setdefault("cwd", self.top)
        program = Program(PROGRAM, *words, **options)
        self.addCleanup(program.kill)
        return program

    def wait_until(self, is_so, what):
        """For what tells nobody when it happens."""
        end = time.monotonic() + LIMIT
        while not is_so():
            if time.monotonic() > end:
                self.fail(f"waited {LIMIT} s for {what}")
            time.sleep(0.001)

    def wait_for_lock(self, program, database="app.db", **members):
        """Until the lock table shows a lock of the program with these members."""
        members["pid"] = program.pid

        def is_there():
            locks = json.loads(self.run_rowlock("locks", database, "--json").stdout)
            return any(members.items() <= lock.items() for lock in locks)
        self.wait_until(is_there, f"a lock with {members}; out: {program.out!r}, "
                                  f"err: {program.err!r}")

    def wait_until_it_waits(self, program, database=ENGINE.url("app.db")):
        if SERVER:
            self.wait_until(lambda: ENGINE.is_waited_for(database), "one who waits; out: "
                            f"{program.out!r}, err: {program.err!r}")
        else:
            self.wait_for_lock(program, database, state="waiting")

    def wait_until_left(self, url=DB):
        """Until a server has seen that runs have died, which ends what they hold."""
        if SERVER:
            self.wait_until(lambda: ENGINE.is_left(url), "the sessions of the dead to end")

    def known_by(self, program, url=DB, name="rowlock lock"):
        """The number of the program, alone of its name there, as others tell it."""
        return ENGINE.session(url, name) if SERVER else program.pid

    def unprivileged(self):
        """Options for run_rowlock() and start_rowlock() so that it does not run
        as root, which ignores read-only files and folders. The test's folder is
        given away with all that is in it now."""
        if os.geteuid() != 0:
            return {}
        program = shutil.copy(PROGRAM, self.top / "rowlock")
        for path in (self.top, *self.top.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        return {"executable": program, "user": NOBODY, "group": NOBODY, "extra_groups": []}

    def serve(self, answer):
        """Serve answer(request) on loopback, request being a
        BaseHTTPRequestHandler at a GET; the address, without a slash."""
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                answer(self)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        self.addCleanup(server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}"


MEASURE = """import os, subprocess, sys
done = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(done.pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)
"""


def measure(*words, **options):
    """Run it; its status, its peak of memory in KiB, and what it said. A small
    program starts it, since a child's peak begins with that of its parent;
    a sanitizer must not keep what is freed."""
    asan = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=0"
    options.setdefault("timeout", LIMIT)
    done = subprocess.run(["/usr/bin/python3", "-S", "-c", MEASURE, PROGRAM, *map(str, words)],
                          text=True, check=True, capture_output=True,
                          env=environment(ASAN_OPTIONS=asan), **options)
    status, peak = map(int, done.stdout.split())
    return status, peak, done.stderr


def json_lines(text):
    return [json.loads(line) for line in text.splitlines()]


def left(text):
    """Of the lines of a sync those of records that were not written."""
    return [line for line in json_lines(text)
            if line.get("outcome", "created") not in ("created", "updated")]


def send(request, body, status=200, **headers):
    """An answer for serve()."""
    send_head(request, body, status, **headers)
    request.wfile.write(body)


def send_in_two(request, body, at, rest, **headers):
    """The body up to a place, and what is behind it once rest is set."""
    send_head(request, body, 200, **headers)
    request.wfile.write(body[:at])
    request.wfile.flush()
    if rest.wait(LIMIT):
        request.wfile.write(body[at:])


def send_head(request, body, status, **headers):
    request.send_response(status)
    for name, value in {"Content_Length": str(len(body)), **headers}.items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()
