# SPDX-License-Identifier: MIT
"""The other process of a test: see support.Peer. `s` is its session, `db` its connection."""

import sqlite3
import sys

import rowlock


def tell(n, text):
    print(f"<{n}>{text}</{n}>", flush=True)


def main(path):
    db = sqlite3.connect(path, timeout=60, isolation_level=None)
    known = {"rowlock": rowlock, "s": rowlock.open(path), "db": db, "Mode": rowlock.Mode}
    tell(0, "ready")
    for n, line in enumerate(sys.stdin, 1):
        try:
            try:
                code = compile(line, "statement", "eval")
            except SyntaxError:
                code = compile(line, "statement", "exec")
            answer = str(eval(code, known))
        except BaseException as error:
            answer = type(error).__name__ + ": " + str(error)
        tell(n, answer)


main(sys.argv[1])
