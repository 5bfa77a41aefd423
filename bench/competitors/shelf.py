"""shelve, on the best dbm module that this Python has: values pickled, no transactions."""

from __future__ import annotations

import dbm
import shelve
from importlib import import_module
from typing import TYPE_CHECKING, Any, Callable

from bench.competitors.base import KILL, POWER, Competitor

if TYPE_CHECKING:
    from pathlib import Path

    from bench.work import Settings

# The order in which dbm.open() tries them; dbm._names says the same, but is not public.
MODULES = ("dbm.sqlite3", "dbm.gnu", "dbm.ndbm", "dbm.dumb")


def backend() -> str:
    """The first of the modules that can be imported."""
    for name in MODULES:
        try:
            import_module(name)
        except ImportError:
            continue
        return name
    raise ImportError("no dbm module")


class Shelf(shelve.Shelf):  # type: ignore[type-arg]
    """A Shelf that is cleared at once, instead of key by key."""

    def __init__(self, path: str, flag: str) -> None:
        self.path = path
        super().__init__(dbm.open(path, flag))  # type: ignore[arg-type]  # noqa: SIM115

    def clear(self) -> None:
        self.dict.close()  # type: ignore[has-type]
        self.dict = dbm.open(self.path, "n")  # noqa: SIM115


class Shelve(Competitor):
    """A file for each container."""

    name = "shelve"
    transactions = False

    def __init__(self, folder: Path, settings: Settings, writable: bool = True) -> None:
        super().__init__(folder, settings, writable)
        self.shelves: dict[str, Shelf] = {}

    @classmethod
    def version(cls) -> str:
        return f"on {backend()}"

    @classmethod
    def survives(cls, settings: Settings) -> str:
        if backend() == "dbm.dumb":
            return f"{KILL}, if not within a write; never {POWER}: it has no fsync"
        if settings.power:
            return f"{POWER}, if not within a write: sync() after each"
        return f"{KILL}, if not within a write"

    def container(self, kind: str, place: str) -> Shelf:
        if place not in self.shelves:
            flag = "c" if self.writable else "r"
            self.shelves[place] = Shelf(str(self.folder / place), flag)
        return self.shelves[place]

    def commit(self, container: Any) -> Callable[[], object] | None:
        return container.sync if self.settings.power else None

    def close(self) -> None:
        for shelf in self.shelves.values():
            shelf.close()
