"""The loops in Python, each like the function of its name in loops.c."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

from nvm import pmem, pmem2, pmemblk, pmemlog, vmem

if TYPE_CHECKING:
    from pathlib import Path

    Loop = Callable[[Path, int, int, int], float]

KIB = 1 << 10
MIB = 1 << 20


@dataclass(frozen=True)
class Case:
    """One comparison.

    Args:
        name: Of the function in C, and here.
        size: Of the file, in bytes.
        bytes: Of one operation.
        turns: Operations of one round.
        limit: What Python may take beyond C: nanoseconds, or a part of C's time.
        python: The loop.
    """

    name: str
    size: int
    bytes: int
    turns: int
    limit: float
    python: Loop

    def allowed(self, in_c: float) -> float:
        """Nanoseconds that Python may take beyond C."""
        return self.limit if self.limit >= 1 else self.limit * in_c


def _rate(start: int, turns: int) -> float:
    return (time.perf_counter_ns() - start) / turns


def _each(function: Callable[[Any], object], todo: list[Any]) -> float:
    start = time.perf_counter_ns()
    for part in todo:
        function(part)
    return _rate(start, len(todo))


def _again(function: Callable[[Any, Any], object], target: Any, source: Any, turns: int) -> float:
    start = time.perf_counter_ns()
    for _ in range(turns):
        function(target, source)
    return _rate(start, turns)


def _slices(memory: Any, size: int, length: int, turns: int) -> list[Any]:
    slices = [memory[at : at + length] for at in range(0, size, length)]
    return (slices * (turns // len(slices) + 1))[:turns]


def empty_turn(turns: int) -> float:
    """What a turn of the loops costs that does nothing."""
    start = time.perf_counter_ns()
    for _ in range(turns):
        pass
    return _rate(start, turns)


def persist(path: Path, size: int, length: int, turns: int) -> float:
    """Flush slices, which are at hand, of a mapped file."""
    buffer = pmem.map_file(path, size, pmem.FILE_CREATE, 0o600)
    pmem.memset_persist(buffer, 1)
    found = _each(pmem.persist, _slices(buffer, size, length, turns))
    path.unlink()
    return found


def memcpy_persist(path: Path, size: int, length: int, turns: int) -> float:
    """Copy to the beginning of a mapped file."""
    buffer = pmem.map_file(path, size, pmem.FILE_CREATE, 0o600)
    pmem.memset_persist(buffer, 0)
    found = _again(pmem.memcpy_persist, buffer[:length], bytearray(b"\1" * length), turns)
    path.unlink()
    return found


def persist_slice(path: Path, size: int, length: int, turns: int) -> float:
    """Take a slice of a mapped file and flush it, each turn."""
    buffer = pmem.map_file(path, size, pmem.FILE_CREATE, 0o600)
    pmem.memset_persist(buffer, 1)
    todo = [turn * length % size for turn in range(turns)]
    function = pmem.persist
    start = time.perf_counter_ns()
    for at in todo:
        function(buffer[at : at + length])
    found = _rate(start, turns)
    path.unlink()
    return found


def _map(path: Path, size: int) -> pmem2.Map:
    path.write_bytes(bytes(size))
    with pmem2.Source.from_file(path) as source:
        return pmem2.Map(source, pmem2.Config(granularity=pmem2.Granularity.PAGE))


def map_persist(path: Path, size: int, length: int, turns: int) -> float:
    """Flush slices, which are at hand, of a map of libpmem2's."""
    map = _map(path, size)
    map.memset(map, 1)
    found = _each(map.persist, _slices(map, size, length, turns))
    path.unlink()
    return found


def map_memcpy(path: Path, size: int, length: int, turns: int) -> float:
    """Copy to the beginning of a map of libpmem2's."""
    map = _map(path, size)
    map.memset(map, 0)
    found = _again(map.memcpy, map[:length], bytearray(b"\1" * length), turns)
    path.unlink()
    return found


def heap_allocate(path: Path, size: int, length: int, turns: int) -> float:
    """Allocate a buffer, which is freed at once."""
    function = vmem.Heap(path.parent, size).allocate
    start = time.perf_counter_ns()
    for _ in range(turns):
        function(length)
    return _rate(start, turns)


def log_append(path: Path, size: int, length: int, turns: int) -> float:
    """Append to a log."""
    with pmemlog.create(path, size) as log:
        function = log.append
        data = b"\1" * length
        start = time.perf_counter_ns()
        for _ in range(turns):
            function(data)
        found = _rate(start, turns)
    path.unlink()
    return found


def _blocks(path: Path, size: int, length: int, turns: int, *, reading: bool) -> float:
    with pmemblk.create(path, length, size) as blocks:
        data = b"\1" * length
        count = blocks.nblock()
        for block in range(count):
            blocks.write(data, block)
        todo = [turn % count for turn in range(turns)]
        read, write = blocks.read, blocks.write
        start = time.perf_counter_ns()
        if reading:
            for block in todo:
                read(block)
        else:
            for block in todo:
                write(data, block)
        found = _rate(start, turns)
    path.unlink()
    return found


def block_read(path: Path, size: int, length: int, turns: int) -> float:
    """Read blocks in their order."""
    return _blocks(path, size, length, turns, reading=True)


def block_write(path: Path, size: int, length: int, turns: int) -> float:
    """Write blocks in their order."""
    return _blocks(path, size, length, turns, reading=False)


CASES = (
    Case("persist", 1 * MIB, 64, 50_000, 150, persist),
    Case("persist_slice", 1 * MIB, 64, 50_000, 300, persist_slice),
    Case("map_persist", 1 * MIB, 64, 50_000, 150, map_persist),
    Case("memcpy_persist", 1 * MIB, 1 * MIB, 200, 0.05, memcpy_persist),
    Case("memcpy_persist", 8 * MIB, 8 * MIB, 30, 0.05, memcpy_persist),
    Case("map_memcpy", 1 * MIB, 1 * MIB, 200, 0.05, map_memcpy),
    Case("heap_allocate", 32 * MIB, 1 * KIB, 50_000, 500, heap_allocate),
    Case("log_append", 16 * MIB, 64, 50_000, 200, log_append),
    Case("block_read", 32 * MIB, 4 * KIB, 20_000, 300, block_read),
    Case("block_write", 32 * MIB, 4 * KIB, 20_000, 300, block_write),
)
