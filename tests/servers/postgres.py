#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A PostgreSQL server for one test, and gone with it.

It comes from the distribution's packages, unpacked into build/deps, so nothing of
the system's own PostgreSQL is touched; it runs without root's rights, in a temporary
folder, and listens on a socket there.

    tests/servers/postgres.py COMMAND [ARG ...]

runs COMMAND with its address in ROWLOCK_POSTGRES.
"""

import ctypes
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

DEPS = Path(__file__).resolve().parents[2] / "build/deps"
VERSION = 15  # Debian 12's; the oracle of the contract
PACKAGES = [f"postgresql-{VERSION}", f"postgresql-client-{VERSION}"]
UNPACKED = DEPS / "postgres"
BIN = f"usr/lib/postgresql/{VERSION}/bin"
NOBODY = 65534
STEP_LIMIT = 120
PR_SET_PDEATHSIG = 1

# What makes a test quick, and lets it end a deadlock when it likes. A test kills
# processes, not the machine: nothing needs to reach the disk.
SETTINGS = {"listen_addresses": "''", "fsync": "off", "shared_buffers": "32MB",
            "max_connections": "100", "autovacuum": "off", "jit": "off",
            "log_min_messages": "log", "deadlock_timeout": "100ms"}


def unpack():
    """Once a build folder; two tests that begin together do not meet."""
    DEPS.mkdir(parents=True, exist_ok=True)
    with open(DEPS / "postgres.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (UNPACKED / BIN).is_dir():
            return
        with tempfile.TemporaryDirectory(dir=DEPS) as folder:
            done = subprocess.run(["apt-get", "download", *PACKAGES], cwd=folder, text=True,
                                  timeout=STEP_LIMIT, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            found = sorted(Path(folder).glob("*.deb"))
            if len(found) != len(PACKAGES):
                raise SystemExit(f"apt-get download {' '.join(PACKAGES)}: {done.stdout}")
            for package in found:
                subprocess.run(["dpkg", "-x", package, f"{folder}/root"], check=True)
            shutil.rmtree(UNPACKED, ignore_errors=True)
            os.rename(f"{folder}/root", UNPACKED)


def anyone_may_enter(folder):
    return all(part.stat().st_mode & 0o001 for part in (folder, *folder.parents))


def link_or_copy(source, target):
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)


class Postgres:
    """A running server; url names its database, as its superuser."""

    def __init__(self, **settings):
        unpack()
        self.folder = Path(tempfile.mkdtemp(prefix="rowlock-pg-"))
        self.settings = {**SETTINGS, **settings}
        self.who = {}
        if os.geteuid() == 0:  # the server refuses to run as root
            os.chown(self.folder, NOBODY, NOBODY)
            self.who = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        self.programs = self.find_programs()
        self.process = None
        try:
            self.initialise()
            self.start()
        except BaseException:
            self.stop()
            raise

    @property
    def url(self):
        port = self.settings.get("port", "5432")
        return f"postgresql://rowlock@/postgres?host={self.folder}&port={port}"

    def find_programs(self):
        """As they were unpacked; or, where nobody may not enter that folder (such as
        one below /root), beside the server's data."""
        if not self.who or anyone_may_enter(UNPACKED):
            return UNPACKED / BIN
        shutil.copytree(UNPACKED, self.folder / "postgres", symlinks=True,
                        copy_function=link_or_copy)
        return self.folder / "postgres" / BIN

    def initialise(self):
        done = subprocess.run([self.programs / "initdb", "-D", self.folder / "data", "-U", "rowlock",
                               "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
                              timeout=STEP_LIMIT, text=True, cwd="/", stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False, **self.who)
        if done.returncode:
            raise SystemExit(f"initdb: {done.stdout}")

    def start(self):
        words = [self.programs / "postgres", "-D", self.folder / "data", "-k", self.folder]
        for name, value in self.settings.items():
            words += ["-c", f"{name}={value.strip(chr(39))}"]
        self.process = subprocess.Popen(words, cwd="/", stdin=subprocess.DEVNULL, text=True,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        env={"LC_ALL": "C", "PATH": os.environ["PATH"]},
                                        preexec_fn=die_with_parent, **self.who)
        said = []
        for line in self.process.stderr:
            said.append(line)
            if "ready to accept" in line:  # of a standby: read-only connections
                break
        else:
            raise SystemExit(f"postgres does not start: {''.join(said)}")
        # What else it says is for nobody, and must not fill the pipe.
        self.drain = subprocess.Popen(["cat"], stdin=self.process.stderr,
                                      stdout=subprocess.DEVNULL)

    def run(self, sql):
        subprocess.run([self.programs / "psql", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.url,
                        "-c", sql], stdin=subprocess.DEVNULL, timeout=STEP_LIMIT, check=True)

    def ask_for_passwords(self, user):
        """From now on, over TCP."""
        rules = self.folder / "data/pg_hba.conf"
        rules.write_text(f"host all {user} 127.0.0.1/32 scram-sha-256\n" + rules.read_text())
        self.run("SELECT pg_reload_conf()")

    def halt(self, how=signal.SIGINT):
        """SIGINT: sessions are ended; SIGQUIT: as a crash."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(STEP_LIMIT)
            self.drain.wait(STEP_LIMIT)
        if self.process:
            self.process.stderr.close()
        self.process = None

    def stop(self):
        self.halt(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def main(command):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the server goes too
    with Postgres() as server:
        env = {**os.environ, "ROWLOCK_POSTGRES": server.url}
        done = subprocess.run(command, env=env, check=False)
    if done.returncode < 0:
        os.kill(os.getpid(), -done.returncode)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
