"""Killed while a pool is made, opened, closed, or changed in bulk."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

import nvm
from conftest import BACKEND

if TYPE_CHECKING:
    from pathlib import Path

BEGINNING = """
import itertools, os, sys, warnings
warnings.simplefilter("ignore")
import nvm
path, backend = sys.argv[1:]
def open_it(flag="c"):
    return nvm.open(path, flag, size="64 MiB", backend=backend)
def tell():
    os.write(1, b".")
"""
# Each tells when it begins with a round.
WORK = {
    "bulk": """
pool = open_it()
tell()
while True:
    for number in itertools.count():
        pool["d"] = {i: [number, str(i) * 9] for i in range(3000)}
        pool["d"].update({i: number for i in range(1500, 4500)})
        pool["l"] = [[number] for _ in range(3000)]
        pool["l"].extend(["text " * 9] * 3000)
        pool["l"][::2] = [number] * 3000
        pool["d"].clear()
        tell()
""",
    "create": """
tell()
while True:
    pool = open_it("n")
    pool["l"] = [1, 2]
    tell()
    pool.close()
""",
    "close": """
open_it().close()
tell()
while True:
    with open_it() as pool:
        pool["l"] = [[i] for i in range(300)]
        pool["d"] = dict.fromkeys(range(300), "text " * 9)
        held = list(pool["l"])
        tell()
        del pool["l"]
""",
    "sync": """
pool = nvm.open(path, size="64 MiB", backend=backend, sync="relaxed")
tell()
while True:
    pool["l"] = ["text " * 99] * 999
    pool["d"] = {"a": 1}
    pool.sync()
    tell()
""",
}


def check(path: Path) -> None:
    """All that is there is there as a whole."""
    with nvm.open(path, "w") as pool:
        assert pool.check() == []
        assert pool.stats(leaks=True)["leaks"]["count"] == 0
        assert pool.stats()["limbo"] == 0
        items, content = pool.get("l", []), pool.get("d", {})
        assert len(items) in (0, 2, 300, 999, 3000, 6000)
        assert len(content) in (0, 1, 300, 3000, 4500)
        pool["after"] = [1]


@pytest.mark.parametrize("rounds", [5, pytest.param(150, marks=pytest.mark.slow)])
@pytest.mark.parametrize("work", WORK)
def test_killed_at_any_moment(folder: Path, path: Path, work: str, rounds: int) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    for _ in range(rounds):
        worker = subprocess.Popen(
            [sys.executable, "-c", BEGINNING + WORK[work], os.fspath(path), BACKEND],
            stdout=subprocess.PIPE,
        )
        assert worker.stdout is not None
        for _ in range(rng.randrange(1, 4)):
            assert os.read(worker.stdout.fileno(), 1) == b".", worker.wait()
        time.sleep(rng.random() * 0.03)  # where in a round
        worker.kill()
        worker.wait()
        worker.stdout.close()
        if path.exists():
            check(path)
        left = {name.name for name in folder.iterdir()} - {path.name, f"{path.name}.journal"}
        assert work == "create" or left == set()
