# SPDX-License-Identifier: MIT
"""Taking and giving back, between processes and between sessions."""

import itertools
import unittest

import rowlock
from rowlock import Kind, Mode
from support import PythonTest

MODES = [Mode.KEY_SHARE, Mode.SHARE, Mode.NO_KEY_UPDATE, Mode.UPDATE]
CONFLICTS = {  # as PostgreSQL's manual has them
    Mode.KEY_SHARE: {Mode.UPDATE},
    Mode.SHARE: {Mode.NO_KEY_UPDATE, Mode.UPDATE},
    Mode.NO_KEY_UPDATE: {Mode.SHARE, Mode.NO_KEY_UPDATE, Mode.UPDATE},
    Mode.UPDATE: set(MODES),
}


class Exclusion(PythonTest):
    def test_what_one_process_holds_another_does_not_get_until_it_is_given_back(self):
        s, peer = self.session(), self.peer()
        with s.lock("region", 7):
            self.assertEqual(s.held("region", 7), Mode.UPDATE)
            self.assertIn("LockNotAvailable", peer.do("s.lock('region', 7, wait=False)"))
            self.assertIn("Lock object", peer.do("s.lock('region', 1, wait=False)"))
        self.assertIn("Lock object", peer.do("s.lock('region', 7, wait=False)"))
        self.assert_locked("region", 7)

    def test_modes_conflict_as_in_postgresql(self):
        a, b = self.session(), self.session()
        for held, asked in itertools.product(MODES, MODES):
            with a.lock("region", 1, held):
                granted = bool(b.lock("region", 1, asked, wait="skip"))
                self.assertEqual(granted, asked not in CONFLICTS[held], (held, asked))
            b.release_to(0)

    def test_waiters_are_served_in_order_of_arrival(self):
        s, peers = self.session(), [self.peer() for _ in range(3)]
        order = []
        s.lock("region", 1)
        for peer in peers:
            peer.start("s.lock('region', 1)")
            self.wait_until_pid_waits(peer.pid)
        s.release_to(0)
        for peer in peers:
            self.assertIn("Lock object", peer.answer())
            [holder] = [i.pid for i in s.list() if i.kind == Kind.RECORD and not i.waiting]
            order.append(holder)
            peer.do("s.release_to(0)")
        self.assertEqual(order, [peer.pid for peer in peers])

    def test_a_holder_killed_with_9_holds_no_more(self):
        s, peer = self.session(), self.peer()
        peer.do("s.lock('region', 1)")
        waiting = self.in_thread(lambda: s.lock("region", 1))
        self.wait_until(lambda: any(lock.waiting for lock in self.session().list()), "a waiter")
        peer.program.kill()
        self.assertTrue(waiting.result())
        self.assertEqual(s.held("region", 1), Mode.UPDATE)
        self.assertGreaterEqual(s.counters().reaps, 1)

    def test_a_session_that_is_closed_holds_no_more(self):
        s = self.session()
        s.lock("region", 1)
        self.assert_locked("region", 1)
        s.close()
        self.assert_free("region", 1)

    def test_a_table_excludes_its_records_and_a_record_the_table(self):
        a, b = self.session(), self.session()
        with a.lock_table("region"):
            self.assertEqual(a.held_table("region"), Mode.UPDATE)
            self.assertFalse(b.lock("region", 1, wait="skip"))
        with b.lock("region", 1):
            self.assertFalse(a.lock_table("region", wait="skip"))
        self.assertTrue(a.lock_table("region", wait="skip"))

    def test_the_turn_to_write_is_one_session_s(self):
        a, b = self.session(), self.session()
        with a.lock_writer():
            self.assertTrue(a.held_writer())
            self.assertFalse(b.lock_writer(wait="skip"))
        with b.lock_writer(wait=False):
            self.assertFalse(a.held_writer())

    def test_a_key_excludes_by_value_and_not_the_record(self):
        a, b = self.session(), self.session()
        with a.lock_key("region", "name", "new"):
            self.assertEqual(a.held_key("region", ["name"], ["new"]), Mode.UPDATE)
            self.assertFalse(b.lock_key("region", ("name",), ("new",), wait="skip"))
            self.assertTrue(b.lock_key("region", "name", "other", wait="skip"))
            self.assertTrue(b.lock("region", "new", wait="skip"))
        self.assertTrue(b.lock_key("region", "name", "new", wait="skip"))
        b.drop_key("region", "name", "new")
        self.assertTrue(a.lock_key("region", "name", "new", wait="skip"))


class Waiting(PythonTest):
    def test_not_to_wait_answers_at_once_and_names_the_holder(self):
        peer, s = self.peer(), self.session()
        peer.do("s.lock('region', 1)")
        for wait in (False, 0, 0.0):
            with self.assertRaises(rowlock.LockNotAvailable) as caught:
                s.lock("region", 1, wait=wait)
            self.assertNotIsInstance(caught.exception, rowlock.LockTimeout)
        error = caught.exception
        self.assertEqual((error.sqlstate, error.code), ("55P03", "NOT_AVAILABLE"))
        self.assertEqual(error.message, "could not obtain lock on region/1")
        self.assertIn(f"Process {peer.pid} ", error.detail)
        self.assertIn(error.detail, str(error))
        self.assertIn(error.hint, str(error))

    def test_skip_answers_false_and_holds_nothing(self):
        a, b = self.session(), self.session()
        a.lock("region", 1)
        with b.lock("region", 1, wait="skip") as lock:
            self.assertFalse(lock)
        self.assertEqual((b.mark(), b.held("region", 1)), (0, Mode.READ))
        self.assertTrue(b.lock("region", 2, wait="skip"))

    def test_a_wait_of_seconds_ends_as_a_timeout(self):
        a, b = self.session(), self.session()
        a.lock("region", 1)
        with self.assertRaises(rowlock.LockTimeout) as caught:
            b.lock("region", 1, wait=0.02)
        self.assertEqual(caught.exception.sqlstate, "55P03")
        self.assertIn("timed out", str(caught.exception))
        self.assertFalse([lock for lock in a.list() if lock.waiting])
        self.assertEqual(b.mark(), 0)

    def test_a_wait_that_is_none_is_refused_before_anything_is_taken(self):
        s = self.session()
        for wait, error in ((-1, ValueError), (float("nan"), ValueError), (None, TypeError),
                            ("skipp", TypeError)):
            with self.assertRaises(error):
                s.lock("region", 1, wait=wait)
        for mode in (0, 5):
            with self.assertRaises(ValueError):
                s.lock("region", 1, mode)
        self.assertEqual(s.mark(), 0)
        self.assertTrue(s.lock("region", 1, wait=float("inf")))
        self.assertTrue(s.lock("region", 2, wait=1e12))

    def test_on_wait_tells_once_for_whom_a_call_waits(self):
        peer, told = self.peer(), []

        def on_wait(notice):
            told.append(notice)
            peer.start("s.release_to(0)")

        s = self.session(on_wait=on_wait, notice_after=0)
        peer.do("s.lock('region', 1)")
        s.lock("region", 1)
        [notice] = told
        self.assertEqual((notice.kind, notice.table, notice.key, notice.pid),
                         (Kind.RECORD, "region", "1", peer.pid))
        self.assertGreater(notice.waited, 0)

    def test_what_on_wait_raises_ends_the_wait_and_is_raised(self):
        def on_wait(_):
            raise LookupError("from on_wait")

        a, b = self.session(), self.session(on_wait=on_wait, notice_after=0)
        with a.lock("region", 1):
            with self.assertRaisesRegex(LookupError, "from on_wait"):
                b.lock("region", 1)
            self.assertFalse([lock for lock in a.list() if lock.waiting])
        self.assertTrue(b.lock("region", 1))  # it stays usable

    def test_of_two_processes_that_wait_for_each_other_one_is_told_the_circle(self):
        s, peer = self.session(), self.peer()
        s.lock("region", 1)
        peer.do("s.lock('region', 2)")
        peer.start("s.lock('region', 1)")
        self.wait_until_pid_waits(peer.pid)
        with self.assertRaises(rowlock.DeadlockDetected) as caught:
            s.lock("region", 2)
        self.assertEqual(caught.exception.sqlstate, "40P01")
        self.assertIn(str(peer.pid), str(caught.exception))
        self.assertIn("region/1", str(caught.exception))
        self.assertEqual(s.held("region", 1), Mode.UPDATE)
        s.release_to(0)
        self.assertIn("Lock object", peer.answer())
        [cycle] = s.cycles()
        self.assertIn("region/1", cycle.text)
        self.assertEqual(s.counters().deadlocks, 1)

    def test_who_holds_and_asks_for_more_goes_ahead_of_newcomers(self):
        s, holder, newcomer = self.session(), self.peer(), self.peer()
        s.lock("region", 1, Mode.SHARE)
        holder.do("s.lock('region', 1, Mode.SHARE)")
        newcomer.start("s.lock('region', 1)")
        self.wait_until_pid_waits(newcomer.pid)
        holder.start("s.lock('region', 1)")
        self.wait_until_pid_waits(holder.pid)
        s.release_to(0)
        self.assertIn("Lock object", holder.answer())
        self.assertEqual(holder.do("s.held('region', 1)"), str(Mode.UPDATE))
        holder.do("s.close()")
        self.assertIn("Lock object", newcomer.answer())


class GivingBack(PythonTest):
    """What a lock's `with` gives back, and what it leaves."""

    def held(self, s):
        return {lock.key or lock.table: lock.mode for lock in s.list()}

    def test_a_with_gives_back_its_lock_and_its_table(self):
        s = self.session()
        with s.lock("region", 1):
            self.assertEqual(self.held(s), {"region": Mode.KEY_SHARE, "1": Mode.UPDATE})
        self.assertEqual((self.held(s), s.mark()), ({}, 0))

    def test_an_exception_gives_it_back_too(self):
        s = self.session()
        with self.assertRaises(LookupError), s.lock("region", 1):
            raise LookupError
        self.assertEqual(self.held(s), {})

    def test_one_within_another_leaves_the_other(self):
        s = self.session()
        with s.lock("region", 1):
            with s.lock("region", 2):
                self.assertEqual(len(self.held(s)), 3)
            self.assertEqual(self.held(s), {"region": Mode.KEY_SHARE, "1": Mode.UPDATE})

    def test_what_was_held_before_stays(self):
        s = self.session()
        s.lock("region", 1)
        with s.lock("region", 1), s.lock("region", 1, Mode.SHARE):
            pass
        self.assertEqual(s.held("region", 1), Mode.UPDATE)

    def test_what_was_strengthened_goes_back_to_its_mode(self):
        s = self.session()
        with s.lock("region", 1, Mode.SHARE):
            with s.lock("region", 1):
                self.assertEqual(s.held("region", 1), Mode.UPDATE)
            self.assertEqual(s.held("region", 1), Mode.SHARE)
        self.assertEqual(self.held(s), {})

    def test_what_was_taken_later_without_a_with_stays(self):
        s = self.session()
        with s.lock("region", 1):
            s.lock("region", 2)
        self.assertEqual(self.held(s), {"region": Mode.KEY_SHARE, "2": Mode.UPDATE})
        with s.lock("region", 1, Mode.SHARE):
            with s.lock("region", 1):
                s.lock("region", 7)
            self.assertEqual(s.held("region", 1), Mode.UPDATE)  # too late to weaken it
        self.assertEqual(s.held("region", 1), Mode.READ)
        self.assertEqual(s.held("region", 7), Mode.UPDATE)

    def test_a_with_leaves_what_came_after_the_session_gave_all_back(self):
        s = self.session()
        with s.lock("region", 1):
            s.release_to(0)
            s.lock("region", 2)
        self.assertEqual(s.held("region", 2), Mode.UPDATE)
        with s.lock("region", 1):
            s.release_to(0)
            s.lock("region", 1)
            s.lock("region", 2)
        self.assertEqual(s.held("region", 2), Mode.UPDATE)
        self.assertEqual(s.held("region", 1), Mode.READ)

    def test_a_record_s_with_leaves_the_turn_to_write(self):
        s = self.session()
        with s.lock_writer():
            with s.lock("region", 1):
                pass
            self.assertTrue(s.held_writer())
            self.assertEqual(s.held_table("region"), Mode.READ)
        self.assertFalse(s.held_writer())
        with s.lock_writer(), s.lock_writer():
            pass
        self.assertEqual(self.held(s), {})

    def test_a_second_release_does_nothing(self):
        s = self.session()
        lock = s.lock("region", 1)
        lock.release()
        s.lock("region", 1)
        lock.release()
        self.assertEqual(s.held("region", 1), Mode.UPDATE)
        last = s.lock("region", 2)
        s.close()
        last.release()

    def test_a_mark_gives_back_or_lowers_what_came_since(self):
        s = self.session()
        s.lock("region", 1, Mode.SHARE)
        mark = s.mark()
        s.lock("region", 1)
        s.lock("region", 2)
        s.release_to(mark)
        self.assertEqual(self.held(s), {"region": Mode.KEY_SHARE, "1": Mode.SHARE})
        self.assert_free("region", 2)

    def test_drop_gives_one_back(self):
        s = self.session()
        s.lock("region", 1)
        s.lock("region", 2)
        s.lock_writer()
        s.drop("region", 1)
        s.drop_writer()
        self.assertEqual(self.held(s), {"region": Mode.KEY_SHARE, "2": Mode.UPDATE})


class Looking(PythonTest):
    def test_the_list_shows_holders_waiters_and_who_is_in_the_way(self):
        s, peer = self.session(label="the holder"), self.peer()
        s.lock("region", 1)
        peer.start("s.lock('region', 1, Mode.SHARE)")
        self.wait_until_pid_waits(peer.pid)
        held, waits = [lock for lock in s.list() if lock.kind == Kind.RECORD]
        self.assertEqual((held.label, held.mode, held.waiting, held.table, held.key),
                         ("the holder", Mode.UPDATE, False, "region", "1"))
        self.assertEqual((waits.pid, waits.mode, waits.waiting, waits.blocked_by),
                         (peer.pid, Mode.SHARE, True, (held.owner,)))
        self.assertGreaterEqual(held.age, waits.age)
        s.close()
        peer.answer()

    def test_counters_count(self):
        s = self.session()
        before = s.counters()
        with s.lock("region", 1):
            pass
        self.assertEqual(s.counters().grants - before.grants, 2)
        self.assertGreater(before.since, 0)

    def test_a_lock_table_that_was_replaced_is_noticed(self):
        s = self.session()
        s.check()
        self.path.with_name("app.db-rowlock").unlink()
        with self.assertRaises(rowlock.ConnectionLost) as caught:
            s.check()
        self.assertEqual(caught.exception.sqlstate, "08006")

    def test_existing_only_makes_no_lock_table(self):
        with self.assertRaises(rowlock.NoLockTable):
            rowlock.open(self.path, existing_only=True)
        self.assertFalse(self.path.with_name("app.db-rowlock").exists())
        self.session()
        rowlock.open(self.path, existing_only=True).close()

    def test_what_cannot_be_opened_says_why(self):
        with self.assertRaises(rowlock.IoError) as caught:
            rowlock.open(self.top / "no folder" / "app.db")
        self.assertEqual(caught.exception.sqlstate, "58030")
        self.assertIn("no folder", str(caught.exception))
        for path, label in (("a\0b", None), (self.path, "a\0b")):
            with self.assertRaises(ValueError):
                rowlock.open(path, label=label)


if __name__ == "__main__":
    unittest.main()
