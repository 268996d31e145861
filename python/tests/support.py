# SPDX-License-Identifier: MIT
"""What the tests of the package share: a database, sessions, and other processes that do what
they are told, statement by statement. Processes and waiting come from tests/cli/harness.py."""

import signal
import sys
import threading
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.append(str(TOP / "tests/cli"))
from harness import LIMIT, CliTest, Program  # noqa: E402

import rowlock  # noqa: E402

TABLES = """CREATE TABLE region (id INTEGER PRIMARY KEY, name TEXT, n INTEGER DEFAULT 0);
    INSERT INTO region (id, name) VALUES (1, 'a'), (2, 'b'), (7, 'c');"""

# What `make` in some shells ignores, children would ignore too.
signal.signal(signal.SIGINT, signal.default_int_handler)


class Peer:
    """Another process with a session `s` and a connection `db`. It does one statement of Python
    after the other, and answers each with its value, or the class of what it raised."""

    def __init__(self, test, path="app.db"):
        self.program = Program(sys.executable, "-B", Path(__file__).with_name("peer.py"), path,
                               cwd=test.top)
        test.addCleanup(self.program.kill)
        self.pid = self.program.pid
        self.n = 0
        self.answer()  # it is there

    def start(self, statement):
        """Tell it, and do not wait for the answer."""
        self.program.tell(statement)

    def answer(self):
        """The answer to the oldest statement that has had none."""
        self.program.wait_for_out(f"</{self.n}>")
        answer = self.program.out.split(f"<{self.n}>")[1].split(f"</{self.n}>")[0]
        self.n += 1
        return answer

    def do(self, statement):
        self.start(statement)
        return self.answer()


class PythonTest(CliTest):
    def setUp(self):
        super().setUp()
        self.path = self.database(TABLES)

    def session(self, **options):
        session = rowlock.open(self.path, **options)
        self.addCleanup(session.close)
        return session

    def peer(self):
        return Peer(self)

    def wait_until_pid_waits(self, pid, n=1):
        """Until a process waits for n locks."""
        with rowlock.open(self.path) as watcher:
            self.wait_until(lambda: sum(lock.waiting and lock.pid == pid
                                        for lock in watcher.list()) >= n,
                            f"process {pid} to wait for a lock")

    def in_thread(self, function):
        """Start function() in a thread; result() joins it, and answers or raises."""
        return Answering(self, function)

    def assert_free(self, table, key):
        with rowlock.open(self.path) as other:
            other.lock(table, key, wait=False)

    def assert_locked(self, table, key):
        with rowlock.open(self.path) as other:
            with self.assertRaises(rowlock.LockNotAvailable):
                other.lock(table, key, wait=False)


class Answering:
    def __init__(self, test, function):
        self.test, self.function = test, function
        self.value = self.error = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            self.value = self.function()
        except BaseException as error:
            self.error = error

    def result(self):
        self.thread.join(LIMIT)
        self.test.assertFalse(self.thread.is_alive(), "the thread does not end")
        if self.error:
            raise self.error
        return self.value
