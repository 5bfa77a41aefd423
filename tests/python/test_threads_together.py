"""Eight threads do everything at once with one pool, and two with two."""

from __future__ import annotations

import contextlib
import random
import threading
from typing import TYPE_CHECKING, Any, Callable

import pytest

import nvm
from interpreter import CPYTHON, collect
from test_threads import Worker

if TYPE_CHECKING:
    from pathlib import Path

    from nvm.pmemobj import PersistentObjectPool

    Pool = PersistentObjectPool

THREADS = 8
ROUNDS = 150 if CPYTHON else 30


def fill(pool: Pool) -> None:
    pool["balance"] = dict.fromkeys("abcdef", 100)
    pool["log"] = []
    pool["set"] = set()
    pool["nested"] = [{"number": [i]} for i in range(20)]


def transfer(pool: Pool, rng: random.Random) -> None:
    source, target = rng.sample("abcdef", 2)
    with pool.transaction():
        pool["balance"][source] -= 1
        pool["log"].append((source, target))
        pool["balance"][target] += 1


def fail_to_transfer(pool: Pool, rng: random.Random) -> None:
    with contextlib.suppress(LookupError), pool.transaction():
        pool["balance"][rng.choice("abcdef")] -= 50
        pool["log"].extend(["x" * 50] * 100)
        pool["nested"] = []
        raise LookupError


def sum_up(pool: Pool, rng: random.Random) -> None:
    with pool.reading():
        assert sum(pool["balance"].values()) == 600
        assert len(pool["nested"]) == 20


def iterate(pool: Pool, rng: random.Random) -> None:
    with contextlib.suppress(RuntimeError):  # changed while it was iterated over
        assert all(len(entry) == 2 for entry in pool["log"])
        assert sorted(pool["set"]) is not None
    assert [thing["number"][0] for thing in pool["nested"]] == list(range(20))


def change_single_things(pool: Pool, rng: random.Random) -> None:
    pool["set"].add(rng.randrange(1000))
    pool["set"].discard(rng.randrange(1000))
    pool[f"own {threading.get_ident()}"] = ["x" * rng.randrange(100)]
    pool["nested"][rng.randrange(20)]["more"] = {"a": rng.random()}


def make_garbage(pool: Pool, rng: random.Random) -> None:
    with pool.transaction():
        key = f"garbage {threading.get_ident()}"
        pool[key] = [[]]
        pool[key][0].append(pool[key])
        del pool[key]


def look_after_it(pool: Pool, rng: random.Random) -> None:
    what = rng.randrange(5)
    if what == 0:
        pool.gc()
    elif what == 1:
        assert pool.check() == []
    elif what == 2:
        assert pool.stats()["objects"] > 0
    elif what == 3:
        pool.sync()
    else:
        collect()


WORK: list[Callable[[Any, random.Random], None]] = [
    *(transfer, fail_to_transfer, sum_up, iterate, change_single_things, make_garbage, transfer),
    look_after_it,
]


def run(pool: Pool, seed: int, rounds: int) -> None:
    rng = random.Random(seed)
    for _ in range(rounds):
        rng.choice(WORK)(pool, rng)


@pytest.mark.parametrize("rounds", [ROUNDS, pytest.param(5000, marks=pytest.mark.slow)])
def test_everything_at_once(pool: Pool, rounds: int) -> None:
    fill(pool)
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    for thread in [Worker(run, pool, seed + number, rounds) for number in range(THREADS)]:
        thread.join(280)
    assert sum(pool["balance"].values()) == 600
    collect()
    pool.gc()
    assert pool.check() == []
    assert pool.stats(leaks=True)["leaks"]["count"] == 0


@pytest.mark.parametrize("attempt", range(5))
def test_closing_in_the_middle_of_everything(
    pool: Pool, reopen: Callable[[Pool], Pool], attempt: int
) -> None:
    fill(pool)
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    threads = [Worker(run, pool, seed + number, 10**9) for number in range(THREADS)]
    while not pool.closed:
        with contextlib.suppress(nvm.TransactionError):  # of another thread
            pool.close()
    for thread in threads:
        with pytest.raises(nvm.PoolClosedError):
            thread.join()
    pool = reopen(pool)
    assert sum(pool["balance"].values()) == 600
    assert pool.check() == []


def test_transactions_of_two_pools_in_opposite_order(pool: Pool, folder: Path) -> None:
    """Each ends, or is told that it would wait for ever; money neither comes nor goes."""
    with nvm.open(folder / "other", size="16 MiB", backend="memory") as other:
        pool.root, other.root = [1000], [1000]
        told = []

        def move(source: Pool, target: Pool) -> None:
            for _ in range(ROUNDS):
                try:
                    with source.transaction(timeout=60), target.transaction(timeout=60):
                        source.root[0] -= 1
                        target.root[0] += 1
                except nvm.TransactionError as error:
                    told.append(error)

        threads = [Worker(move, pool, other), Worker(move, other, pool)]
        for thread in threads:
            thread.join(120)
        assert pool.root[0] + other.root[0] == 2000
        assert all("deadlock" in str(error) for error in told)
        assert other.check() == []
