"""LMDB through py-lmdb.

Keys are encoded as UTF-8, integers as 8 bytes, strings as UTF-8: the cheapest forms that give the
value back, cheaper than pickle.
"""

from __future__ import annotations

import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Callable

import lmdb

from bench.competitors.base import KILL, POWER, Competitor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from bench.work import Settings

MAP_SIZE = 64 << 30
NUMBER = struct.Struct("<q")

Coding = tuple[Callable[[Any], bytes], Callable[[bytes], Any]]


def number_from(data: bytes) -> int:
    return NUMBER.unpack(data)[0]  # type: ignore[no-any-return]


class Inside:
    """A named database as a dict, in one transaction."""

    def __init__(self, transaction: Any, database: Any, coding: Coding) -> None:
        self.transaction = transaction
        self.fetch = transaction.get
        self.store = transaction.put
        self.database = database
        self.encode, self.decode = coding

    def __getitem__(self, key: str) -> Any:
        found = self.fetch(key.encode())
        if found is None:
            raise KeyError(key)
        return self.decode(found)

    def get(self, key: str) -> Any:
        found = self.fetch(key.encode())
        return None if found is None else self.decode(found)

    def __contains__(self, key: str) -> bool:
        return self.fetch(key.encode()) is not None

    def __setitem__(self, key: str, value: Any) -> None:
        self.store(key.encode(), self.encode(value))

    def __delitem__(self, key: str) -> None:
        if not self.transaction.delete(key.encode()):
            raise KeyError(key)

    def update(self, entries: Mapping[str, Any]) -> None:
        pairs = [(key.encode(), self.encode(value)) for key, value in entries.items()]
        with self.transaction.cursor() as cursor:
            cursor.putmulti(pairs)

    def clear(self) -> None:
        self.transaction.drop(self.database, delete=False)

    def keys(self) -> Iterable[str]:
        with self.transaction.cursor() as cursor:
            yield from map(bytes.decode, cursor.iternext(values=False))

    def items(self) -> Iterable[tuple[str, Any]]:
        with self.transaction.cursor() as cursor:
            for key, value in cursor:
                yield key.decode(), self.decode(value)


class Alone:
    """A named database as a dict, each operation a transaction of its own."""

    def __init__(self, environment: Any, database: Any, coding: Coding) -> None:
        self.begin = environment.begin
        self.database = database
        self.coding = coding
        self.encode, self.decode = coding

    def inside(self, transaction: Any) -> Inside:
        return Inside(transaction, self.database, self.coding)

    def __getitem__(self, key: str) -> Any:
        with self.begin(self.database) as transaction:
            found = transaction.get(key.encode())
        if found is None:
            raise KeyError(key)
        return self.decode(found)

    def get(self, key: str) -> Any:
        with self.begin(self.database) as transaction:
            found = transaction.get(key.encode())
        return None if found is None else self.decode(found)

    def __contains__(self, key: str) -> bool:
        with self.begin(self.database) as transaction:
            return transaction.get(key.encode()) is not None

    def __setitem__(self, key: str, value: Any) -> None:
        with self.begin(self.database, write=True) as transaction:
            transaction.put(key.encode(), self.encode(value))

    def __delitem__(self, key: str) -> None:
        with self.begin(self.database, write=True) as transaction:
            if not transaction.delete(key.encode()):
                raise KeyError(key)

    def update(self, entries: Mapping[str, Any]) -> None:
        with self.begin(self.database, write=True) as transaction:
            self.inside(transaction).update(entries)

    def clear(self) -> None:
        with self.begin(self.database, write=True) as transaction:
            self.inside(transaction).clear()

    def keys(self) -> Iterable[str]:
        with self.begin(self.database) as transaction:
            yield from self.inside(transaction).keys()

    def items(self) -> Iterable[tuple[str, Any]]:
        with self.begin(self.database) as transaction:
            yield from self.inside(transaction).items()


class Lmdb(Competitor):
    """One environment, a named database for each container."""

    name = "lmdb"

    def __init__(self, folder: Path, settings: Settings, writable: bool = True) -> None:
        super().__init__(folder, settings, writable)
        self.environment = lmdb.open(
            str(folder / "lmdb"),
            map_size=MAP_SIZE,
            max_dbs=200,
            readonly=not writable,
            sync=settings.power,
        )
        self.coding: Coding = (
            (str.encode, bytes.decode) if settings.text else (NUMBER.pack, number_from)
        )

    @classmethod
    def version(cls) -> str:
        return f"{lmdb.__version__}, LMDB {'.'.join(map(str, lmdb.version()))}"

    @classmethod
    def survives(cls, settings: Settings) -> str:
        return f"{POWER}: sync=True" if settings.power else f"{KILL}: sync=False"

    def container(self, kind: str, place: str) -> Alone:
        database = self.environment.open_db(place.encode(), create=self.writable)
        return Alone(self.environment, database, self.coding)

    @contextmanager
    def inside(self, container: Alone, writes: bool) -> Iterator[Inside]:
        with self.environment.begin(container.database, write=writes) as transaction:
            yield container.inside(transaction)

    def close(self) -> None:
        self.environment.close()
