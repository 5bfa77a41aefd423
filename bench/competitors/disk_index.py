"""diskcache: its Index, a dict that forgets nothing, on SQLite."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import diskcache

from bench.competitors.base import KILL, POWER, Competitor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.work import Settings

LEVELS = {"OFF": 0, "NORMAL": 1, "FULL": 2, "EXTRA": 3}


class DiskIndex(Competitor):
    """A folder for each container."""

    name = "diskcache"

    def __init__(self, folder: Path, settings: Settings, writable: bool = True) -> None:
        super().__init__(folder, settings, writable)
        self.indexes: dict[str, Any] = {}

    @classmethod
    def version(cls) -> str:
        return f"{diskcache.__version__}"

    @classmethod
    def survives(cls, settings: Settings) -> str:
        what = POWER if settings.sqlite in ("FULL", "EXTRA") else KILL
        return f"{what}: WAL, sqlite_synchronous={settings.sqlite}"

    def container(self, kind: str, place: str) -> Any:
        if place not in self.indexes:
            cache = diskcache.Cache(
                str(self.folder / place),
                eviction_policy="none",
                cull_limit=0,
                sqlite_synchronous=LEVELS[self.settings.sqlite],
            )
            self.indexes[place] = diskcache.Index.fromcache(cache)
        return self.indexes[place]

    @contextmanager
    def inside(self, container: Any, writes: bool) -> Iterator[Any]:
        if writes:
            with container.transact():
                yield container
        else:
            yield container

    def statement(self, case: Any) -> str:
        if case.name == "dict.update":
            return "with c.transact(): c.update(x)"
        return super().statement(case)

    def close(self) -> None:
        for index in self.indexes.values():
            index.cache.close()
