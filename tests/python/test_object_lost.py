"""Objects and values whose class this program does not have, and classes of a script's own."""

from __future__ import annotations

import subprocess
import sys
import types
from typing import TYPE_CHECKING, Any, Callable

import pytest

import nvm
from interpreter import CPYTHON, collect
from nvm.pmemobj import (
    PersistentFrozenSet,
    PersistentList,
    PersistentObjectPool,
    PersistentSet,
    PersistentTuple,
)

if TYPE_CHECKING:
    from pathlib import Path

Pool = PersistentObjectPool
Reopen = Callable[[Pool], Pool]

SOURCE = """
import dataclasses
from nvm.pmemobj import PersistentObject

class Lost(PersistentObject):
    pass

@dataclasses.dataclass(frozen=True)
class Value:
    x: int
"""


@pytest.fixture
def lost(pool: Pool, open_pool: Callable[..., Pool]) -> Pool:
    """A pool that holds objects and values of a module that is not there any more."""
    if not CPYTHON:
        pytest.skip("PyPy: a class that its C-API has met lives for ever")
    module: Any = types.ModuleType("lost_module")
    sys.modules["lost_module"] = module
    exec(SOURCE, vars(module))
    one = pool.new(module.Lost)
    one.x = [1]
    pool["list"] = [1, one, "x"]
    pool["dict"] = {"k": one, "j": 1}
    pool["keys"] = {"z": 2, one: 1}
    pool["tuple"] = [(1, one)]
    pool["set"] = pool.new(PersistentSet, [1, one])
    pool["persistent tuple"] = pool.new(PersistentTuple, [1, one])
    pool["persistent frozenset"] = pool.new(PersistentFrozenSet, [1, one])
    pool["values"] = [module.Value(1), 5]
    pool["value keys"] = {"z": 2, module.Value(1): 1}
    ring = pool.new(module.Lost)
    ring.me = ring
    pool.close()
    del sys.modules["lost_module"], one, ring
    vars(module).clear()
    del module
    collect()
    return open_pool("w")


HOLDERS = [
    "list",
    "dict",
    "keys",
    "tuple",
    "set",
    "persistent tuple",
    "persistent frozenset",
    "values",
    "value keys",
]
pytestmark = pytest.mark.filterwarnings("error")


def test_what_holds_one_is_there_without_it(lost: Pool) -> None:
    assert [len(lost[name]) for name in HOLDERS] == [3, 2, 2, 1, 2, 2, 2, 2, 2]
    assert (lost["list"][0], lost["list"][2], lost["dict"]["j"]) == (1, "x", 1)
    assert (lost["keys"]["z"], lost["value keys"]["z"], lost["values"][1]) == (2, 2, 5)
    assert 1 in lost["set"]
    assert 2 not in lost["persistent frozenset"]
    assert list(lost["dict"]) == ["k", "j"]
    assert 1 in lost["list"]
    assert all(lost[name] != 5 for name in HOLDERS)


@pytest.mark.parametrize("name", HOLDERS)
def test_reading_it_names_the_class_and_the_module(lost: Pool, name: str) -> None:
    holder = lost[name]
    everything = holder.values if name == "dict" else holder.__iter__
    for read in (lambda: list(everything()), holder.to_python, lambda: repr(holder)):
        with pytest.raises(nvm.ClassNotFoundError, match="import lost_module first") as caught:
            read()
        assert caught.value.name == "lost_module"
    assert len(holder) > 0


@pytest.mark.parametrize(
    ("name", "take"),
    [
        ("list", lambda one: one.pop(1)),
        ("dict", lambda one: one.pop("k")),
        ("dict", lambda one: one.pop("k", None)),
        ("keys", lambda one: one.popitem()),
        ("tuple", lambda one: one.pop()),
        ("set", lambda one: [one.pop() for _ in range(2)]),
        ("values", lambda one: one.pop(0)),
        ("value keys", lambda one: one.popitem()),
    ],
)
def test_taking_it_out_fails_and_leaves_it(lost: Pool, name: str, take: Any) -> None:
    holder = lost[name]
    with pytest.raises(nvm.ClassNotFoundError):
        take(holder)
    left = len(holder)
    assert left > 0
    with lost.transaction(), pytest.raises(nvm.ClassNotFoundError):
        take(holder)
    assert len(holder) == left
    holder.clear()
    assert len(holder) == 0


def test_the_pool_is_checked_collected_and_emptied(lost: Pool) -> None:
    assert lost.check() == []
    objects, counts = lost.gc()
    assert counts["collections-gced"] == 1
    assert objects["lost_module:Lost"] == 1
    assert lost.check() == []
    assert lost["list"].index(1) == 0
    del lost["list"][1], lost["dict"]["k"]
    assert (lost["list"], lost["dict"]) == ([1, "x"], {"j": 1})
    lost.clear()
    assert lost.check() == []
    assert "lost_module:Lost" not in lost.gc()[0]


def test_it_is_back_with_its_module(lost: Pool) -> None:
    with pytest.raises(nvm.ClassNotFoundError):
        lost["list"].pop(1)
    module = types.ModuleType("lost_module")
    sys.modules["lost_module"] = module
    try:
        exec(SOURCE, vars(module))
        assert lost["dict"].pop("k").x == [1]
        assert lost["values"].pop(0).x == 1
        assert lost["list"].pop(1).x == [1]
        key, number = lost["keys"].popitem()
        assert (key.x, number, lost["keys"]) == ([1], 1, {"z": 2})
        assert lost["tuple"].pop()[1].x == [1]
        one, other = sorted((lost["set"].pop() for _ in range(2)), key=repr)
        assert (one, other) == (key, 1) or (one, other) == (1, key)
        lost.clear()
    finally:
        del sys.modules["lost_module"]


def test_what_is_taken_out_is_what_was_there(pool: Pool) -> None:
    """A registered type's function may change the container that its value is taken out of."""

    class Shifty:
        def __init__(self, number: int) -> None:
            self.number = number

    def made(number: int) -> Shifty:
        if len(pool["list"]) > 1:
            pool["list"].pop(0)
            pool["list"].append(number)
        return Shifty(number)

    nvm.register_type(Shifty, lambda one: one.number, made)
    pool["list"] = [1, Shifty(2)]
    assert pool["list"].pop() == 2
    assert [one.number for one in pool["list"]] == [2]
    assert pool["list"].pop().number == 2
    assert pool["list"] == []


SCRIPT = """
import sys
import nvm
from nvm.pmemobj import PersistentObject

class Counter(PersistentObject):
    class Step(PersistentObject):
        size = 2

    def __init__(self):
        self.value = 0
        self.step = Counter.Step()

    def count(self):
        self.value += self.step.size
        return self.value

if __name__ == "__main__":
    with nvm.open(sys.argv[1], "c", size="64 MiB", backend="memory") as pool:
        if "counter" not in pool:
            pool["counter"] = pool.new(Counter)
        counter = pool["counter"]
        assert type(counter) is Counter and type(counter.step) is Counter.Step
        print(counter.count(), repr(counter).split(" ")[0])
"""


def test_classes_of_a_script(path: Path, open_pool: Callable[..., Pool], folder: Path) -> None:
    script = folder / "counting.py"
    script.write_text(SCRIPT)
    for expected in ("2 <__main__.Counter", "4 <__main__.Counter"):
        done = subprocess.run(
            [sys.executable, script, path], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == expected
    pool = open_pool("w")
    with pytest.raises(nvm.ClassNotFoundError, match="__main__ does not have it"):
        pool["counter"]
    assert pool.check() == []
    main: Any = sys.modules["__main__"]
    try:
        main.Counter = types.ModuleType  # another that has the name
        with pytest.raises(nvm.ClassNotFoundError, match="not a subclass of PersistentObject"):
            pool["counter"]
    finally:
        del main.Counter
    assert isinstance(pool.new(PersistentList), PersistentList)
