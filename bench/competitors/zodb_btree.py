"""ZODB: an OOBTree for each container, in a FileStorage, with all objects in its cache."""

from __future__ import annotations

from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Callable

import transaction
import ZODB
from BTrees.OOBTree import OOBTree
from ZODB.FileStorage import FileStorage

from bench.competitors.base import POWER, Competitor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.work import Settings

CACHE = 10_000_000  # objects; with the default of 400 it would load them again and again


class Zodb(Competitor):
    """One connection."""

    name = "ZODB"

    def __init__(self, folder: Path, settings: Settings, writable: bool = True) -> None:
        super().__init__(folder, settings, writable)
        storage = FileStorage(str(folder / "Data.fs"), read_only=not writable)
        self.database = ZODB.DB(storage, cache_size=CACHE)
        self.manager = transaction.TransactionManager()
        self.connection = self.database.open(transaction_manager=self.manager)

    @classmethod
    def version(cls) -> str:
        return f"{version('ZODB')}, BTrees {version('BTrees')}"

    @classmethod
    def survives(cls, settings: Settings) -> str:
        return f"{POWER}: fsync at each commit, always"

    def container(self, kind: str, place: str) -> Any:
        root = self.connection.root()
        if place not in root:
            root[place] = OOBTree()
            self.manager.commit()
        return root[place]

    def commit(self, container: Any) -> Callable[[], object]:
        return self.manager.commit  # type: ignore[no-any-return]

    @contextmanager
    def inside(self, container: Any, writes: bool) -> Iterator[Any]:
        with self.manager:
            yield container

    def close(self) -> None:
        self.manager.abort()
        self.connection.close()
        self.database.close()
