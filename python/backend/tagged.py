# SPDX-License-Identifier: MIT
"""meson-python, whose wheels say for which Python they are by the one that builds them: ours
serve all from OLDEST on, by the stable ABI."""

import subprocess
import sys
from pathlib import Path

from mesonpy import (  # noqa: F401 (what pip calls)
    build_editable, build_sdist, get_requires_for_build_editable,
    get_requires_for_build_sdist, get_requires_for_build_wheel,
)
from mesonpy import build_wheel as build

OLDEST = "cp310"


def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = build(folder, config_settings, metadata_directory)
    if "-abi3-" not in name:  # a Python without it
        return name
    done = subprocess.run([sys.executable, "-m", "wheel", "tags", "--remove",
                           "--python-tag", OLDEST, Path(folder, name)],
                          check=True, text=True, stdout=subprocess.PIPE)
    return done.stdout.split()[-1]
