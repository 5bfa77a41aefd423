"""Whole pools on a disk: recovery, opening, checkpoints, and large values."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import nvm
from bench.durable.figures import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MB = 1e6
HALVES = 32 << 20  # of a journal, which the large record lies behind
TOGETHER = 64  # MiB stored in one transaction

# Ends without closing, as soon as a transaction of so many entries is durable.
LEAVE = """
import os, sys, nvm
pool = nvm.open(sys.argv[1], backend="journal")
entries = pool.setdefault("entries", {})
with pool.transaction():
    for number in range(int(sys.argv[2])):
        entries[number] = f"value {number} " * 60
os._exit(0)
"""


def recovery(folder: Path, rounds: int, entries: int) -> Iterator[Figure]:
    """The journal's bytes through the time to open, less that of a clean pool of that size.

    All of them are in the pool's file, synced, when it is open: shown beside what that takes alone.
    """
    speeds, bare = [], []
    for number in range(rounds):
        path = folder / f"recovery{number}.pool"
        subprocess.run([sys.executable, "-c", LEAVE, path, str(entries)], check=True)
        journal = path.with_name(f"{path.name}.journal").stat().st_size - HALVES
        start = time.perf_counter()
        pool = nvm.open(path)
        recovered = time.perf_counter() - start
        pool.close()
        start = time.perf_counter()
        pool = nvm.open(path)
        clean = time.perf_counter() - start
        pool.close()
        speeds.append(journal / (recovered - clean) / MB)
        path.unlink()
        bare.append(journal / _seconds_to_write(path, journal) / MB)
    what, speed = "recovery of a journal", statistics.median(speeds)
    yield Figure(what, speed, "MB/s", aim=500, more_is_better=True)
    yield Figure(
        what,
        speed,
        "MB/s",
        "write + fsync of as many bytes",
        statistics.median(bare),
        more_is_better=True,
        ratio_of_rounds=statistics.median(a / b for a, b in zip(speeds, bare)),
    )


def _seconds_to_write(path: Path, length: int) -> float:
    """A file that is written and synced; it is removed again."""
    block = os.urandom(16 << 20)
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    start = time.perf_counter()
    for offset in range(0, length, len(block)):
        os.write(file, block[: length - offset])
    os.fsync(file)
    seconds = time.perf_counter() - start
    os.close(file)
    path.unlink()
    return seconds


def opening(folder: Path, rounds: int, gibibytes: float) -> Iterator[Figure]:
    """Opening a large clean pool, and its first read, with a warm cache."""
    path = folder / "large.pool"
    with nvm.open(path) as pool:
        blocks = pool.setdefault("blocks", {})
        for first in range(0, int(gibibytes * 1024), TOGETHER):
            with pool.transaction():
                for number in range(first, first + TOGETHER):
                    blocks[number] = bytes([number % 256]) * (1 << 20)
    times = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        pool = nvm.open(path)
        assert len(pool["blocks"])
        times.append((time.perf_counter() - start) * 1e3)
        pool.close()
    path.unlink()
    what = f"open and first read of a clean pool of {gibibytes:g} GiB"
    yield Figure(what, statistics.median(times[1:]), "ms", aim=10)


def checkpoints(folder: Path, seconds: float) -> Iterator[Figure]:
    """How long commits take while checkpoints are written, beside those of a bare disk."""
    path = folder / "checkpoints.pool"
    times: list[float] = []
    with nvm.open(path) as pool:
        data = pool.setdefault("data", {})
        for turn in _until(seconds):
            start = time.perf_counter()
            with pool.transaction():
                for number in range(50):
                    data[turn * 50 + number] = "x" * 100
            times.append((time.perf_counter() - start) * 1e3)
    file = os.open(folder / "bare checkpoints", os.O_RDWR | os.O_CREAT)
    os.pwrite(file, bytes(64 << 20), 0)
    os.fsync(file)
    bare: list[float] = []
    for turn in _until(seconds):
        start = time.perf_counter()
        os.pwrite(file, bytes(16 << 10), turn * (16 << 10) % (64 << 20))
        os.fdatasync(file)
        bare.append((time.perf_counter() - start) * 1e3)
    os.close(file)
    late, late_bare = (statistics.quantiles(found, n=100)[98] for found in (times, bare))
    what = "the 99th percentile of commits while checkpoints are written, beyond a bare sync's"
    yield Figure(what, late - late_bare, "ms", aim=5)


def _until(seconds: float) -> Iterator[int]:
    end = time.perf_counter() + seconds
    turn = 0
    while time.perf_counter() < end:
        yield turn
        turn += 1


def large_values(folder: Path, rounds: int, mebibytes: int) -> Iterator[Figure]:
    """Bytes stored in one transaction, beside a file that is written and synced."""
    block = os.urandom(16 << 20)
    count = mebibytes // 16
    ours, theirs = [], []
    for number in range(rounds):
        path = folder / f"values{number}.pool"
        with nvm.open(path) as pool:
            pool["begun"] = True
            start = time.perf_counter()
            with pool.transaction():
                pool["blocks"] = []
                blocks = pool["blocks"]
                for _ in range(count):
                    blocks.append(block)
            ours.append(mebibytes * 1.048576 / (time.perf_counter() - start))
        path.unlink()
        theirs.append(mebibytes * 1.048576 / _seconds_to_write(path, mebibytes << 20))
    yield Figure(
        f"{mebibytes} MiB of bytes in one transaction",
        statistics.median(ours),
        "MB/s",
        "write + fsync of a file",
        statistics.median(theirs),
        0.8,
        more_is_better=True,
        ratio_of_rounds=statistics.median(a / b for a, b in zip(ours, theirs)),
    )
