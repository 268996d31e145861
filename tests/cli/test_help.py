# SPDX-License-Identifier: MIT
"""Help, versions, and what a wrong line is answered with."""

import json
import os
import re
import subprocess
import unittest

from harness import PROGRAM, CliTest, environment

COMMANDS = ("upsert", "lock", "locks", "doctor", "sync", "help", "version")


class Help(CliTest):
    def test_all_commands_are_listed(self):
        for words in (["help"], ["--help"], ["-h"]):
            out = self.run_rowlock(*words).stdout
            for command in COMMANDS:
                self.assertRegex(out, rf"(?m)^  {command} +\w")

    def test_without_a_command_it_is_wrong_usage_on_stderr(self):
        done = self.run_rowlock(status=2)
        self.assertEqual(done.stdout, "")
        self.assertIn("usage: rowlock COMMAND", done.stderr)

    def test_each_command_starts_with_three_examples(self):
        for command in COMMANDS:
            out = self.run_rowlock("help", command).stdout
            self.assertEqual(out, self.run_rowlock(command, "--help").stdout)
            examples = out[out.index("examples:"):out.index("usage:")]
            self.assertEqual(len(re.findall(r"(?m)^  rowlock ", examples)), 3)
            for part in ("options:", "exit status:"):
                self.assertIn(part, out)

    def test_no_line_is_wider_than_a_terminal(self):
        for command in COMMANDS:
            for line in self.run_rowlock("help", command).stdout.splitlines():
                self.assertLess(len(line), 82, line)

    def test_the_short_help_has_usage_and_options_only(self):
        out = self.run_rowlock("lock", "-h").stdout
        self.assertTrue(out.startswith("usage: rowlock lock "), out)
        self.assertIn("--nowait", out)
        self.assertNotIn("examples:", out)

    def test_help_is_given_also_when_operands_are_missing(self):
        self.assertIn("DATABASE TABLE", self.run_rowlock("upsert", "app.db", "--help").stdout)

    def test_every_option_of_the_help_is_accepted_by_the_parser(self):
        for command in COMMANDS:
            out = self.run_rowlock(command, "-h").stdout
            for option in re.findall(r"(?m)^  (?:-\w, )?--([\w-]+)", out):
                done = subprocess.run([PROGRAM, command, f"--{option}=x"], text=True,
                                      capture_output=True, check=False)
                self.assertNotIn("unknown option", done.stderr)

    def test_the_manual_pages_are_clean(self):
        for words in ([], *([command] for command in COMMANDS)):
            page = self.run_rowlock("help", "--man", *words).stdout
            self.assertTrue(page.startswith(".TH "), page[:40])
            self.assertIn(".SH NAME", page)
            self.assertNotIn("\n'", page)
            self.assertNotRegex(page, r"\.TP\n.*\\e\n")  # a tag of two lines

    def test_the_completions_are_good_bash(self):
        script = self.run_rowlock("help", "--completions").stdout
        check = script + ("\nCOMP_WORDS=(rowlock lock --no); COMP_CWORD=2; _rowlock"
                          "\necho ${COMPREPLY[@]}"
                          "\nCOMP_WORDS=(rowlock do); COMP_CWORD=1; _rowlock"
                          "\necho ${COMPREPLY[@]}")
        done = subprocess.run(["bash", "-c", check], text=True, capture_output=True, check=True)
        self.assertEqual(done.stdout, "--nowait\ndoctor\n")
        self.assertEqual(done.stderr, "")


class Version(CliTest):
    def test_all_spellings_say_the_same(self):
        out = self.run_rowlock("version").stdout
        self.assertRegex(out, r"^rowlock \d+\.\d+\.\d+\n$")
        self.assertEqual(out, self.run_rowlock("--version").stdout)
        self.assertEqual(out, self.run_rowlock("-V").stdout)

    def test_json(self):
        self.assertEqual(list(json.loads(self.run_rowlock("version", "--json").stdout)),
                         ["rowlock"])
        self.assertEqual(self.run_rowlock("version", "--json").stdout,
                         self.run_rowlock("version", env=environment(ROWLOCK_JSON="1")).stdout)


class Colour(CliTest):
    def say(self, **env):
        """What an error looks like on a terminal."""
        terminal, end = os.openpty()
        self.addCleanup(os.close, terminal)
        subprocess.run([PROGRAM, "lokc"], stderr=end, check=False,
                       env=environment(TERM="xterm") | env)
        os.close(end)
        return os.read(terminal, 1000).decode()

    def test_a_terminal_gets_colours_unless_it_says_no(self):
        self.assertIn("\x1b[", self.say())
        self.assertNotIn("\x1b", self.say(NO_COLOR="1"))
        self.assertNotIn("\x1b", self.say(TERM="dumb"))
        self.assertIn("\x1b[", self.say(NO_COLOR=""))

    def test_a_pipe_gets_none(self):
        self.assertNotIn("\x1b", self.run_rowlock("lokc", status=2).stderr)


class Usage(CliTest):
    def refuse(self, *words, message, hint="", **options):
        done = self.run_rowlock(*words, status=2, **options)
        self.assertEqual(done.stdout, "")
        self.assertIn("rowlock: " + message + "\n", done.stderr)
        self.assertIn(hint, done.stderr)

    def test_an_unknown_command_gets_the_one_that_was_meant(self):
        self.refuse("lokc", message='unknown command "lokc"', hint='mean "rowlock lock"?')
        self.refuse("help", "docter", message='unknown command "docter"',
                    hint='mean "rowlock help doctor"?')
        self.refuse("frobnicate", message='unknown command "frobnicate"',
                    hint='"rowlock help" lists')

    def test_an_unknown_option_gets_the_one_that_was_meant(self):
        self.refuse("locks", "--jsn", "a", message="locks: unknown option --jsn",
                    hint="mean --json?")
        self.refuse("locks", "-json", "a", message="locks: unknown option --json",
                    hint="mean --json?")
        self.refuse("locks", "-x", "a", message="locks: unknown option -x")
        self.refuse("--versoin", message="unknown option --versoin", hint="mean --version?")

    def test_missing_and_superfluous_words(self):
        self.refuse("locks", message="locks: DATABASE is missing", hint="Usage: rowlock locks")
        self.refuse("upsert", "a", message="upsert: TABLE is missing")
        self.refuse("lock", "a", "t", "--", "true", message="lock: KEY is missing")
        self.refuse("lock", "a", "t", "1", message="lock: COMMAND is missing", hint='"--"')
        self.refuse("lock", "a", "t", "1", "--", message="lock: COMMAND is missing")
        self.refuse("locks", "a", "b", message='locks: "b" is one word too many')

    def test_a_result_that_cannot_be_written_is_a_failure(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([PROGRAM, "help"], stdout=full, stderr=subprocess.PIPE,
                                  text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("could not write the result: No space left", done.stderr)

    def test_values_of_options(self):
        self.refuse("locks", "--json=1", "a", message="locks: --json takes no value")
        self.refuse("upsert", "a", "t", "x=1", "--match",
                    message="upsert: --match needs a value: COL[,COL...]")
        self.refuse("lock", "a", "t", "1", "-E", "--", "true",
                    message="lock: -E needs a value: N")
        for number in ("256", "-1", "x", "", "1x"):
            self.refuse("lock", "a", "t", "1", f"--conflict-exit-code={number}", "--", "true",
                        message=f'lock: -E cannot be "{number}"')
        self.refuse("lock", "a", "t", "1", "--mode", "shared", "--", "true",
                    message='lock: no mode "shared"', hint="mean share?")

    def test_durations(self):
        for text in ("5", "s", "-5s", "5.5s", "5 s", "5w", "", "99999999999d"):
            self.refuse("lock", "a", "t", "1", f"--wait={text}", "--", "true",
                        message=f'lock: "{text}" (--wait) is not a duration', hint="500ms, 5s")

    def test_wait_and_nowait_exclude_each_other(self):
        self.refuse("upsert", "a", "t", "--match", "x", "x=1", "--wait", "5s", "--nowait",
                    message="upsert: --wait and --nowait exclude each other")
        self.refuse("upsert", "a", "t", "--match", "x", "x=1",
                    env=environment(ROWLOCK_WAIT="5s", ROWLOCK_NOWAIT="1"),
                    message="upsert: --wait and --nowait exclude each other")

    def test_the_environment_is_checked_like_the_line_and_named(self):
        self.refuse("lock", "a", "t", "1", "--", "true", env=environment(ROWLOCK_WAIT="soon"),
                    message='lock: "soon" (ROWLOCK_WAIT) is not a duration')
        self.refuse("lock", "a", "t", "1", "--", "true", env=environment(ROWLOCK_NOWAIT="perhaps"),
                    message='lock: ROWLOCK_NOWAIT is "perhaps"', hint="Say 1 or 0.")

    def test_pairs(self):
        for words, message in (
                (["x=1"], "--match is missing"),
                (["x=1", "--match", "y"], 'match column "y" has no value'),
                (["x=1", "--match", "x,,y"], '"x,,y" has an empty part'),
                (["x=1", "x=2", "--match", "x"], 'column "x" is given twice'),
                (["x", "--match", "x"], '"x" is not COL=VALUE'),
                (["=1", "--match", "x"], '"=1" is not COL=VALUE'),
                ([":=1", "--match", "x"], '":=1" is not COL=VALUE'),
                (["x=1", "--create", "y", "--match", "x"], '"y" is not COL=VALUE'),
                (["x=1", "y:=tru", "--match", "x"], '"tru" is not valid JSON'),
                (["x=1", "y:=01", "--match", "x"],
                 '"01" is not valid JSON')):
            self.refuse("upsert", "a", "t", *words, message="upsert: " + message)


if __name__ == "__main__":
    unittest.main()
