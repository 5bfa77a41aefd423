"""What PyPy's front reads ahead of a list (nvm._pypy.ahead) is what a call would give at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from interpreter import CPYTHON

if CPYTHON:
    pytest.skip("the front is PyPy's", allow_module_level=True)

import nvm
from nvm._pypy import ahead
from nvm.pmemobj import PersistentList, PersistentObjectPool
from outcome import outcome, plain, undone

Pool = PersistentObjectPool
SIZE = 300  # several windows
Steps = Callable[[PersistentList], Iterator[Any]]


def by_index(items: PersistentList) -> Iterator[Any]:
    index = 0
    while index < len(items):
        yield items[index]
        index += 1


both_ways = pytest.mark.parametrize("steps", [iter, by_index])


def well_read(items: PersistentList) -> PersistentList:
    """With a window on its first items."""
    assert items[0] == items[1] == items[2] == items[3] == 0
    window = items._p_ahead.window
    assert window.begin <= 4 < window.end
    assert window.stands()
    return items


@both_ways
def test_items_of_every_kind_come_in_order(pool: Pool, steps: Steps) -> None:
    kinds = [1, -1, 2**47, None, True, 0.5, "a", "a longer text", b"b", [1], (), 10**30, ...]
    content = [kinds[i % len(kinds)] for i in range(SIZE)] + [0] * SIZE + kinds
    items = pool.new(PersistentList, content)
    assert [plain(item) for item in steps(items)] == content


def test_items_in_any_order_are_those(pool: Pool) -> None:
    content = list(range(SIZE))
    items = pool.new(PersistentList, content)
    for order in (range(SIZE), range(SIZE - 1, -1, -1), range(0, SIZE, 2), range(-SIZE, 0)):
        assert [items[i] for i in order] == [content[i] for i in order]
    for i in range(1, SIZE):
        assert (items[i], items[i - 1], items[-1]) == (i, i - 1, SIZE - 1)
    for index in (SIZE, -SIZE - 1):
        with pytest.raises(IndexError):
            items[index]


CHANGES: list[Callable[[Any, int], Any]] = [
    lambda items, i: items.__setitem__(i, "set"),
    lambda items, i: items.insert(i, "inserted"),
    lambda items, i: items.__delitem__(slice(i, i + 2)),
    lambda items, i: items.__setitem__(slice(i, None), []),
    lambda items, i: items.append("appended"),
    lambda items, i: items.reverse(),
]


@both_ways
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen_by_the_next_step(pool: Pool, steps: Steps, change: Any) -> None:
    for before in (0, 1, 5, 20, 100, SIZE - 1):
        ours, theirs = pool.new(PersistentList, range(SIZE)), list(range(SIZE))
        our_steps, their_steps = steps(ours), iter(theirs)
        seen = [(next(our_steps), next(their_steps)) for _ in range(before)]
        change(ours, before)
        change(theirs, before)
        assert [pair[0] for pair in seen] == [pair[1] for pair in seen]
        assert list(our_steps) == list(their_steps)


@both_ways
def test_a_loop_may_change_every_item_it_reads(pool: Pool, steps: Steps) -> None:
    items = pool.new(PersistentList, range(SIZE))
    for _ in range(3):
        for index, item in enumerate(steps(items)):
            items[index] = item + 1
    assert list(items) == [i + 3 for i in range(SIZE)]


@both_ways
def test_what_is_read_in_a_transaction_ends_with_it(pool: Pool, steps: Steps) -> None:
    items = pool.new(PersistentList, [0] * SIZE)
    with undone(pool):
        items[:] = [1] * SIZE
        assert list(steps(items)) == [1] * SIZE
        rest = steps(items)
        assert [next(rest) for _ in range(10)] == [1] * 10
    assert list(rest) == [0] * (SIZE - 10)
    assert list(steps(items)) == [0] * SIZE


def in_a_thread(work: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


@both_ways
def test_another_thread_sees_nothing_of_a_transaction(pool: Pool, steps: Steps) -> None:
    items, seen = well_read(pool.new(PersistentList, [0] * SIZE)), []
    with undone(pool):
        items[:] = [1] * SIZE
        assert list(steps(items)) == [1] * SIZE  # of the proxy that the thread has, too
        thread = in_a_thread(lambda: seen.extend([items[SIZE - 1], *steps(items)]))
        thread.join(0.1)
        assert seen == []
    thread.join()
    assert seen == [0] * (SIZE + 1)


def test_readers_wait_for_a_transaction_that_has_changed_nothing(pool: Pool) -> None:
    items, seen = well_read(pool.new(PersistentList, [0] * SIZE)), []
    steps = iter(items)
    assert [next(steps) for _ in range(10)] == [0] * 10
    assert steps._ahead.window.stands()
    with pool.transaction():
        readers = [lambda: seen.append(items[4]), lambda: seen.append(next(steps))]
        threads = [in_a_thread(reader) for reader in readers]
        for thread in threads:
            thread.join(0.1)
        assert seen == []
        items[4] = items[10] = 1
    for thread in threads:
        thread.join()
    assert seen == [1, 1]


def test_a_loop_without_calls_sees_another_threads_change(pool: Pool) -> None:
    items = well_read(pool.new(PersistentList, [0] * SIZE))
    ready = threading.Event()

    def change() -> None:
        ready.wait()
        items[4] = 1

    thread = in_a_thread(change)
    rounds = 0
    while items[4] == 0:
        rounds += 1
        if rounds == 5000:  # compiled by now
            ready.set()
    thread.join()
    assert rounds >= 5000


def test_threads_share_an_iterator_and_a_list(pool: Pool) -> None:
    items = pool.new(PersistentList, range(20_000))
    steps, wrong = iter(items), []

    def read() -> None:
        wrong.extend(i for i in range(len(items)) if items[i] != i)
        last = -1
        for item in steps:
            if not 0 <= item < len(items):
                wrong.append(item)
            last = item
        assert last < len(items)

    threads = [in_a_thread(read) for _ in range(3)]
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_end_of_the_pool_is_noticed(pool: Pool) -> None:
    items = well_read(pool.new(PersistentList, [0] * SIZE))
    steps = iter(items)
    assert [next(steps) for _ in range(10)] == [0] * 10
    pool.close()
    for read in (lambda: items[4], lambda: next(steps)):
        with pytest.raises(nvm.PoolClosedError):
            read()


def test_a_forked_child_is_given_nothing(pool: Pool) -> None:
    items = well_read(pool.new(PersistentList, [0] * SIZE))
    steps = iter(items)
    assert [next(steps) for _ in range(10)] == [0] * 10
    child = os.fork()
    if child == 0:
        answers = [outcome(items.__getitem__, 4), outcome(next, steps)]
        os._exit(sum(answer[:2] != ("raised", nvm.PoolForkedError) for answer in answers))
    assert os.waitpid(child, 0)[1] == 0
    assert (items[4], next(steps)) == (0, 0)


def test_loops_that_read_alone_call_c_seldom(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    for name in ("list_get", "list_get_ahead"):
        call = getattr(ahead, name)
        monkeypatch.setattr(ahead, name, lambda *given, call=call: calls.append(1) or call(*given))
    items = pool.new(PersistentList, range(SIZE))
    loops: list[Callable[[], Any]] = [
        lambda: list(items),
        lambda: [items[i] for i in range(SIZE)],
        lambda: [items[i] + items[i] for i in range(SIZE)],
        lambda: [items[i] - items[i + 1] for i in range(SIZE - 1)],
        lambda: [item + items[i] for i, item in enumerate(items)],
    ]
    for loop in loops:
        calls.clear()
        loop()
        assert 0 < len(calls) < 40
