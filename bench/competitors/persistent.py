"""pynvm: on the memory backend, and on the dax backend with true flushes and fences."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import nvm
from bench.competitors.python_objects import PythonObjects, chunks
from nvm.pmemobj import PersistentObject

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path


class Thing(PersistentObject):
    """A persistent object."""


class Nvm(PythonObjects):
    """Each list, dict or object has a place of its own in the pool."""

    backend = ""

    def __init__(self, folder: Path, writable: bool = True) -> None:
        super().__init__(folder)
        file = folder / f"{self.backend}.pool"
        self.pool = nvm.open(file, "c" if writable else "r", backend=self.backend)
        self.kept = 0

    def close(self) -> None:
        self.pool.close()

    def transaction(self) -> AbstractContextManager[object]:
        return self.pool.transaction()

    def keep(self, value: Any) -> Any:
        place = f"kept {self.kept}"
        self.kept += 1
        self.pool[place] = value
        return self.pool[place]

    def make_list(self, values: list[Any]) -> Any:
        return self.keep(values)

    def make_dict(self, values: dict[str, Any]) -> Any:
        return self.keep(values)

    def make_object(self) -> Any:
        return self.keep(self.pool.new(Thing))

    # ---- Opening

    def fill(self, entries: int) -> None:
        self.pool["data"] = {}
        data = self.pool["data"]
        for chunk in chunks(entries):
            data.update(chunk)

    def lookup(self, key: str) -> object:
        return self.pool["data"][key]

    def insert(self, key: str, value: int) -> None:
        self.pool["data"][key] = value

    def interrupt(self) -> None:
        self.pool.transaction().begin()
        for number in range(100):
            self.insert(f"never committed {number}", number)


class NvmMemory(Nvm):
    name = "nvm"
    backend = "memory"


class NvmDax(Nvm):
    name = "nvm-dax"
    backend = "dax"

    @classmethod
    def missing(cls) -> str | None:
        if os.environ.get("PMEM_IS_PMEM_FORCE") == "1":
            return None
        return "only with --dax"
