"""Where in a pool's file things lie, read from docs/format.md alone: what damage is aimed at."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple, Union

if TYPE_CHECKING:
    import mmap

    Data = Union[bytes, mmap.mmap]

PAGE = 4096
DESCRIPTOR = 0x1000
ROOT_OFFSET = 0x1800
RUN_ID = 0x1808
HEAP_SIZE = 0x1820
LANES = 0x2000
LANE = 3072
LANE_COUNT = 1024
HEAP = 0x302000
ZONE = 0x302400
CHUNK_HEADERS = ZONE + 64
CHUNKS_IN_ZONE = 65_528
FIRST_CHUNK = CHUNK_HEADERS + 8 * CHUNKS_IN_ZONE
CHUNK = 262_144

USED, RUN = 3, 4
BOXED = 11
COMPACT, NO_HEADER, FLEXIBLE = 1, 2, 8

# Fields of the root object.
HASH_KEY = 40
SESSION = 48
ROOT_CELL = 64
ROOT_DICT = 72
CLASS_TABLE = 80
CLASS_COUNT = 88
LIMBO = 96
TX = 128
ROOT_FIELDS = (0, 8, 16, 24, 32, 40, 48, 64, 72, 80, 88, 96, 128, 136, 144, 152)

BLOB_CELL, OBJECT_CELL = 4, 5
OFFSET_BITS = 48
OFFSET_MASK = (1 << OFFSET_BITS) - 1


class Block(NamedTuple):
    offset: int
    size: int
    type: int  # 0: without header


class Run(NamedTuple):
    begin: int
    unit: int
    flags: int
    bitmap: int
    first_unit: int
    units: int


def word_at(data: Data, offset: int) -> int:
    (word,) = struct.unpack_from("<Q", data, offset)
    return int(word)


def root_object(data: Data) -> int:
    return -(-word_at(data, ROOT_OFFSET) // 64) * 64


def chunks(data: Data) -> list[tuple[int, int, int, int]]:
    """Index, type, flags and length of each link of the chain."""
    found = []
    _, count = struct.unpack_from("<II", data, ZONE)
    count = min(count, CHUNKS_IN_ZONE)
    index = 0
    while index < count:
        kind, flags, length = struct.unpack_from("<HHI", data, CHUNK_HEADERS + 8 * index)
        found.append((index, kind, flags, length))
        index += max(length, 1)
    return found


def run_at(data: Data, index: int, flags: int, length: int) -> Run:
    begin = FIRST_CHUNK + index * CHUNK
    unit = word_at(data, begin)
    content = length * CHUNK - 16
    if flags & FLEXIBLE:
        words = -(-(content // unit) // 64)
        bitmap = -(-(words * 8 + 16) // 64) * 64 - 16
        units = (content - bitmap) // unit
    else:
        bitmap = 38 * 8
        units = min((content - bitmap) // unit, 38 * 64)
    return Run(begin, unit, flags, begin + 16, begin + 16 + bitmap, units)


def runs(data: Data) -> list[Run]:
    return [run_at(data, i, flags, n) for i, kind, flags, n in chunks(data) if kind == RUN]


def blocks(data: Data) -> list[Block]:
    """All allocated blocks; offsets are those behind their headers."""
    found = []
    for index, kind, flags, length in chunks(data):
        if kind == USED:
            found.append(_headed(data, FIRST_CHUNK + index * CHUNK))
        elif kind == RUN:
            found += _blocks_of_run(data, run_at(data, index, flags, length))
    return found


def _headed(data: Data, begin: int) -> Block:
    size, kind = struct.unpack_from("<QQ", data, begin)
    return Block(begin + 16, (size & OFFSET_MASK) - 16, kind)


def _blocks_of_run(data: Data, run: Run) -> list[Block]:
    found = []
    unit = 0
    while unit < run.units:
        if not data[run.bitmap + unit // 8] >> unit % 8 & 1:
            unit += 1
            continue
        begin = run.first_unit + unit * run.unit
        if run.flags & NO_HEADER:
            found.append(Block(begin, run.unit, 0))
            unit += 1
        else:
            block = _headed(data, begin)
            found.append(block)
            unit += max(1, -(-(block.size + 16) // run.unit))
    return found
