# SPDX-License-Identifier: MIT
"""Threads, signals, forks, and the end of the interpreter."""

import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
import unittest

import rowlock
from rowlock import Mode
from support import LIMIT, PythonTest


class Threads(PythonTest):
    def test_others_run_while_one_waits(self):
        """The waiter in C keeps nobody from running: it is the other thread that frees it."""
        a, b = self.session(), self.session()
        a.lock("region", 1)
        waiting = self.in_thread(lambda: b.lock("region", 1))
        self.wait_until(lambda: any(lock.waiting for lock in a.list()), "a waiter")
        a.release_to(0)
        self.assertTrue(waiting.result())

    def test_a_second_thread_on_one_session_is_refused(self):
        a, b = self.session(), self.session()
        a.lock("region", 1)
        waiting = self.in_thread(lambda: b.lock("region", 1))
        self.wait_until(lambda: any(lock.waiting for lock in a.list()), "a waiter")
        for call in (lambda: b.lock("region", 2), lambda: b.held("region", 1), b.mark, b.list,
                     b.check, b.close, lambda: b.release_to(0), b.counters, b.ticket):
            with self.assertRaisesRegex(rowlock.Misuse, "in use"):
                call()
        a.release_to(0)
        self.assertTrue(waiting.result())
        self.assertEqual(b.held("region", 1), Mode.UPDATE)

    def test_cancel_from_another_thread_ends_the_wait(self):
        a, b = self.session(), self.session()
        a.lock("region", 1)
        waiting = self.in_thread(lambda: b.lock("region", 1))
        self.wait_until(lambda: any(lock.waiting for lock in a.list()), "a waiter")
        b.cancel()
        with self.assertRaises(rowlock.Cancelled) as caught:
            waiting.result()
        self.assertEqual(caught.exception.sqlstate, "57014")
        self.assertTrue(b.lock("region", 2, wait=False))

    def test_cancel_beside_close_does_no_harm(self):
        sessions, done = [self.session()], threading.Event()

        def cancel():
            while not done.is_set():
                sessions[-1].cancel()

        cancelling = [self.in_thread(cancel) for _ in range(2)]
        for _ in range(3000):
            sessions.append(rowlock.open(self.path))
            sessions[-1].close()
        done.set()
        for thread in cancelling:
            thread.result()

    def test_many_threads_with_a_session_each_count_right(self):
        counter = [0]

        def count():
            with rowlock.open(self.path) as s:
                for _ in range(100):
                    with s.lock("region", 1):
                        seen = counter[0]
                        s.held("region", 1)  # lets others run
                        counter[0] = seen + 1

        for thread in [self.in_thread(count) for _ in range(8)]:
            thread.result()
        self.assertEqual(counter[0], 800)


class Signals(PythonTest):
    def interrupt_a_waiter(self, peer, number=signal.SIGINT):
        self.wait_until_pid_waits(peer.pid)
        peer.program.signal(number)

    def test_ctrl_c_ends_a_wait(self):
        s, peer = self.session(), self.peer()
        s.lock("region", 1)
        peer.start("s.lock('region', 1)")
        self.interrupt_a_waiter(peer)
        self.assertEqual(peer.answer(), "KeyboardInterrupt: ")
        self.assertFalse([lock for lock in s.list() if lock.waiting])
        self.assertIn("Lock object", peer.do("s.lock('region', 2)"))

    def test_ctrl_c_ends_a_wait_with_a_limit_too(self):
        s, peer = self.session(), self.peer()
        s.lock_writer()
        peer.start(f"s.lock_writer(wait={LIMIT * 10})")
        self.interrupt_a_waiter(peer)
        self.assertEqual(peer.answer(), "KeyboardInterrupt: ")

    def test_a_handler_runs_while_its_process_waits_and_the_wait_goes_on(self):
        s, peer, second = self.session(), self.peer(), self.peer()
        peer.do("import signal")
        peer.do("signal.signal(signal.SIGUSR1, lambda *_: print('handled', flush=True))")
        s.lock("region", 1)
        peer.start("s.lock('region', 1)")
        self.wait_until_pid_waits(peer.pid)
        second.start("s.lock('region', 1)")
        self.wait_until_pid_waits(second.pid)
        self.interrupt_a_waiter(peer, signal.SIGUSR1)
        peer.program.wait_for_out("handled")
        s.release_to(0)
        self.assertIn("Lock object", peer.answer())  # it kept its place
        peer.do("s.close()")
        self.assertIn("Lock object", second.answer())

    def test_a_handler_may_cancel(self):
        s, peer = self.session(), self.peer()
        peer.do("import signal")
        peer.do("signal.signal(signal.SIGUSR1, lambda *_: s.cancel())")
        s.lock("region", 1)
        peer.start("s.lock('region', 1)")
        self.interrupt_a_waiter(peer, signal.SIGUSR1)
        self.assertIn("Cancelled", peer.answer())

    def test_a_handler_that_uses_the_session_is_refused(self):
        s, peer = self.session(), self.peer()
        peer.do("import signal")
        peer.do("signal.signal(signal.SIGUSR1, lambda *_: s.release_to(0))")
        s.lock("region", 1)
        peer.start("s.lock('region', 1)")
        self.interrupt_a_waiter(peer, signal.SIGUSR1)
        self.assertIn("Misuse", peer.answer())
        self.assertEqual(peer.do("s.mark()"), "0")

    def test_what_handlers_raise_at_any_moment_leaves_the_session_usable(self):
        class Now(Exception):
            pass

        def handler(*_):
            raise Now

        s, other = self.session(), self.session()
        self.addCleanup(signal.signal, signal.SIGALRM, signal.signal(signal.SIGALRM, handler))
        for i in range(500):
            if i % 10 == 0:
                other.lock("region", 2)
            try:
                signal.setitimer(signal.ITIMER_REAL, (i + 1) * 5e-6)
                while True:
                    with s.lock("region", 1), s.lock("region", 2, Mode.SHARE):
                        s.mark()
            except Now:
                pass
            other.release_to(0)
            s.release_to(0)
            self.assertEqual((s.mark(), s.held("region", 1)), (0, Mode.READ))
            self.assertEqual(s.list(), [])


class Forks(PythonTest):
    def in_child(self, function):
        """What function() answers in a forked child, as text."""
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                answer = str(function())
            except BaseException as error:
                answer = repr(error)
            os.write(write, answer.encode())
            os._exit(0)
        os.close(write)
        with open(read, encoding="utf-8") as pipe:
            answer = pipe.read()
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)
        return answer

    def test_a_child_s_copy_answers_misuse_and_frees_nothing(self):
        s = self.session()
        lock = s.lock("region", 1)
        for call in (lambda: s.lock("region", 2), lambda: s.held("region", 1), s.mark, s.list,
                     s.check, lambda: s.release_to(0), lambda: s.drop("region", 1), s.poisoned):
            self.assertIn("forked", self.in_child(call))
        for call in (s.close, s.cancel, lock.release):
            self.assertEqual(self.in_child(call), "None")
        self.assertEqual(s.held("region", 1), Mode.UPDATE)
        self.assert_locked("region", 1)

    def test_a_child_opens_a_session_of_its_own(self):
        def work():
            s.close()
            with rowlock.open(self.path) as own:
                return bool(own.lock("region", 1, wait="skip")), bool(own.lock("region", 2))

        s = self.session()
        s.lock("region", 1)
        self.assertEqual(self.in_child(work), "(False, True)")
        self.assert_free("region", 2)

    def test_a_child_closes_a_session_that_a_thread_was_using(self):
        a, b = self.session(), self.session()
        a.lock("region", 1)
        waiting = self.in_thread(lambda: b.lock("region", 1))
        self.wait_until(lambda: any(lock.waiting for lock in a.list()), "a waiter")
        self.assertEqual(self.in_child(b.close), "None")
        a.release_to(0)
        self.assertTrue(waiting.result())


class Ends(PythonTest):
    def run_python(self, code):
        return subprocess.run([sys.executable, "-B", "-c", code, self.path], text=True,
                              capture_output=True, timeout=LIMIT)

    def test_a_session_that_nobody_refers_to_holds_nothing(self):
        s = rowlock.open(self.path)
        s.lock("region", 1)
        del s
        gc.collect()
        self.assert_free("region", 1)

    def test_a_lock_keeps_its_session(self):
        lock = rowlock.open(self.path).lock("region", 1)
        gc.collect()
        self.assert_locked("region", 1)
        lock.release()
        self.assert_free("region", 1)

    def test_the_interpreter_ends_in_silence_with_sessions_open(self):
        done = self.run_python("import rowlock, sys\ns = rowlock.open(sys.argv[1])\n"
                               "s.lock('region', 1)\nsys.s = s\nprint('done')")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "done\n", ""))

    def test_the_interpreter_ends_while_a_thread_waits(self):
        done = self.run_python(
            "import rowlock, sys, threading\n"
            "a, b = rowlock.open(sys.argv[1]), rowlock.open(sys.argv[1])\n"
            "a.lock('region', 1)\n"
            "threading.Thread(target=b.lock, args=('region', 1), daemon=True).start()\n"
            "while not any(lock.waiting for lock in a.list()): pass\n"
            "print('done')")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "done\n", ""))

    def test_a_closed_session_answers_misuse_and_closes_again(self):
        s = self.session()
        s.close()
        s.close()
        s.cancel()
        with self.assertRaisesRegex(rowlock.Misuse, "closed"):
            s.lock("region", 1)
        with self.assertRaisesRegex(rowlock.Misuse, "closed"):
            s.mark()

    def test_an_error_survives_pickling(self):
        a, b = self.session(), self.session()
        a.lock("region", 1)
        with self.assertRaises(rowlock.LockNotAvailable) as caught:
            b.lock("region", 1, wait=False)
        again = pickle.loads(pickle.dumps(caught.exception))
        self.assertIs(type(again), rowlock.LockNotAvailable)
        self.assertEqual((str(again), again.sqlstate), (str(caught.exception), "55P03"))

    def test_memory_does_not_grow_with_100_000_pairs(self):
        def pairs(n):
            for i in range(n):
                with s.lock("region", i % 7, Mode.SHARE), s.lock("region", i % 7):
                    pass
                mark = s.mark()
                s.lock_key("region", "name", "a" * 100)
                s.release_to(mark)

        def resident():
            with open("/proc/self/statm", encoding="ascii") as statm:
                return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

        s = self.session()
        pairs(2000)
        gc.collect()
        blocks, bytes_ = sys.getallocatedblocks(), resident()
        pairs(100_000)
        gc.collect()
        self.assertLess(sys.getallocatedblocks() - blocks, 1000)
        self.assertLess(resident() - bytes_, 2 << 20)
        self.assertEqual(s.mark(), 0)


if __name__ == "__main__":
    unittest.main()
