#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Durable changes by many processes: plain SQLite, PostgreSQL, Rowlock, in one run on
this disk (bench/durable.c). The server is unpacked, started and stopped here; it
flushes its log as servers do.

    bench/durable.py DURABLE [SVG]      SVG: a file for the plot
"""

import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "servers"))

from postgres import Postgres

PROCESSES = [1, 2, 4, 8, 16, 32, 64]
COLOURS = {"sqlite": "#b04a3a", "postgres": "#3a6ea5", "rowlock": "#2f7d4f"}
NAMES = {"sqlite": "SQLite, BEGIN IMMEDIATE", "postgres": "PostgreSQL 15, FOR UPDATE",
         "rowlock": "Rowlock on SQLite"}
WIDTH, HEIGHT, LEFT, TOP = 340, 220, 60, 40
GAP = 90


def run(durable, *words):
    subprocess.run([durable, *map(str, words)], check=True)


def panel(rows, key, title, at, ticks):
    """One plot: processes to the right, both axes by powers."""
    low, high = math.log10(ticks[0]), math.log10(ticks[-1])

    def x(processes):
        return at + math.log2(processes) / math.log2(PROCESSES[-1]) * WIDTH

    def y(value):
        part = (math.log10(max(value, ticks[0])) - low) / (high - low)
        return TOP + HEIGHT - min(part, 1) * HEIGHT

    out = [f'<text x="{at}" y="{TOP - 14}" font-weight="bold">{title}</text>']
    for tick in ticks:
        out.append(f'<path d="M{at} {y(tick):.1f}h{WIDTH}" stroke="#ddd"/>'
                   f'<text x="{at - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:,}</text>')
    for n in PROCESSES:
        out.append(f'<text x="{x(n):.1f}" y="{TOP + HEIGHT + 18}" '
                   f'text-anchor="middle">{n}</text>')
    for engine, colour in COLOURS.items():
        points = [(x(r["processes"]), y(r[key])) for r in rows if r["engine"] == engine]
        line = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
        out.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" fill="{colour}"/>'
                for px, py in points]
    return out


def plot(rows, path):
    width = LEFT + 2 * WIDTH + GAP + 30
    height = TOP + HEIGHT + 70
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
           'font-family="sans-serif" font-size="12">',
           f'<rect width="{width}" height="{height}" fill="white"/>']
    out += panel(rows, "rate", "durable changes a second", LEFT, [1000, 3000, 10000, 30000])
    out += panel(rows, "p999_ms", "99.9 % done within, ms", LEFT + WIDTH + GAP,
                 [0.3, 1, 10, 100, 1000, 10000])
    for i, (engine, colour) in enumerate(COLOURS.items()):
        at = LEFT + i * 260
        out.append(f'<rect x="{at}" y="{height - 22}" width="12" height="12" fill="{colour}"/>'
                   f'<text x="{at + 18}" y="{height - 12}">{NAMES[engine]}</text>')
    out.append(f'<text x="{width - 20}" y="{height - 12}" text-anchor="end">processes</text>')
    Path(path).write_text("\n".join([*out, "</svg>\n"]))


def main(durable, svg=None):
    with Postgres(fsync="on", shared_buffers="256MB", max_wal_size="4GB") as server, \
            tempfile.NamedTemporaryFile() as figures:
        print("lock a random record of 100,000, read, change, save, commit, durable")
        print("(processes; x: against plain SQLite)")
        run(durable, "--postgres", server.url, "--json", figures.name, *PROCESSES)
        rows = json.loads(Path(figures.name).read_text())
        print("the same with 5 ms of thinking between read and save")
        run(durable, "--postgres", server.url, "--think", 5, 32)
        print("one record for all")
        run(durable, "--postgres", server.url, "--records", 1, 32)
    if svg:
        plot(rows, svg)


if __name__ == "__main__":
    main(*sys.argv[1:])
