"""One interpreter's turn in test_ring.py: reads what the others have left, changes it, reads again.

python ring_step.py POOL NAME NAMES-BEFORE...
"""

from __future__ import annotations

import math
import sys
from typing import Any

import nvm
from nvm.pmemobj import PersistentObject, PersistentObjectPool

VALUES: list[Any] = [
    *(None, True, False, ..., 0, -1, 2**47 - 1, 2**47, -(2**63), 2**64, 10**100, -(10**100)),
    *(0.0, -0.0, 1.5, math.inf, -math.inf, 5e-324, 1j, -2.5 + 3j),
    *("", "text", "naïve", "ő" * 100, "a\U0001d4b3" * 50, "\ud800", "x\udc80", "x" * 100_000),
    *(b"", b"bytes", bytes(range(256)), (), (1, ("two", (3.0, None)))),
]
KEYS: list[Any] = [
    *(None, ..., 0, 1, -1, 2**47, 2**61 - 1, -(2**61), 10**50, 0.5, -1.25, 1e300, math.inf, 2j),
    *("", "key", "a key of more than nineteen characters", "ő", "\U0001d4b3", "\ud800"),
    *(b"", b"key", b"k" * 100, (), (1, "a", (2.5, None)), frozenset({1, "a", (2,)})),
]
EQUAL_KEYS = [(1, True), (1, 1.0), (2**47, float(2**47)), (0, -0.0), ((1, "a", (2.5, None)),) * 2]


class Account(PersistentObject):
    """An object with attributes, of a class that every interpreter has."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.history: list[Any] = []


def same(left: Any, right: Any) -> bool:
    return type(left) is type(right) and repr(left) == repr(right)


def create(pool: PersistentObjectPool) -> None:
    pool["values"] = VALUES
    pool["keys"] = {key: [number] for number, key in enumerate(KEYS)}
    pool["set"] = set(KEYS)
    pool["account"] = pool.new(Account, "ada")
    pool["shared"] = pool["account"].history
    pool["turns"] = []


def look(pool: PersistentObjectPool, names: list[str]) -> None:
    """Everything is there, in order, after the turns of these."""
    assert pool["turns"] == names
    assert all(map(same, pool["values"], VALUES))
    keys, elements = pool["keys"], pool["set"]
    for number, key in enumerate(KEYS):
        assert keys[key][0] == number
        assert keys[key][1:] == names
        assert key in elements
    for one, other in EQUAL_KEYS:
        assert keys[one] is keys[other]
    expected = list(map(repr, KEYS)) + [repr((name, 1)) for name in names]
    assert [repr(key) for key in keys if type(key) is not frozenset] == [
        text for text in expected if not text.startswith("frozenset")
    ]
    assert len(elements) == len(KEYS) + len(names)
    assert all(name not in keys and (name, 2) not in elements for name in names)
    account = pool["account"]
    assert account.history is pool["shared"]
    assert [turn["by"] for turn in account.history] == names
    assert vars(account).keys() == {"owner", "history", *names}


def change(pool: PersistentObjectPool, name: str) -> None:
    """This interpreter's turn."""
    with pool.transaction():
        pool["turns"].append(name)
        for key in KEYS:
            pool["keys"][key].append(name)
        pool["account"].history.append({"by": name, "values": VALUES})
    pool["keys"][name, 1] = name
    pool["keys"][name] = "to be deleted"
    del pool["keys"][name]
    pool["set"].add((name, 1))
    pool["set"].add((name, 2))
    pool["set"].remove((name, 2))
    pool["values"].extend(["more"] * 100)
    del pool["values"][len(VALUES) :]
    pool["values"].reverse()
    pool["values"].reverse()
    setattr(pool["account"], name, len(name))


def main(path: str, name: str, *before: str) -> None:
    names = list(before)
    with nvm.open(path, size="64 MiB", backend="memory") as pool:
        if not names:
            create(pool)
        look(pool, names)
        change(pool, name)
        look(pool, [*names, name])
        assert pool.check() == []


if __name__ == "__main__":
    main(*sys.argv[1:])
