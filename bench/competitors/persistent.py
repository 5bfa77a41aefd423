"""pynvm: on each of its backends."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal

import nvm
from bench.competitors.base import KILL, POWER, Competitor
from bench.competitors.builtin import PLAIN
from nvm import pmemobj

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from bench.work import Settings

TYPES = {
    "list": "PersistentList",
    "dict": "PersistentDict",
    "set": "PersistentSet",
    "bytearray": "PersistentByteArray",
    "object": "PersistentObject",
    "nested": "PersistentDict",
}


class Thing(pmemobj.PersistentObject):
    """A persistent object."""

    alpha: Any

    def touch(self) -> None:
        """Do nothing."""


class Nvm(Competitor):
    """Each container has a place of its own in the pool."""

    backend: Literal["memory", "dax", "journal"]
    kinds = frozenset(kind for kind, name in TYPES.items() if hasattr(pmemobj, name))

    def __init__(self, folder: Path, settings: Settings, writable: bool = True) -> None:
        super().__init__(folder, settings, writable)
        file = folder / f"{self.backend}.pool"
        sync: Literal["commit", "relaxed"] = "commit" if settings.power else "relaxed"
        if self.backend != "journal":
            sync = "commit"
        self.pool = nvm.open(file, "c" if writable else "r", backend=self.backend, sync=sync)

    @classmethod
    def version(cls) -> str:
        return f"{nvm.__version__}, backend {cls.backend}"

    def close(self) -> None:
        self.pool.close()

    def used_bytes(self) -> int:
        return self.pool.stats()["allocated_bytes"]  # type: ignore[no-any-return]

    def container(self, kind: str, place: str) -> Any:
        if place not in self.pool:
            self.pool[place] = self.pool.new(Thing) if kind == "object" else PLAIN[kind]()
        return self.pool[place]

    def inside(self, container: Any, writes: bool) -> AbstractContextManager[Any]:
        return _Inside(self.pool.transaction() if writes else self.pool.reading(), container)


class _Inside:
    """A context manager of the pool that gives the container instead."""

    def __init__(self, context: Any, container: Any) -> None:
        self.context = context
        self.container = container

    def __enter__(self) -> Any:
        self.context.__enter__()
        return self.container

    def __exit__(self, *details: Any) -> Any:
        return self.context.__exit__(*details)


class NvmMemory(Nvm):
    name = "nvm"
    backend = "memory"

    @classmethod
    def survives(cls, settings: Settings) -> str:
        return f"{KILL}: stores to shared pages"


class NvmDax(Nvm):
    name = "nvm-dax"
    backend = "dax"

    @classmethod
    def missing(cls) -> str | None:
        if os.environ.get("PMEM_IS_PMEM_FORCE") == "1":
            return None
        return "only with --dax"

    @classmethod
    def survives(cls, settings: Settings) -> str:
        return f"{POWER} on persistent memory, {KILL} on other: lines written back and fenced"


class NvmJournal(Nvm):
    name = "nvm-journal"
    backend = "journal"

    @classmethod
    def survives(cls, settings: Settings) -> str:
        return f"{POWER}: one sync a commit" if settings.power else f'{KILL}: sync="relaxed"'
