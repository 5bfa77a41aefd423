"""sqlitedict: SQLite behind a thread of its own, with values pickled.

Its autocommit returns before anything is committed, so commit() is called after each write.
"""

from __future__ import annotations

import platform
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Callable

import sqlitedict

from bench.competitors.base import KILL, POWER, Competitor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.work import Settings


class SqliteDictionary(Competitor):
    """A database for each container."""

    name = "sqlitedict"

    def __init__(self, folder: Path, settings: Settings, writable: bool = True) -> None:
        super().__init__(folder, settings, writable)
        self.dicts: dict[str, Any] = {}

    @classmethod
    def missing(cls) -> str | None:
        if platform.python_implementation() == "PyPy":
            return "on PyPy its thread dies in commit(), and its callers wait for ever"
        return None

    @classmethod
    def version(cls) -> str:
        return f"{sqlitedict.__version__}"

    @classmethod
    def survives(cls, settings: Settings) -> str:
        what = POWER if settings.sqlite in ("FULL", "EXTRA") else KILL
        return f"{what}: commit() after each, WAL, synchronous={settings.sqlite}"

    def container(self, kind: str, place: str) -> Any:
        if place not in self.dicts:
            made = sqlitedict.SqliteDict(
                str(self.folder / f"{place}.sqlite"),
                tablename="data",
                flag="c" if self.writable else "r",
                journal_mode="WAL",
                outer_stack=False,
            )
            made.conn.execute(f"PRAGMA synchronous = {self.settings.sqlite}")
            self.dicts[place] = made
        return self.dicts[place]

    def commit(self, container: Any) -> Callable[[], object]:
        return container.commit  # type: ignore[no-any-return]

    @contextmanager
    def inside(self, container: Any, writes: bool) -> Iterator[Any]:
        yield container
        if writes:
            container.commit()

    def close(self) -> None:
        for made in self.dicts.values():
            made.close()
