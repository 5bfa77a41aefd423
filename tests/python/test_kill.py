"""A process killed by SIGKILL at any moment loses nothing it has been told is done."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

import nvm

if TYPE_CHECKING:
    from pathlib import Path

WORKER = """
import itertools, os, sys, warnings
warnings.simplefilter("ignore")
import nvm

path, start = sys.argv[1], int(sys.argv[2])
pool = nvm.open(path, size="256 MiB")
items = pool.setdefault("items", [])
index = pool.setdefault("index", {})
queue = pool.setdefault("queue", {})
pool.setdefault("done", 0)
os.write(1, b"r")
for number in itertools.count(start):
    with pool.transaction():
        items.append(f"item number {number}")
        index[f"key number {number}"] = [number, str(number) * 20]
        queue[number] = number
        if len(queue) > 10:
            queue.pop(next(iter(queue)))
        if number % 3 == 0 and len(index) > 5:
            del index[f"key number {number - 3}"]
        if number % 50 == 49:
            items.insert(len(items) // 2, items.pop())
        pool["done"] = number + 1
    items[0] = number          # an operation of its own
    os.write(1, b".")
"""


def expected_index(done: int) -> dict[str, list[object]]:
    index: dict[str, list[object]] = {}
    for number in range(done):
        index[f"key number {number}"] = [number, str(number) * 20]
        if number % 3 == 0 and len(index) > 5:
            del index[f"key number {number - 3}"]
    return index


def expected_items(done: int) -> list[str]:
    items: list[str] = []
    for number in range(done):
        items.append(f"item number {number}")
        if number % 50 == 49:
            items.insert(len(items) // 2, items.pop())
    return items


def run_and_kill(path: Path, start: int, rng: random.Random) -> int:
    """Lets a worker go on from `start`, kills it, and gives the number of rounds acknowledged."""
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, os.fspath(path), str(start)], stdout=subprocess.PIPE
    )
    assert worker.stdout is not None
    assert os.read(worker.stdout.fileno(), 1) == b"r"
    wanted = rng.randrange(1, 400)
    rounds = 0
    while rounds < wanted:
        told = os.read(worker.stdout.fileno(), 64)
        assert told, f"the worker ended by itself: {worker.wait()}"
        rounds += len(told)
    worker.kill()
    while chunk := os.read(worker.stdout.fileno(), 4096):
        rounds += len(chunk)
    worker.wait()
    worker.stdout.close()
    return rounds


def check_pool(path: Path, least: int) -> int:
    with nvm.open(path, "w") as pool:
        done = pool["done"]
        assert least <= done <= least + 1
        assert pool.check() == []
        items = pool["items"].to_python()
        if done == least:  # the overwrite outside the transaction was acknowledged too
            assert done == 0 or items[0] == done - 1
        else:
            assert items[0] in ((done - 1, done - 2) if done > 1 else (0, "item number 0"))
        assert items[1:] == expected_items(done)[1:]
        assert pool["index"] == expected_index(done)
        assert list(pool["queue"].items()) == [(n, n) for n in range(max(0, done - 10), done)]
        assert pool.stats()["limbo"] == 0
        return int(done)


@pytest.mark.parametrize("where", ["tmpfs", "disk"])
@pytest.mark.parametrize("rounds", [6, pytest.param(200, marks=pytest.mark.slow)])
def test_killed_under_load(where: str, rounds: int, tmp_path: Path, folder: Path) -> None:
    path = (folder if where == "tmpfs" else tmp_path) / "pool"
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    done = 0
    for _ in range(rounds):
        acknowledged = run_and_kill(path, done, rng)
        done = check_pool(path, done + acknowledged)
    assert done > rounds


COLLECTOR = """
import os, sys, warnings
warnings.simplefilter("ignore")
import nvm

pool = nvm.open(sys.argv[1], size="256 MiB")
live = pool.setdefault("live", [{"number": n, "text": str(n) * 20} for n in range(50)])
while True:
    with pool.transaction():
        for size in (1, 3, 200):
            pool["lost"] = [[] for _ in range(size)]
            items = list(pool["lost"])
            for item, following in zip(items, items[1:] + items[:1]):
                item.extend([following, {"back": (item, live[size % 50])}, "long " * 10])
            del pool["lost"], items, item, following
    os.write(1, b".")
    pool.gc()
"""


@pytest.mark.parametrize("rounds", [6, pytest.param(200, marks=pytest.mark.slow)])
def test_killed_while_cycles_are_collected(rounds: int, folder: Path) -> None:
    path = folder / "pool"
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    expected = [{"number": number, "text": str(number) * 20} for number in range(50)]
    for _ in range(rounds):
        worker = subprocess.Popen(
            [sys.executable, "-c", COLLECTOR, os.fspath(path)], stdout=subprocess.PIPE
        )
        assert worker.stdout is not None
        for _ in range(rng.randrange(1, 20)):
            assert os.read(worker.stdout.fileno(), 1) == b"."
        time.sleep(rng.random() * 0.005)  # a collection takes about as long
        worker.kill()
        worker.wait()
        worker.stdout.close()
        with nvm.open(path, "w") as pool:
            assert pool.check() == []
            assert pool["live"] == expected
            pool.gc()
            assert pool.check() == []
            assert pool["live"] == expected
            assert pool.stats()["objects"] == 52
