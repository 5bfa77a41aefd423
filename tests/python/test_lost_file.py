"""A pool's file that is cut short, by another program, while the pool is open.

Without a guard each of these would end the process by SIGBUS. They run in processes of their own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import nvm

if TYPE_CHECKING:
    from pathlib import Path

CODE = """
import os, sys, threading
import nvm

path, backend, action, cut = sys.argv[1:]
pool = nvm.open(path, backend=backend, size="64 MiB")
pool["bytes"] = bytearray(500_000)
pool["names"] = {}
pool["values"] = []
for i in range(40):
    pool["values"].append(bytes([i]) * 400_000)
    pool["names"][f"name number {i}"] = [i] * 50
values = pool["values"]
view = memoryview(pool["bytes"]) if action == "look" else None
os.truncate(path, int(cut))


def read():
    for value in values:
        assert value == value[:1] * 400_000
    for name in pool["names"]:
        assert pool["names"][name] == [int(name.rpartition(" ")[2])] * 50


def append():
    for i in range(100):
        values.append(b"new" * 100_000)
        pool["names"][f"new {i}"] = [1]


def transact():
    with pool.transaction():
        append()


def look():
    bytes(view)
    read()


actions = {
    "read": read,
    "append": append,
    "transact": transact,
    "check": pool.check,
    "gc": pool.gc,
    "stats": pool.stats,
    "clear": lambda: [values.pop() for _ in range(len(values))],
    "look": look,
}
errors = 0
for _ in range(3):
    try:
        actions[action]()
    except OSError as error:
        assert "cut it short" in str(error), error
        assert path in str(error), error
        errors += 1
    except nvm.Error as error:
        print(type(error).__name__, error)
assert errors, "nothing was noticed"
try:
    pool.close()
except OSError as error:
    print("close:", error)
"""


def run(path: Path, backend: str, action: str, cut: int) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", CODE, str(path), backend, action, str(cut)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)


ACTIONS = ["read", "append", "transact", "check", "gc", "stats", "clear"]
if sys.implementation.name == "cpython":
    ACTIONS.append("look")


@pytest.mark.parametrize("cut", [0, 2**20, 8 * 2**20])
@pytest.mark.parametrize("backend", ["memory", "journal"])
@pytest.mark.parametrize("action", ACTIONS)
def test_a_file_cut_short_is_an_error(path: Path, backend: str, action: str, cut: int) -> None:
    run(path, backend, action, cut)
    assert os.path.getsize(path) == cut
    with pytest.raises((nvm.PoolCorruptError, OSError)):
        nvm.open(path, "w").close()
