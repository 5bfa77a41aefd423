"""The interpreter ends in the middle of things: nothing hangs, and the pool is whole."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import nvm
from conftest import BACKEND

if TYPE_CHECKING:
    from pathlib import Path

BEGINNING = """
import gc, os, sys, threading, time
import nvm
from nvm.pmemobj import PersistentObject

class Node(PersistentObject):
    def __init__(self):
        self.value = 1
    def __del__(self):
        try:
            self.value = 2
        except (nvm.Error, AttributeError) as error:
            told.append(error)

class Plain:
    def __del__(self):
        try:
            self.held.append(3)
        except nvm.Error as error:
            told.append(error)

told = []
pool = nvm.open(sys.argv[1], "w", size="16 MiB", backend=sys.argv[2])
items = pool["items"]
"""
# What each does, and the exit status.
ENDINGS = {
    "an open pool": ("", 0),
    "proxies, views, iterators": ("kept = [items, iter(items), pool.keys(), pool.items()]", 0),
    "an open transaction": ("pool.transaction().begin(); items.append(1)", 0),
    "exit in a transaction": ("with pool.transaction():\n    items.append(1)\n    sys.exit(3)", 3),
    "an exception in a transaction": (
        "with pool.transaction():\n    items.append(1)\n    1 / 0",
        1,
    ),
    "exit while reading": ("with pool.reading():\n    sys.exit(3)", 3),
    "os._exit in a transaction": (
        "with pool.transaction():\n    items.append(1)\n    os._exit(3)",
        3,
    ),
    "a cycle with __del__": (
        "pool['node'] = pool.new(Node); node = pool['node']; node._v_self = node\n"
        "plain = Plain(); plain.held = items; plain.self = plain; gc.disable(); del plain",
        0,
    ),
    "cycles of proxies in globals": ("node = pool.new(Node); node.me = node; items._ = 1", 1),
    "a daemon thread in a transaction": (
        "def work():\n    with pool.transaction():\n        items.append(1)\n"
        "        inside.set()\n        time.sleep(600)\n"
        "inside = threading.Event()\n"
        "threading.Thread(target=work, daemon=True).start(); inside.wait()",
        0,
    ),
    "daemon threads at work": (
        "def work():\n    while True:\n        pool['n'] = items[0]\n        list(items)\n"
        "for _ in range(4): threading.Thread(target=work, daemon=True).start()\n"
        "time.sleep(0.05)",
        0,
    ),
    "a thread that ends later": (
        "def work():\n    time.sleep(0.2)\n    pool['n'] = 1\n"
        "threading.Thread(target=work).start()",
        0,
    ),
    "a callback at exit": ("import atexit; atexit.register(lambda: items.__len__())", 0),
    "a weak reference": ("import weakref; kept = weakref.ref(items, lambda _: None); del items", 0),
    "two pools": ("other = nvm.open(sys.argv[1] + '-2', size='16 MiB'); other.root = [1]", 0),
}
BUFFERS = {
    "a buffer": "view = memoryview(pool['bytes']); view[0] = 1",
    "a buffer of a closed pool": "view = memoryview(pool['bytes']); pool.close(); view[0] = 1",
    "a buffer in a cycle": "view = memoryview(pool['bytes']); kept = [view]; kept.append(kept)",
    "a buffer while it is collected": (
        "view = memoryview(pool['bytes']); pool.clear(); gc.collect(); pool.gc(); view[0] = 1\n"
        "assert bytes(view[:2]) == bytes([1, 0]); pool['items'] = [1, 2, 3]; pool['bytes'] = b''"
    ),
}
ENDINGS.update({name: (text, 0) for name, text in BUFFERS.items()})


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_interpreter_ends_with(path: Path, ending: str) -> None:
    text, status = ENDINGS[ending]
    with nvm.open(path, "c", size="16 MiB", backend=BACKEND) as pool:
        pool["items"] = [1, 2, 3]
        pool["bytes"] = bytearray(100)
    done = subprocess.run(
        [sys.executable, "-c", BEGINNING + text, os.fspath(path), BACKEND],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == status, done.stderr
    assert "Fatal" not in done.stderr
    with nvm.open(path, "w") as pool:
        assert pool["items"] in ([1, 2, 3], [1, 2, 3, 3])
        assert pool.check() == []
        assert pool.stats()["limbo"] == 0
