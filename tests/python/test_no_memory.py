"""Allocations fail, Python's or the core's: MemoryError, and a pool that is as sound as before."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import nvm
from conftest import BACKEND
from interpreter import CPYTHON, cpython_only

if TYPE_CHECKING:
    from pathlib import Path

if CPYTHON:
    pytest.importorskip("_testcapi")
pytestmark = cpython_only("its allocator cannot be told to fail")

# In a process of its own: an interpreter that has no memory may end at any moment.
PROGRAM = """
import contextlib, sys
import _testcapi
import nvm
from nvm.pmemobj import PersistentList, PersistentObject

class Node(PersistentObject):
    def __init__(self, value):
        self.value = value

def fill(pool):
    pool["l"] = [1, "a text that fits no cell", [2]]
    pool["d"] = {"a": 1, "b": {"c": [3]}}
    pool["s"] = {1, "two", (3, 4)}
    pool["b"] = bytearray(b"abc")
    pool["o"] = pool.new(Node, 1)

def transact(pool):
    with pool.transaction():
        pool["l"].append([1])
        pool["d"]["in"] = "x" * 50
        pool["o"].other = {}

OPERATIONS = {
    "read list": lambda pool: [list(pool["l"]), pool["l"][1:], pool["l"][2][0]],
    "append": lambda pool: pool["l"].append(["x" * 30, {"k": (1, 2)}]),
    "extend": lambda pool: pool["l"].extend([1, "y" * 30, []]),
    "slice": lambda pool: pool["l"].__setitem__(slice(0, 2), [[1], "z" * 30]),
    "sort": lambda pool: pool["l"].sort(key=str),
    "pop": lambda pool: pool["l"].pop(),
    "read dict": lambda pool: [dict(pool["d"]), list(pool["d"].items()), pool["d"]["b"]["c"]],
    "update": lambda pool: pool["d"].update({"n": [1], "m": "x" * 40, 5: (1, [2])}),
    "popitem": lambda pool: pool["d"].popitem(),
    "set": lambda pool: [pool["s"].update([7, "x" * 30]), pool["s"] | {1}, set(pool["s"])],
    # Reading one makes a built-in bytearray, which CPython drops uninitialized if that fails.
    "bytearray": lambda pool: pool["b"].extend(b"x" * 100),
    "buffer": lambda pool: bytes(memoryview(pool["b"])),
    "new": lambda pool: pool.new(Node, [1, 2]),
    "attribute": lambda pool: [setattr(pool["o"], "value", [1]), vars(pool["o"]).items()],
    "transaction": transact,
    "to_python": lambda pool: pool["d"].to_python(),
    "repr": lambda pool: repr([pool["l"], pool["d"], pool]),
    "compare": lambda pool: [pool["l"] == [1, "a", [2]], pool["d"] == {}, pool["s"] <= {1}],
    "reports": lambda pool: [pool.check(repair=True), pool.gc(), pool.stats()],
    "root": lambda pool: setattr(pool, "root", {"a": [1, (2, [3])]}),
}

path, backend, steps = sys.argv[1], sys.argv[2], int(sys.argv[3])
pool = nvm.open(path, size="16 MiB", backend=backend)
failed = 0
for name, operation in OPERATIONS.items():
    pool.clear()
    fill(pool)
    operation(pool)  # what is made once is made
    for number in range(steps):
        pool.clear()
        fill(pool)
        error = None
        _testcapi.set_nomemory(number, number + 1)
        try:
            operation(pool)
        except BaseException as caught:
            error = caught
        finally:
            _testcapi.remove_mem_hooks()
        if error is not None:
            assert isinstance(error, MemoryError), (name, number, repr(error))
            failed += 1
        assert pool.check() == [], (name, number)
        pool.gc()
assert failed > 20, failed
pool.close()
with nvm.open(path, "w") as pool:
    assert pool.check() == []
    assert pool.stats(leaks=True)["leaks"]["count"] == 0
"""


# What the core allocates is not Python's allocator's: the process may have no more addresses.
CORE_PROGRAM = """
import resource, sys
import nvm

path, backend = sys.argv[1:]
pool = nvm.open(path, "w", backend=backend)

def limit_addresses():
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 10), resource.RLIM_INFINITY))

OPERATIONS = {
    "check": lambda: pool.check(),
    "gc": lambda: pool.gc(),
    "repair": lambda: pool.check(repair=True),
    "extend": lambda: pool["l"].extend(range(2_000_000)),
}
for name, operation in OPERATIONS.items():
    limit_addresses()
    error = None
    try:
        operation()
    except BaseException as caught:
        error = caught
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
    assert isinstance(error, MemoryError), (name, repr(error))
    assert not isinstance(error, nvm.PoolFullError), name
    del error
    assert len(pool["l"]) == 200_000, name
assert pool.check() == []
pool["l"].append(1)
pool.close()
with nvm.open(path, "w", backend=backend) as pool:
    assert pool.check() == []
    assert len(pool["l"]) == 200_001
"""


def test_the_core_has_no_memory(path: Path) -> None:
    with nvm.open(path, size="256 MiB", backend=BACKEND) as pool:
        pool["l"] = [[i] for i in range(200_000)]
    done = subprocess.run(
        [sys.executable, "-c", CORE_PROGRAM, str(path), BACKEND],
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("steps", [40, pytest.param(300, marks=pytest.mark.slow)])
def test_any_allocation_may_fail(path: Path, steps: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path), BACKEND, str(steps)],
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert (done.returncode, done.stderr) == (0, "")
