"""Commits, one after the other and of many threads, beside other stores and a bare disk."""

from __future__ import annotations

import os
import statistics
import threading
import time
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

import nvm
from bench.competitors import load
from bench.durable.figures import Figure
from bench.measure import Run, measure
from bench.work import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BLOCK = 4096
BARE_BYTES = 64 << 20
TOGETHER = 100  # inserts of one transaction
NUMBERS = count(10_000_000)  # of new keys
CHECKPOINT = 2  # seconds: what was stored is brought to the pool's file meanwhile
BARE = "write + fdatasync of 4 KiB"

Aims = dict[str, "float | None"]  # the ratio of nvm's time to theirs; None: it is only shown

ALONE: Aims = {BARE: 1.2, "sqlite3": 0.85, "lmdb": 0.6, "ZODB": 0.5, "rocksdict": 0.9}
JOINED: Aims = {BARE: 1.5, "sqlite3": 0.5, "lmdb": 0.8, "ZODB": None, "rocksdict": None}
RELAXED_ALONE: Aims = {"sqlite3": 0.4, "lmdb": 1.5, "rocksdict": None}
RELAXED_JOINED: Aims = {"sqlite3": 0.5, "lmdb": 1.5, "rocksdict": None}


class Bare:
    """A file with all its blocks written, of which one is written again and synced."""

    def __init__(self, folder: Path) -> None:
        self.file = os.open(folder / "bare", os.O_RDWR | os.O_CREAT)
        self.block = os.urandom(BLOCK)
        for offset in range(0, BARE_BYTES, 1 << 20):
            os.pwrite(self.file, bytes(1 << 20), offset)
        os.fsync(self.file)
        self.offsets = count(0, BLOCK)

    def loop(self, arguments: list[Any]) -> None:
        for _ in arguments:
            os.pwrite(self.file, self.block, next(self.offsets) % BARE_BYTES)
            os.fdatasync(self.file)

    def close(self) -> None:
        os.close(self.file)


def alone(store: Any, container: Any) -> Run:
    commit = store.commit(container) or (lambda: None)

    def loop(keys: list[str]) -> None:
        for key in keys:
            container[key] = 1
            commit()

    return Run(loop, _nothing, _nothing)


def together(store: Any, container: Any) -> Run:
    def loop(keys: list[str]) -> None:
        for key in keys:
            with store.inside(container, True) as inside:
                for number in range(TOGETHER):
                    inside[f"{key}.{number}"] = number

    return Run(loop, _nothing, _nothing)


def _nothing(_: list[Any]) -> None:
    pass


def commits(folder: Path, power: bool, rounds: int) -> Iterator[Figure]:
    """One insert a commit, and 100: nvm beside the others, in turn."""
    settings = Settings(durability="power" if power else "process")
    single, joined = (ALONE, JOINED) if power else (RELAXED_ALONE, RELAXED_JOINED)
    how = "durable" if power else "relaxed"
    for what, make, aims in (
        (f"{how}: d[k] = v", alone, single),
        (f"{how}: a transaction of {TOGETHER} inserts", together, joined),
    ):
        place = folder / f"{how} {make.__name__}"
        with ExitStack() as closing:
            runs = {}
            for name in ("nvm-journal", *aims):
                if name == BARE:
                    place.mkdir(exist_ok=True, parents=True)
                    bare = Bare(place)
                    closing.callback(bare.close)
                    runs[name] = Run(bare.loop, _nothing, _nothing)
                    continue
                try:
                    kind = load(name)
                except ImportError:
                    continue
                (place / name).mkdir(parents=True)
                store = kind(place / name, settings)
                closing.callback(store.close)
                runs[name] = make(store, store.container("dict", "data"))
            draw = lambda _: [f"key{next(NUMBERS)}" for _ in range(BLOCK)]  # noqa: E731
            times, _, failures = measure(runs, draw, rounds)
        if failures:
            raise RuntimeError(str(failures))
        yield from beside(what, times, aims)


def beside(what: str, times: dict[str, list[float]], aims: Aims) -> Iterator[Figure]:
    ours = times["nvm-journal"]
    for name, theirs in times.items():
        if name == "nvm-journal":
            continue
        yield Figure(
            what,
            statistics.median(ours) / 1e3,
            "us",
            name,
            statistics.median(theirs) / 1e3,
            aims.get(name),
            ratio_of_rounds=statistics.median(a / b for a, b in zip(ours, theirs)),
        )


# ---- Threads


def commits_per_second(pool: Any, threads: int, seconds: float) -> float:
    """Durable commits of so many threads, each of its own dict."""
    dicts = [pool.setdefault(f"thread {number}", {}) for number in range(threads)]
    done = [0] * threads
    end = time.perf_counter() + seconds

    def work(mine: int) -> None:
        own = dicts[mine]
        while not done[mine] or time.perf_counter() < end:
            own[done[mine] % 1000] = done[mine]
            done[mine] += 1

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(done) / (time.perf_counter() - start)


def threads(folder: Path, rounds: int, seconds: float) -> Iterator[Figure]:
    """How far threads share a sync."""
    rates: dict[int, list[float]] = {1: [], 8: [], 32: []}
    with nvm.open(folder / "threads.pool", backend="journal") as pool:
        for _ in range(rounds):
            for number, found in rates.items():
                found.append(commits_per_second(pool, number, seconds))
    single = statistics.median(rates[1])
    for number, aim in ((8, 3), (32, 8)):
        ratios = [many / one for many, one in zip(rates[number], rates[1])]
        yield Figure(
            f"durable commits of {number} threads",
            statistics.median(rates[number]),
            "commits/s",
            "one thread",
            single,
            aim,
            more_is_better=True,
            ratio_of_rounds=statistics.median(ratios),
        )


def mixed_seconds(folder: Path, name: str, operations: int, **options: Any) -> float:
    """8 threads, of whose operations 95 % read and 5 % write."""
    with nvm.open(folder / name, **options) as pool:
        data = pool.setdefault("data", {})
        if not data:
            data.update({number: number for number in range(10_000)})

        def work(mine: int) -> None:
            for number in range(operations):
                key = (mine * 1237 + number * 31) % 10_000
                if number % 20 == 0:
                    data[key] = number
                else:
                    data[key]

        workers = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        start = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return time.perf_counter() - start


def mixed(folder: Path, rounds: int, operations: int) -> Iterator[Figure]:
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(mixed_seconds(folder, "mixed.pool", operations, backend="journal"))
        theirs.append(mixed_seconds(folder, "mixed.memory", operations, backend="memory"))
    yield Figure(
        "8 threads, 95 % reads, 5 % durable writes",
        statistics.median(ours) * 1e3,
        "ms",
        "the same without durability",
        statistics.median(theirs) * 1e3,
        3,
        ratio_of_rounds=statistics.median(a / b for a, b in zip(ours, theirs)),
    )


# ---- Beside the memory backend


def beside_memory(folder: Path, rounds: int) -> Iterator[Figure]:
    """Reads, and writes inside a transaction, its end not counted."""
    with ExitStack() as closing:
        reads, writes = {}, {}
        for name, backend in (("nvm-journal", "journal"), ("nvm", "memory")):
            options: Any = {"backend": backend}
            pool = closing.enter_context(nvm.open(folder / f"beside.{backend}", **options))
            data = pool.setdefault("data", {})
            data.update({f"key{number}": number for number in range(100_000)})
            reads[name] = Run(_reading(data), _nothing, _nothing)
            writes[name] = _writing(pool, data)
        time.sleep(CHECKPOINT)
        draw = lambda turn: [f"key{(turn * 4096 + n) * 37 % 100_000}" for n in range(4096)]  # noqa: E731
        for what, runs, aim in (
            ("d[k], a read", reads, 1.1),
            ("d[k] = v inside a transaction", writes, 1.5),
        ):
            times, _, failures = measure(runs, draw, rounds)
            if failures:
                raise RuntimeError(str(failures))
            for figure in beside(what, times, {"nvm": aim}):
                yield replace(figure, other="the memory backend")


def _reading(data: Any) -> Any:
    def loop(keys: list[str]) -> None:
        for key in keys:
            data[key]

    return loop


def _writing(pool: Any, data: Any) -> Run:
    open_ones: list[Any] = [nullcontext()]

    def before(_: list[str]) -> None:
        open_ones[0] = pool.transaction()
        open_ones[0].__enter__()

    def loop(keys: list[str]) -> None:
        for key in keys:
            data[key] = 7

    def after(_: list[str]) -> None:
        open_ones[0].__exit__(None, None, None)

    return Run(loop, before, after)
