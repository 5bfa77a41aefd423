"""The log of a disk, and the disks that a power cut at any place in it may have left.

The log is what QEMU's blklogwrites driver writes, the format of Linux's dm-log-writes: a
superblock, then for each request a sector with its header, and its data.

The model of a cut after so many requests: what was written before the last flush is on the medium.
Of each later write it is open whether it is there, wholly, not at all, or with some of its sectors
of 512 bytes; writes are independent of each other.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Iterator
    from pathlib import Path

SECTOR = 512
FLUSH, FUA, DISCARD = 1, 2, 4
MAGIC, VERSION = 0x6A736677736872, 1
SUPERBLOCK = struct.Struct("<QQQI")  # magic, version, number of entries, sector size
ENTRY = struct.Struct("<QQQQ")  # sector, number of sectors, flags, length of data for marks


class Request(NamedTuple):
    """A write, a flush, or both: then the flush comes first."""

    offset: int  # in bytes
    data: bytes
    flags: int


def read_log(path: Path) -> list[Request]:
    """The requests in the order in which they were completed.

    The superblock's count lags behind when the machine is killed, so reading goes on up to the
    first header of zeros, or to where the file ends.

    Raises:
        ValueError: This is no such log, or one of a disk that does not fit the model.
    """
    return list(_requests(path.read_bytes()))


def _requests(log: bytes) -> Iterator[Request]:
    magic, version, _, sector_size = SUPERBLOCK.unpack_from(log)
    if (magic, version) != (MAGIC, VERSION):
        raise ValueError("not a log of blklogwrites")
    position = sector_size
    while position + sector_size <= len(log):
        sector, count, flags, _ = ENTRY.unpack_from(log, position)
        position += sector_size
        if count == flags == 0:
            return
        if flags & FUA:
            raise ValueError("the machine's disk offers no writes with FUA, and yet there is one")
        if flags & DISCARD:
            continue
        data = log[position : position + count * sector_size]
        position += len(data)
        if len(data) < count * sector_size:
            return
        yield Request(sector * sector_size, data, flags)


class Piece(NamedTuple):
    """Bytes that are on the medium."""

    offset: int
    data: bytes


@dataclass
class Cut:
    """The power fails after the first `position` requests."""

    position: int
    durable: list[Piece]  # since the cut before
    undecided: list[Piece]
    acknowledged: int

    def choose(self, rng: random.Random, whole_before: int = 0) -> list[Piece]:
        """What of the undecided writes is on the medium: all, none, some, in part or whole.

        Those that begin before the offset `whole_before` are never torn.
        """
        share = rng.choice((0.0, 1.0, rng.random()))
        kept = [piece for piece in self.undecided if rng.random() < share]
        if rng.random() < 0.5:
            return kept
        return [
            part
            for piece in kept
            for part in ([piece] if piece.offset < whole_before else torn(piece, rng))
        ]


def torn(piece: Piece, rng: random.Random) -> list[Piece]:
    """Some sectors of a write, each by itself."""
    return [
        Piece(piece.offset + at, piece.data[at : at + SECTOR])
        for at in range(0, len(piece.data), SECTOR)
        if rng.random() < 0.5
    ]


def cuts(log: list[Request], positions: Iterable[int], acknowledgements: int) -> Iterator[Cut]:
    """The cuts at these positions, which ascend.

    `acknowledgements` is the offset at which the machine tells what it has done: a number of 8
    bytes, beyond all else.
    """
    passed, acknowledged = 0, 0
    durable: list[Piece] = []
    undecided: list[Piece] = []
    for position in positions:
        for request in log[passed:position]:
            if request.flags & FLUSH:
                durable += undecided
                undecided = []
            if request.offset == acknowledgements and request.data:
                acknowledged = int.from_bytes(request.data[:8], "little")
            elif request.data:
                undecided.append(Piece(request.offset, request.data))
        passed = position
        yield Cut(position, durable, list(undecided), acknowledged)
        durable = []
