# SPDX-License-Identifier: MIT
"""rowlock lock: a command that runs while records are locked."""

import json
import os
import signal
import stat
import unittest

from harness import (ENGINE, PROGRAM, SERVER, CliTest, environment, named,
                     sqlites_own)

APP = ENGINE.url("app.db")
WITHOUT_CASE = "" if SERVER else "COLLATE NOCASE"
TABLES = f"""CREATE TABLE region (id INTEGER PRIMARY KEY, slug TEXT, name TEXT);
    INSERT INTO region VALUES (1, 'a', 'A'), (2, 'b', 'B'), (10, 'c', 'C'), (-5, 'd', 'D');
    CREATE TABLE stock (site INTEGER, item TEXT, n INTEGER, PRIMARY KEY (site, item));
    INSERT INTO stock VALUES (1, 'cup', 3), (1, 'a,b\\c', 4);
    CREATE TABLE word (word TEXT {WITHOUT_CASE} PRIMARY KEY);
    INSERT INTO word VALUES ('Tea'), ('x=1');"""


class LockTest(CliTest):
    def setUp(self):
        super().setUp()
        self.path = self.database(TABLES)

    def lock(self, *words, **options):
        return self.run_rowlock("lock", APP, *words, **options)

    def hold(self, *words):
        """A program that holds records until it is told to end."""
        holder = self.start_rowlock("lock", APP, *words, "--", "sh", "-c",
                                    "echo held by $$; read line")
        holder.wait_for_out("held by ")
        return holder

    def assert_locked(self, *words):
        self.lock(*words, "--nowait", "--", "true", status=5)

    def assert_free(self, *words):
        self.lock(*words, "--nowait", "--", "true")

    def locks(self):
        return json.loads(self.run_rowlock("locks", APP, "--json").stdout)


class Command(LockTest):
    def test_its_output_and_input_are_its_own(self):
        done = self.lock("region", "1", "--", "cat", input="text")
        self.assertEqual((done.stdout, done.stderr), ("text", ""))

    def test_its_words_are_not_taken_for_options(self):
        done = self.lock("region", "1", "--", "echo", "--nowait", "--", "-E")
        self.assertEqual(done.stdout, "--nowait -- -E\n")

    def test_its_status_comes_back(self):
        for status in (0, 1, 5, 42, 255):
            self.lock("region", "1", "--", "sh", "-c", f"exit {status}", status=status)

    def test_a_signal_that_ends_it_is_128_more(self):
        self.lock("region", "1", "--", "sh", "-c", "kill -KILL $$", status=128 + 9)
        self.lock("region", "1", "--", "sh", "-c", "kill -TERM $$", status=128 + 15)

    def test_a_command_that_is_not_there_is_127_and_one_that_cannot_run_126(self):
        done = self.lock("region", "1", "--", "no-such-command", status=127)
        self.assertIn('could not run "no-such-command"', done.stderr)
        self.lock("region", "1", "--", "./no-such-command", status=127)
        self.write("plain", "x")
        self.assertIn("Permission denied",
                      self.lock("region", "1", "--", "./plain", status=126).stderr)
        self.lock("region", "1", "--", "/", status=126)

    def test_a_script_without_a_first_line_runs_as_in_the_shell(self):
        script = self.write("script", "echo script $1\nexit 3\n")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        self.assertEqual(self.lock("region", "1", "--", "./script", "a b", status=3).stdout,
                         "script a b\n")

    def test_ignored_signals_stay_ignored_in_it(self):
        done = self.run_rowlock("lock", APP, "region", "1", "--", "sh", "-c",
                                "kill -HUP $$; echo alive",
                                preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        self.assertEqual(done.stdout, "alive\n")

    def test_sigterm_is_passed_on(self):
        holder = self.start_rowlock("lock", APP, "region", "1", "--", "sh", "-c",
                                    "trap 'echo ended; exit 7' TERM; echo ready; read line")
        holder.wait_for_out("ready")
        holder.signal(signal.SIGTERM)
        holder.process.wait()
        self.assertEqual(holder.end(), 7)
        self.assertIn("ended", holder.out)

    def test_ctrl_c_of_a_terminal_ends_the_command_and_its_status_comes_back(self):
        pid, terminal = os.forkpty()
        if pid == 0:
            os.chdir(self.top)
            os.execvp(PROGRAM, ["rowlock", "lock", APP, "region", "1", "--", "sh", "-c",
                                "trap 'exit 9' INT; echo ready; read line"])
        said = b""
        while b"ready" not in said:
            said += os.read(terminal, 1000)
        os.write(terminal, b"\x03")
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 9)
        os.close(terminal)
        self.assert_free("region", "1")


class Records(LockTest):
    def test_a_record_that_is_not_there_is_1_and_the_command_is_not_run(self):
        for words in (("region", "3"), ("region", "1", "3"), ("stock", "site=2,item=cup")):
            done = self.lock(*words, "--", "echo", "ran", status=1)
            self.assertEqual(done.stdout, "")
            self.assertIn("no record", done.stderr)
        self.assertEqual(self.locks(), [])

    @sqlites_own("stranger")
    def test_a_record_deleted_while_one_waits_is_1(self):
        self.database(TABLES, name="b.db")
        holder = self.start_rowlock("lock", "b.db", "region", "1", "--", "sh", "-c",
                                    "echo held; read line")
        holder.wait_for_out("held")
        waiter = self.start_rowlock("lock", "b.db", "region", "1", "--", "echo", "ran")
        self.wait_until_it_waits(waiter, "b.db")
        self.query("b.db", "DELETE FROM region WHERE id = 1")
        holder.tell("end")
        self.assertEqual(waiter.end(), 1)
        self.assertEqual(waiter.out, "")
        self.assertIn('no record "1" in "region" any more', waiter.err)

    @sqlites_own("collation")
    def test_keys_are_named_as_the_database_gives_them_back(self):
        self.hold("word", "tea")
        self.assert_locked("word", "TEA")
        self.assert_locked("WORD", "Tea")
        [lock] = [lock for lock in self.locks() if lock["kind"] == "record"]
        self.assertEqual((lock["table"], lock["key"]), ("word", "Tea"))

    def test_a_negative_key_is_no_option(self):
        self.hold("region", "-5")
        self.assert_locked("region", "-5")
        self.assert_free("region", "1")

    def test_a_single_key_is_taken_as_it_is(self):
        self.assert_free("word", "x=1")

    def test_keys_of_several_columns(self):
        self.hold("stock", "item=cup,site=1")
        self.assert_locked("stock", "site=1,item=cup")
        self.assert_free("stock", "site=1,item=a\\,b\\\\c")
        for key in ("1", "site=1", "site=1,item=cup,n=3", "site=1,site=1", "site=1,,item=a",
                    "item=cup,nitem=1"):
            done = self.lock("stock", key, "--", "echo", "ran", status=2)
            self.assertIn('A key of "stock" is written site=VALUE,item=VALUE.', done.stderr)
            self.assertEqual(done.stdout, "")

    def test_a_key_that_the_column_cannot_hold_is_refused(self):
        self.assertIn("id", self.lock("region", "1x", "--", "echo", "ran", status=1).stderr)

    def test_missing_tables_and_databases(self):
        done = self.lock("regin", "1", "--", "true", status=1)
        self.assertIn('no such table: "regin"', done.stderr)
        self.run_rowlock("lock", "none.db", "region", "1", "--", "true", status=1)
        self.write("text.db", "this is not a database\n" * 100)
        self.run_rowlock("lock", "text.db", "region", "1", "--", "true", status=1)

    def test_records_are_locked_in_the_order_of_their_keys(self):
        """Whoever waits for the first of its records holds none of the others."""
        first = self.hold("region", "2")
        waiter = self.start_rowlock("lock", APP, "region", "10", "2", "--", "true")
        self.wait_until_it_waits(waiter)
        self.assert_free("region", "10")
        first.tell("end")
        self.assertEqual(waiter.end(), 0)

    def test_a_record_named_twice_is_locked_once(self):
        self.assert_free("region", "1", "1")


class Modes(LockTest):
    def test_modes_conflict_as_in_postgresql(self):
        conflicts = {"update": {"update", "no-key-update", "share", "key-share"},
                     "no-key-update": {"update", "no-key-update", "share"},
                     "share": {"update", "no-key-update"},
                     "key-share": {"update"}}
        for held, refused in conflicts.items():
            holder = self.hold("region", "1", "--mode", held)
            for asked in conflicts:
                self.lock("region", "1", "--mode", asked, "--nowait", "--", "true",
                          status=5 if asked in refused else 0)
            holder.tell("end")
            self.assertEqual(holder.end(), 0)

    def test_update_is_the_default(self):
        self.hold("region", "1")
        self.lock("region", "1", "--mode=key-share", "--nowait", "--", "true", status=5)


class Waiting(LockTest):
    def test_a_refusal_is_5_or_n_and_names_the_holder(self):
        holder = self.hold("region", "1")
        done = self.lock("region", "1", "--nowait", "--", "echo", "ran", status=5)
        self.assertEqual(done.stdout, "")
        if not SERVER:  # which tells it to one who waits
            self.assertIn(str(holder.pid), done.stderr)
        for words, status in ((("-E", "17"), 17), (("-E0",), 0),
                              (("--conflict-exit-code=9",), 9)):
            done = self.lock("region", "1", "--nowait", *words, "--", "echo", "ran",
                             status=status)
            self.assertEqual(done.stdout, "")
        self.lock("region", "1", "--wait", "10ms", "--", "true", status=5)
        self.lock("region", "1", "--wait", "0s", "--", "true", status=5)
        self.lock("region", "1", "--", "true", status=5, env=environment(ROWLOCK_WAIT="10ms"))

    def test_a_refusal_of_the_second_record_frees_the_first(self):
        self.hold("region", "2")
        self.assert_locked("region", "1", "2")
        self.assert_free("region", "1")

    def test_a_waiter_goes_on_when_the_command_of_the_holder_ends(self):
        holder = self.hold("region", "1")
        number = self.known_by(holder, APP)
        waiter = self.start_rowlock("lock", APP, "region", "1", "--", "echo", "ran")
        waiter.wait_for_err(f"waiting for {named('region', 1)}: locked by pid "
                            f"{number} (rowlock lock)")
        self.assertEqual(waiter.out, "")
        holder.tell("end")
        self.assertEqual(waiter.end(), 0)
        self.assertEqual(waiter.out, "ran\n")

    def test_ctrl_c_while_it_waits_is_130_and_the_command_is_not_run(self):
        self.hold("region", "2")
        for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            waiter = self.start_rowlock("lock", APP, "region", "1", "2", "--", "echo", "ran")
            self.wait_until_it_waits(waiter)
            waiter.signal(number)
            self.assertEqual(waiter.end(), status)
            self.assertEqual(waiter.out, "")
            self.assertIn("interrupted, nothing was done", waiter.err)
        self.assert_free("region", "1")


class Inheriting(LockTest):
    """The lock lasts as long as the command, whatever becomes of rowlock."""

    def test_a_killed_rowlock_leaves_the_lock_to_its_command(self):
        os.mkfifo(self.top / "fifo")
        holder = self.start_rowlock("lock", APP, "region", "1", "--", "sh", "-c",
                                    "echo held; read line < fifo; echo ending")
        holder.wait_for_out("held")
        holder.signal(signal.SIGKILL)
        holder.process.wait()
        self.assert_locked("region", "1")
        waiter = self.start_rowlock("lock", APP, "region", "1", "--", "echo", "ran")
        self.wait_until_it_waits(waiter)
        (self.top / "fifo").write_text("end\n")
        self.assertEqual(waiter.end(), 0)
        self.assertEqual(waiter.out, "ran\n")
        self.assert_free("region", "1")

    def test_what_the_command_leaves_running_keeps_the_lock(self):
        os.mkfifo(self.top / "fifo")
        done = self.lock("region", "1", "--", "sh", "-c",
                         "(read line < fifo) >/dev/null 2>&1 </dev/null & echo started")
        self.assertEqual(done.stdout, "started\n")
        self.assert_locked("region", "1")
        waiter = self.start_rowlock("lock", APP, "region", "1", "--", "echo", "ran")
        self.wait_until_it_waits(waiter)
        (self.top / "fifo").write_text("end\n")
        self.assertEqual(waiter.end(), 0)

    def test_a_command_killed_with_its_rowlock_frees_the_lock_at_once(self):
        holder = self.hold("region", "1")
        waiter = self.start_rowlock("lock", APP, "region", "1", "--", "echo", "ran")
        self.wait_until_it_waits(waiter)
        holder.kill()
        self.assertEqual(waiter.end(), 0)
        self.assertEqual(waiter.out, "ran\n")

    def test_the_command_itself_can_use_the_database(self):
        done = self.lock("region", "1", "--", PROGRAM, "upsert", APP, "region",
                         "--match", "slug", "slug=b", "name=x", "--nowait")
        self.assertEqual(done.stdout, "updated 2\n")


if __name__ == "__main__":
    unittest.main()
