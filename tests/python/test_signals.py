"""A signal whose handler raises, at any moment: what it interrupts is undone or done."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from typing import TYPE_CHECKING, Any, Callable

import pytest

from interpreter import CPYTHON, collect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nvm.pmemobj import PersistentObjectPool

    Pool = PersistentObjectPool

ROUNDS = 5 if CPYTHON else 2
MANY = 8_000
AGAIN = 5.0  # seconds


class Alarm(Exception):
    """What the handler raises."""


def raise_alarm(*_: object) -> None:
    raise Alarm


@pytest.fixture
def alarms(without_gc_callbacks: None) -> Iterator[None]:
    before = signal.signal(signal.SIGALRM, raise_alarm)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def run_with_alarm(operation: Callable[[], Any], delay: float) -> None:
    """Runs it, with an alarm after `delay` seconds, in it or past its end.

    One that comes while Python runs a finalizer is dropped: another one follows.
    """
    with pytest.raises(Alarm):
        signal.setitimer(signal.ITIMER_REAL, delay, AGAIN)
        try:
            operation()
            while True:
                time.sleep(1)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


def make_cycles(pool: Pool) -> None:
    with pool.transaction():
        pool["lost"] = [[] for _ in range(MANY // 4)]
        for item in pool["lost"]:
            item.append(item)
        del pool["lost"]


def many_changes(pool: Pool) -> None:
    with pool.transaction():
        for i in range(MANY // 4):
            pool["d"][f"key {i}"] = [i]
            pool["l"].append("x" * 30)
        pool["d"].clear()
        pool["l"].insert(0, 0)


OPERATIONS: dict[str, Callable[[Pool], Any]] = {
    "extend": lambda pool: pool["l"].extend([str(i) * 10 for i in range(MANY)]),
    "slice": lambda pool: pool["l"].__setitem__(slice(10, 100), [[i] for i in range(MANY)]),
    "sort": lambda pool: pool["l"].sort(key=str),
    "list.clear": lambda pool: pool["l"].clear(),
    "reverse": lambda pool: pool["l"].reverse(),
    "update": lambda pool: pool["d"].update({str(i) * 5: (i,) for i in range(MANY)}),
    "dict.clear": lambda pool: pool["d"].clear(),
    "set.update": lambda pool: pool["s"].update(range(MANY * 2)),
    "set -= set": lambda pool: pool["s"].difference_update(range(0, MANY, 2)),
    "replace all": lambda pool: pool.update(l=[{"a": [i]} for i in range(MANY // 4)]),
    "transaction": many_changes,
    "check": lambda pool: pool.check(),
    "gc": lambda pool: pool.gc(),
    "stats": lambda pool: pool.stats(leaks=True),
    "sync": lambda pool: pool.sync(),
    "to_python": lambda pool: pool["l"].to_python(),
}


def fill(pool: Pool) -> None:
    pool.clear()
    pool["l"] = [str(i) * (i % 20) for i in range(MANY)]
    pool["d"] = {i: str(i) * 5 for i in range(MANY)}
    pool["s"] = set(range(MANY))


def content(pool: Pool) -> list[Any]:
    return [pool[key].to_python() for key in "lds"]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.usefixtures("alarms")
def test_interrupted_it_is_undone_or_done(pool: Pool, operation: str) -> None:
    run = OPERATIONS[operation]
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    fill(pool)
    before = content(pool)
    start = time.monotonic()
    run(pool)
    duration = time.monotonic() - start
    after = content(pool)
    for _ in range(ROUNDS):
        fill(pool)
        if operation == "gc":
            make_cycles(pool)
        run_with_alarm(lambda: run(pool), max(1e-5, rng.uniform(0, duration * 1.2)))
        assert content(pool) in (before, after)
        assert pool.check() == []
    pool.clear()
    collect()
    pool.gc()
    assert pool.stats()["objects"] == 1


@pytest.fixture
def interrupts(without_gc_callbacks: None) -> Iterator[None]:
    """Control-C raises, in a process too that a shell has started in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("wanted", [1, 3])
@pytest.mark.usefixtures("interrupts")
def test_interrupts_from_a_thread_undo_a_transaction(pool: Pool, wanted: int) -> None:
    """KeyboardInterrupt by os.kill(), as Control-C makes it."""
    pool.root = [0]
    main = os.getpid()

    def interrupt() -> None:
        time.sleep(0.05)
        os.kill(main, signal.SIGINT)

    for _ in range(wanted):
        before = pool.root[0]
        thread = threading.Thread(target=interrupt)
        with pytest.raises(KeyboardInterrupt):
            with pool.transaction():
                thread.start()
                while True:
                    pool.root[0] += 1
                    pool.root.append(1)
        thread.join()
        assert pool.root == [before]
        pool.root[0] += 1
    assert pool.root == [wanted]
