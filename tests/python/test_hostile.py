"""Pools made to deceive: opening and reading one runs no code that the program has not asked for.

What such a pool names lies in a module that only its maker had imported.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

import nvm
from values_of_types import Pair

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nvm.pmemobj import PersistentObjectPool

# `this` is a module of Python's library that prints a poem when it is imported. Its maker's has
# classes of every kind that a pool can name.
MAKER = """
    import dataclasses, enum, os, sys, types
    import nvm
    from nvm.pmemobj import PersistentObject
    from typing import NamedTuple

    sys.modules["this"] = types.ModuleType("this")

    def of_this(cls):
        cls.__module__ = "this"
        cls.__qualname__ = cls.__name__
        setattr(sys.modules["this"], cls.__name__, cls)
        return cls

    @of_this
    class Record(PersistentObject):
        pass

    @of_this
    class Color(enum.Enum):
        RED = 1

    @of_this
    class Named(NamedTuple):
        x: int

    @of_this
    @dataclasses.dataclass(frozen=True)
    class Data:
        x: int

    @of_this
    class Registered:
        pass

    @of_this
    class Pickled:
        def __reduce__(self):
            return os.mkdir, (sys.argv[2],)

    @of_this
    class Custom:
        def _p_new(self, manager):
            return manager.zalloc(64)
        def _p_resurrect(self, manager, oid):
            pass
        def _p_traverse(self):
            return []
        def _p_substructures(self):
            return []
        def _p_deallocate(self):
            pass

    nvm.register_type(Registered, lambda value: 1, lambda state: Registered())
    with nvm.open(sys.argv[1], "n", size="32 MiB", backend="memory") as pool:
        pool.persist_via_pickle(Pickled)
        pool["record"] = pool.new(Record)
        pool["record"].attribute = [1]
        pool["enum"] = [Color.RED]
        pool["named tuple"] = [Named(1)]
        pool["dataclass"] = [Data(1)]
        pool["registered"] = [Registered()]
        pool["pickled"] = [Pickled()]
        pool["custom"] = pool.new(Custom)
        pool["key"] = {Color.RED: 1, Data(1): 2}
        pool["plain"] = [1, "two"]
"""
# What nvm itself takes from the library is imported first.
READER = """
    import re, sys
    import nvm, nvm._dataclasses, nvm._finding, nvm._memory, nvm._standard
    before = set(sys.modules)
    outcomes = {}

    def attempt(name, read):
        try:
            outcomes[name] = read()
        except nvm.Error as error:
            outcomes[name] = type(error).__name__

    def read(pool, key):
        found = pool[key]
        return [*found], repr(found), found[0]

    for flag in "rw":
        pool = nvm.open(sys.argv[1], flag)
        pool.persist_via_pickle(re.Pattern)
        for key in pool:
            attempt(key, lambda: read(pool, key))
        attempt("repr", lambda: len(repr(pool)))
        attempt("check", pool.check)
        if flag == "w":
            attempt("gc", lambda: bool(pool.gc()))
            attempt("del", lambda: [pool.pop(key, None) for key in ("key", "dataclass")] and None)
        attempt("stats", lambda: bool(pool.stats(leaks=True)))
        pool.close()
    print(outcomes)
    print("imported:", sorted(set(sys.modules) - before))
"""


def run(program: str, *arguments: Any) -> str:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_reading_imports_nothing_and_unpickles_nothing(folder: Path) -> None:
    trap = folder / "made by the pickle"
    assert run(MAKER, folder / "pool", trap) == ""
    outcomes, imported = run(READER, folder / "pool").splitlines()
    assert imported == "imported: []"
    found = eval(outcomes)
    assert found["plain"] == ([1, "two"], "PersistentList([1, 'two'])", 1)
    for key in sorted(found.keys() - {"plain", "repr", "check", "gc", "del", "stats"}):
        assert found[key] == "ClassNotFoundError", key
    assert not trap.exists()


class Trap:
    """Its pickle makes a folder."""

    path = ""

    def __reduce__(self) -> Any:
        return os.mkdir, (self.path,)


def test_a_pickle_of_a_class_that_is_there_is_loaded_only_if_that_was_nominated(
    pool: PersistentObjectPool,
    reopen: Callable[[PersistentObjectPool], PersistentObjectPool],
    folder: Path,
) -> None:
    trap = folder / "made by the pickle"
    Trap.path = str(trap)
    pool.persist_via_pickle(Trap)
    pool["trap"] = [Trap()]
    pool = reopen(pool)
    pool.persist_via_pickle(re.Pattern)
    for read in (list, repr, lambda found: found[0], lambda found: found.pop()):
        with pytest.raises(nvm.UnreadableValueError, match="can run any code"):
            read(pool["trap"])
    assert pool.check() == []
    assert not trap.exists()


# ---- A class that is there, and is not of the kind that the pool says


class Watched:
    """An ordinary class: what the pool would make of it is seen."""

    made: list[object] = []

    def __new__(cls, *arguments: Any) -> Any:
        cls.made.append(arguments)
        return super().__new__(cls)

    def __setattr__(self, name: str, value: object) -> None:
        self.made.append(name)

    def __del__(self) -> None:
        self.made.append("del")


class Blocks:
    """The class that the pool is made with: it lays out its own memory."""

    def _p_new(self, manager: Any) -> Any:
        return manager.zalloc(64)

    def _p_resurrect(self, manager: Any, oid: Any) -> None:
        pass

    def _p_traverse(self) -> list[Any]:
        return []

    def _p_substructures(self) -> list[Any]:
        return []

    def _p_deallocate(self) -> None:
        pass


@pytest.fixture
def renamed(
    pool: PersistentObjectPool, path: Path, open_pool: Callable[..., PersistentObjectPool]
) -> Callable[[type, type], PersistentObjectPool]:
    """Closes the pool, lets it name another class, whose name is as long, and opens it again."""

    def renamed(before: type, after: type) -> PersistentObjectPool:
        pool.close()
        data = path.read_bytes()
        names = [f"{cls.__module__}:{cls.__qualname__}".encode() for cls in (before, after)]
        assert len(names[0]) == len(names[1])
        assert data.count(names[0]) == 1
        path.write_bytes(data.replace(*names))
        return open_pool("w")

    return renamed


def test_a_class_without_memory_of_its_own_gets_no_instance(
    pool: PersistentObjectPool, renamed: Callable[[type, type], PersistentObjectPool]
) -> None:
    pool["it"] = pool.new(Blocks)
    other = type("Others", (Watched,), {"__qualname__": "Others", "__module__": __name__})
    globals()["Others"] = other
    Watched.made.clear()
    pool = renamed(Blocks, other)
    with pytest.raises(nvm.ClassNotFoundError, match="has no _p_new"):
        pool["it"]
    with pytest.raises(nvm.ClassNotFoundError, match="has no _p_new"):
        pool.gc()
    assert pool.check() == []
    assert Watched.made == []


def test_a_class_that_is_no_named_tuple_gets_no_instance(
    pool: PersistentObjectPool, renamed: Callable[[type, type], PersistentObjectPool]
) -> None:
    pool["it"] = [Pair(1, 2)]
    other = type("Part", (Watched,), {"__qualname__": "Part", "__module__": Pair.__module__})
    sys.modules[Pair.__module__].Part = other  # type: ignore[attr-defined]
    Watched.made.clear()
    pool = renamed(Pair, other)
    with pytest.raises(nvm.ClassNotFoundError, match="no named tuple"):
        pool["it"][0]
    assert Watched.made == []
