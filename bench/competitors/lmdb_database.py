"""LMDB through py-lmdb, with its defaults: a transaction is durable when it ends.

Keys are encoded as UTF-8; list elements have their index, 8 bytes big-endian, as key. Integers are
8 bytes, strings UTF-8: the cheapest forms that give the value back, cheaper than pickle.
"""

from __future__ import annotations

import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import lmdb

from bench.competitors.base import Competitor
from bench.competitors.python_objects import chunks
from bench.measure import Run
from bench.work import ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bench.work import Work

MAP_SIZE = 8 << 30
INDEX = struct.Struct(">Q")
NUMBER = struct.Struct("<q")


class Lmdb(Competitor):
    """One environment, a named database for each case."""

    name = "lmdb"

    def __init__(self, folder: Path, writable: bool = True) -> None:
        super().__init__(folder)
        self.environment = lmdb.open(
            str(folder / "lmdb"), map_size=MAP_SIZE, max_dbs=200, readonly=not writable
        )
        self.data = self.environment.open_db(b"data")
        self.databases = 0

    def close(self) -> None:
        self.environment.close()

    def _database(self, items: Any) -> Any:
        self.databases += 1
        database = self.environment.open_db(f"database {self.databases}".encode())
        with self.environment.begin(write=True, db=database) as transaction:
            for key, value in items:
                transaction.put(key, value)
        return database

    @contextmanager
    def _operations(self, database: Any, work: Work, write: bool) -> Iterator[tuple[Any, Any]]:
        """get and put: of one transaction, or each in a transaction of its own."""
        begin = self.environment.begin
        if work.transaction:
            with begin(write=write, db=database) as transaction:
                yield transaction.get, transaction.put
            return

        def get(key: bytes) -> Any:
            with begin(db=database) as transaction:
                return transaction.get(key)

        def put(key: bytes, value: bytes) -> None:
            with begin(write=True, db=database) as transaction:
                transaction.put(key, value)

        yield get, put

    def _reading(
        self, work: Work, items: Any, wanted: list[Any], encode: Callable[[Any], bytes]
    ) -> Run:
        database, decode = self._database(items), _decoder(work)

        def call() -> None:
            with self._operations(database, work, write=False) as (get, _):
                for key in wanted:
                    decode(get(encode(key)))

        return Run(call, work.batch)

    def _writing(
        self,
        work: Work,
        items: Any,
        changes: list[tuple[Any, Any]],
        encode: Callable[[Any], bytes],
        fresh: bool = False,
    ) -> Run:
        database, encode_value = self._database(items), _encoder(work)

        def empty() -> None:
            with self.environment.begin(write=True) as transaction:
                transaction.drop(database, delete=False)

        def call() -> None:
            with self._operations(database, work, write=True) as (_, put):
                for key, value in changes:
                    put(encode(key), encode_value(value))

        return Run(call, work.batch, empty if fresh else None)

    # ---- The cases

    def list_read(self, work: Work) -> Run:
        return self._reading(work, _list_items(work), work.places(), INDEX.pack)

    def list_write(self, work: Work) -> Run:
        changes = [(place, work.value(place)) for place in work.places()]
        return self._writing(work, _list_items(work), changes, INDEX.pack)

    def list_append(self, work: Work) -> Run:
        added = [(number, work.value(number)) for number in range(work.batch)]
        return self._writing(work, (), added, INDEX.pack, fresh=True)

    def dict_read(self, work: Work) -> Run:
        keys = work.keys()
        wanted = [keys[place] for place in work.places()]
        return self._reading(work, _dict_items(work), wanted, str.encode)

    def dict_write(self, work: Work) -> Run:
        keys = work.keys()
        changes = [(keys[place], work.value(place)) for place in work.places()]
        return self._writing(work, _dict_items(work), changes, str.encode)

    def dict_insert(self, work: Work) -> Run:
        added = [(f"key{number:07d}", work.value(number)) for number in range(work.batch)]
        return self._writing(work, (), added, str.encode, fresh=True)

    def attribute_read(self, work: Work) -> Run:
        wanted = list(ATTRIBUTES) * (work.batch // len(ATTRIBUTES))
        return self._reading(work, _attribute_items(work), wanted, str.encode)

    def attribute_write(self, work: Work) -> Run:
        turns = range(work.batch // len(ATTRIBUTES))
        changes = [(name, work.value(number)) for number in turns for name in ATTRIBUTES]
        return self._writing(work, _attribute_items(work), changes, str.encode)

    # ---- Opening

    def fill(self, entries: int) -> None:
        for chunk in chunks(entries):
            with self.environment.begin(write=True, db=self.data) as transaction:
                for key, value in chunk.items():
                    transaction.put(key.encode(), NUMBER.pack(value))

    def lookup(self, key: str) -> object:
        with self.environment.begin(db=self.data) as transaction:
            return NUMBER.unpack(transaction.get(key.encode()))[0]

    def insert(self, key: str, value: int) -> None:
        with self.environment.begin(write=True, db=self.data) as transaction:
            transaction.put(key.encode(), NUMBER.pack(value))

    def interrupt(self) -> None:
        self.open = self.environment.begin(write=True, db=self.data)
        for number in range(100):
            self.open.put(f"never committed {number}".encode(), NUMBER.pack(number))


def _encoder(work: Work) -> Callable[[Any], bytes]:
    return str.encode if work.text else NUMBER.pack


def _decoder(work: Work) -> Callable[[bytes], Any]:
    return bytes.decode if work.text else lambda data: NUMBER.unpack(data)[0]


def _list_items(work: Work) -> Any:
    encode = _encoder(work)
    return ((INDEX.pack(number), encode(value)) for number, value in enumerate(work.values()))


def _dict_items(work: Work) -> Any:
    encode = _encoder(work)
    return ((key.encode(), encode(value)) for key, value in zip(work.keys(), work.values()))


def _attribute_items(work: Work) -> Any:
    return ((name.encode(), _encoder(work)(work.value(0))) for name in ATTRIBUTES)
