"""SQLite through the standard library's sqlite3: a table of keys and values, in WAL mode."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bench.competitors.base import KILL, POWER, Competitor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from bench.work import Settings

CACHE_KIB = 256 << 10  # for pages; the default of 2 MiB would make it read them over and over


class Table:
    """A table as a dict; each statement is a transaction, unless one is open."""

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self.execute = connection.execute
        self.executemany = connection.executemany
        self.select = f'SELECT value FROM "{name}" WHERE key = ?'
        self.replace = f'INSERT OR REPLACE INTO "{name}" VALUES (?, ?)'
        self.delete = f'DELETE FROM "{name}" WHERE key = ?'
        self.name = name

    def __getitem__(self, key: str) -> Any:
        found = self.execute(self.select, (key,)).fetchone()
        if found is None:
            raise KeyError(key)
        return found[0]

    def get(self, key: str) -> Any:
        found = self.execute(self.select, (key,)).fetchone()
        return None if found is None else found[0]

    def __contains__(self, key: str) -> bool:
        return self.execute(self.select, (key,)).fetchone() is not None

    def __setitem__(self, key: str, value: Any) -> None:
        self.execute(self.replace, (key, value))

    def __delitem__(self, key: str) -> None:
        if not self.execute(self.delete, (key,)).rowcount:
            raise KeyError(key)

    def clear(self) -> None:
        self.execute(f'DELETE FROM "{self.name}"')

    def update(self, entries: Mapping[str, Any]) -> None:
        """In the transaction that is open, which without one is one for each entry."""
        self.executemany(self.replace, entries.items())

    def keys(self) -> Iterable[str]:
        for (key,) in self.execute(f'SELECT key FROM "{self.name}"'):
            yield key

    def items(self) -> Iterable[tuple[str, Any]]:
        return self.execute(f'SELECT key, value FROM "{self.name}"')


class Sqlite(Competitor):
    """One database, a table without row ids for each container."""

    name = "sqlite3"

    def __init__(self, folder: Path, settings: Settings, writable: bool = True) -> None:
        super().__init__(folder, settings, writable)
        mode = "rwc" if writable else "ro"
        self.connection = sqlite3.connect(
            f"{(folder / 'data.sqlite').as_uri()}?mode={mode}", uri=True, isolation_level=None
        )
        if writable:
            self.connection.execute("PRAGMA journal_mode = WAL").fetchone()
        self.connection.execute(f"PRAGMA synchronous = {settings.sqlite}")
        self.connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")

    @classmethod
    def version(cls) -> str:
        return f"SQLite {sqlite3.sqlite_version}"

    @classmethod
    def survives(cls, settings: Settings) -> str:
        what = POWER if settings.sqlite in ("FULL", "EXTRA") else KILL
        return f"{what}: WAL, synchronous={settings.sqlite}"

    def container(self, kind: str, place: str) -> Table:
        if self.writable:
            self.connection.execute(
                f'CREATE TABLE IF NOT EXISTS "{place}" (key TEXT PRIMARY KEY, value) WITHOUT ROWID'
            )
        return Table(self.connection, place)

    @contextmanager
    def inside(self, container: Table, writes: bool) -> Iterator[Table]:
        self.connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
        with self.connection:  # commits, or rolls back
            yield container

    def statement(self, case: Any) -> str:
        if case.name == "dict.update":
            return "with store.joined(c): c.update(x)"
        return super().statement(case)

    @contextmanager
    def joined(self, container: Table) -> Iterator[None]:
        """A transaction, unless one is open."""
        if self.connection.in_transaction:
            yield
        else:
            with self.inside(container, writes=True):
                yield

    def close(self) -> None:
        self.connection.close()
