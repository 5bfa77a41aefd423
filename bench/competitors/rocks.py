"""RocksDB through rocksdict, with its defaults. It stores integers and strings without pickle."""

from __future__ import annotations

from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from rocksdict import AccessType, Options, Rdict, WriteBatch, WriteOptions

from bench.competitors.base import KILL, POWER, Competitor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from bench.work import Settings

LAST = "\U0010ffff"  # greater than any key


class Batch:
    """What is changed at once: the writes of a dict. Reading does not see them yet."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.batch = WriteBatch()
        self.put = self.batch.put
        self.drop = self.batch.delete
        self.get = store.get

    def __getitem__(self, key: str) -> Any:
        return self.store[key]

    def __contains__(self, key: str) -> bool:
        return key in self.store

    def keys(self) -> Iterable[str]:
        return self.store.keys()  # type: ignore[no-any-return]

    def items(self) -> Iterable[tuple[str, Any]]:
        return self.store.items()  # type: ignore[no-any-return]

    def __setitem__(self, key: str, value: Any) -> None:
        self.put(key, value)

    def __delitem__(self, key: str) -> None:
        self.drop(key)

    def update(self, entries: Mapping[str, Any]) -> None:
        for key, value in entries.items():
            self.put(key, value)

    def clear(self) -> None:
        self.batch.delete_range("", LAST)


class Rocks(Competitor):
    """A database for each container: the Rdict itself, or a Batch of its writes."""

    name = "rocksdict"

    def __init__(self, folder: Path, settings: Settings, writable: bool = True) -> None:
        super().__init__(folder, settings, writable)
        self.stores: dict[str, Any] = {}
        self.how = WriteOptions()
        self.how.sync = settings.power

    @classmethod
    def version(cls) -> str:
        return version("rocksdict")

    @classmethod
    def survives(cls, settings: Settings) -> str:
        return f"{POWER}: sync=True" if settings.power else f"{KILL}: sync=False"

    def container(self, kind: str, place: str) -> Any:
        if place not in self.stores:
            access = AccessType.read_write() if self.writable else AccessType.read_only()
            store = Rdict(str(self.folder / place), Options(), access_type=access)
            store.set_write_options(self.how)
            self.stores[place] = store
        return self.stores[place]

    @contextmanager
    def inside(self, container: Any, writes: bool) -> Iterator[Any]:
        if not writes:
            yield container  # a Snapshot has no get()
            return
        batch = Batch(container)
        yield batch
        container.write(batch.batch, self.how)

    def statement(self, case: Any) -> str:
        if case.name == "dict.update":
            return "store.update(c, x)"
        return super().statement(case)

    def update(self, container: Any, entries: Mapping[str, Any]) -> None:
        """In one write, or as a part of the one that is open."""
        if isinstance(container, Batch):
            container.update(entries)
        else:
            with self.inside(container, writes=True) as batch:
                batch.update(entries)

    def close(self) -> None:
        for store in self.stores.values():
            store.close()
