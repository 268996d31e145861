# SPDX-License-Identifier: MIT
"""Programs that know no record locks, each a process of its own: Python's
sqlite3 with its own timeout of 5 s.

    python3 strangers.py upsert PATH RECORDS SEED
    python3 strangers.py hold PATH

They say "ready", and end when their input does.
"""

import json
import random
import select
import sqlite3
import sys

MOST = 1_000_000


def is_told_to_end():
    return bool(select.select([sys.stdin], [], [], 0)[0])


def upsert_one(db, code, mine):
    """Writes name and adds one to n; the name that was there."""
    db.execute("BEGIN IMMEDIATE")
    row = db.execute("SELECT name FROM t WHERE code = ?", (code,)).fetchone()
    if row:
        db.execute("UPDATE t SET name = ?, n = n + 1 WHERE code = ?", (mine, code))
    else:
        db.execute("INSERT INTO t (code, name, n) VALUES (?, ?, 1)", (code, mine))
    db.execute("COMMIT")
    return row[0] if row else None


def upsert(db, records, seed):
    """Writes c0 to c<records> of the table t (code, name, n) at random, all the
    time. Prints how often, what failed, and the last names of those that it
    wrote after they were "new"."""
    choice = random.Random(seed)
    writes, errors, after = 0, [], {}
    while not is_told_to_end() and writes + len(errors) < MOST:
        code, mine = f"c{choice.randrange(int(records))}", f"mine {writes}"
        try:
            was = upsert_one(db, code, mine)
            writes += 1
            if was == "new" or code in after:
                after[code] = mine
        except sqlite3.Error as error:
            errors.append(str(error))
            if db.in_transaction:
                db.execute("ROLLBACK")
    print(json.dumps({"writes": writes, "errors": errors, "after": after}))


def hold(db):
    """Has SQLite's write lock."""
    db.execute("BEGIN IMMEDIATE")
    print("held", flush=True)
    sys.stdin.read()
    db.execute("COMMIT")


def main():
    what, path, *more = sys.argv[1:]
    db = sqlite3.connect(path, timeout=5, isolation_level=None)
    print("ready", flush=True)
    {"upsert": upsert, "hold": hold}[what](db, *more)
    db.close()


main()
