"""Pool set files as objects."""

from __future__ import annotations

import os
import pathlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nvm._absent import absent

try:
    from nvm._kit import (
        pmempool_poolset_check,
        pmempool_poolset_format,
        pmempool_poolset_parse,
        pmempool_poolset_read,
        pmempool_poolset_size,
        pmempool_poolset_write,
    )
except ImportError as error:
    raise absent("pmempool", error) from None

if TYPE_CHECKING:
    from nvm._kit import Path, PoolSetTuple

AUTO = 0
"""The size of a part that is a whole device: found out when the pool is made."""


@dataclass
class Part:
    """A file of a pool set, or a directory in which PMDK makes files as the pool grows.

    Attributes:
        path: Absolute, without blanks, '#' and line breaks.
        size: In bytes; `AUTO` for a device; for a directory what the pool may grow to.
    """

    path: str
    size: int = AUTO

    @property
    def is_directory(self) -> bool:
        """Whether there is a directory of this name."""
        return pathlib.Path(self.path).is_dir()


@dataclass
class Replica:
    """A copy of the pool: parts here, or a pool set file on another machine."""

    parts: list[Part] = field(default_factory=list)
    node: str = ""
    pool: str = ""

    @property
    def is_remote(self) -> bool:
        return bool(self.node)


@dataclass
class PoolSet:
    """What a pool set file says (poolset(5)).

    Attributes:
        replicas: The first is the master.
        single_header: Only the first part of each replica has a header (OPTION SINGLEHDR).
        no_headers: None has (OPTION NOHDRS): for sets that another machine's pool is copied to.
    """

    replicas: list[Replica] = field(default_factory=list)
    single_header: bool = False
    no_headers: bool = False

    @classmethod
    def of(cls, *replicas: list[tuple[int, Path]], single_header: bool = False) -> PoolSet:
        """A set of local replicas, each a list of (size, path) pairs."""
        made = [
            Replica([Part(os.fsdecode(path), size) for size, path in parts]) for parts in replicas
        ]
        return cls(made, single_header)

    @classmethod
    def parse(cls, text: str | bytes) -> PoolSet:
        """What a text says; ValueError with the number of the line that is wrong."""
        return cls._from_tuple(pmempool_poolset_parse(os.fsencode(text)))

    @classmethod
    def read(cls, path: Path) -> PoolSet:
        """What a file says; OSError, PoolCorruptError for what is no pool set."""
        return cls._from_tuple(pmempool_poolset_read(path))

    def write(self, path: Path, *, mode: int = 0o666) -> None:
        """Make the file, or replace it, in one step. ValueError if it would be no pool set."""
        pmempool_poolset_write(path, self._to_tuple(), mode)

    def validate(self, kind: str = "obj") -> None:
        """Raise a ValueError that says why PMDK would refuse the set for a pool of this kind.

        kind is "obj", "log" or "blk". The parts themselves are not looked at, but for being
        directories: those cannot be mixed with files.
        """
        pmempool_poolset_check(self._to_tuple(), kind)
        local = [part.is_directory for each in self.replicas for part in each.parts]
        if any(local) and not all(local):
            raise ValueError("directories and files cannot be parts of one pool set")

    @property
    def pool_size(self) -> int:
        """Bytes of the pool: those of the smallest replica, without the parts' headers."""
        return pmempool_poolset_size(self._to_tuple())

    def __str__(self) -> str:
        return os.fsdecode(pmempool_poolset_format(self._to_tuple()))

    def _to_tuple(self) -> PoolSetTuple:
        replicas = [
            ([(part.size, part.path) for part in each.parts], each.node, each.pool)
            for each in self.replicas
        ]
        return replicas, bool(self.single_header), bool(self.no_headers)

    @classmethod
    def _from_tuple(cls, found: PoolSetTuple) -> PoolSet:
        replicas, single_header, no_headers = found
        made = [
            Replica([Part(path, size) for size, path in parts], node, pool)
            for parts, node, pool in replicas
        ]
        return cls(made, single_header, no_headers)
