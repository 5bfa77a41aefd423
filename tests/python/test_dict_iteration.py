"""Steps through PersistentDict and PersistentSet, whose small entries are decoded ahead."""

from __future__ import annotations

import copy
import operator
import threading
from typing import Any, Callable

import pytest

import nvm
from interpreter import collect
from nvm.pmemobj import PersistentObjectPool
from shy import Shy

Pool = PersistentObjectPool
Reopen = Callable[[Pool], Pool]
VIEWS = ["keys", "values", "items"]
WAYS: list[Any] = [iter, reversed]
# Some of a cell, some of a blob, some that are never decoded ahead.
MIXED: dict[Any, Any] = {
    **{f"short {i}": i for i in range(20)},
    ("a", 1): None,
    "k" * 25: "v" * 25,
    b"bytes": 1.5,
    "long": "x" * 10_000,
    "k" * 5000: 2**70,
    "list": [1],
    "set": {2},
    1: (3, (4, "four")),
    **{i: str(i) for i in range(2, 40)},
    frozenset({5}): {"six": 6},
    2.5: b"\x00" * 30,
    None: Ellipsis,
}


def entries(view: str, numbers: Any) -> list[Any]:
    return list(getattr({f"k{i}": i for i in numbers}, view)())


@pytest.fixture
def numbers(pool: Pool) -> Any:
    pool["d"] = {f"k{i}": i for i in range(40)}
    return pool["d"]


@pytest.mark.parametrize("make", WAYS)
@pytest.mark.parametrize("view", VIEWS)
def test_steps_give_every_entry(pool: Pool, view: str, make: Any) -> None:
    pool["d"] = MIXED
    assert list(make(getattr(pool["d"], view)())) == list(make(getattr(MIXED, view)()))
    left = make(getattr(pool["d"], view)())
    for gone in range(len(MIXED)):
        assert operator.length_hint(left) == len(MIXED) - gone
        next(left)
    assert list(left) == []


def test_steps_pass_over_what_is_deleted(numbers: Any) -> None:
    for i in range(0, 40, 3):
        del numbers[f"k{i}"]
    rest = [i for i in range(40) if i % 3]
    for view in VIEWS:
        assert list(getattr(numbers, view)()) == entries(view, rest)
        assert list(reversed(getattr(numbers, view)())) == entries(view, reversed(rest))


def test_steps_through_a_set(pool: Pool) -> None:
    pool["s"] = set(MIXED)
    assert set(pool["s"]) == set(MIXED)
    steps = iter(pool["s"])
    for _ in range(10):
        next(steps)
    pool["s"].add("one more")
    for _ in range(2):
        with pytest.raises(RuntimeError, match="Set changed size during iteration"):
            next(steps)


@pytest.mark.parametrize("make", WAYS)
def test_each_step_gives_what_the_dict_holds_then(pool: Pool, make: Any) -> None:
    def walk(d: Any) -> list[Any]:
        seen = []
        for step, (key, value) in enumerate(make(d.items())):
            seen.append((key, value))
            if step % 7 == 3:
                for near in range(key - 5, key + 6):
                    d[near % 100] = -step
            if step % 11 == 5:
                d[(key + 1) % 100] = d[(key - 1) % 100] = ("a tuple", step)
        return seen

    pool["d"] = {i: i for i in range(100)}
    assert walk(pool["d"]) == walk({i: i for i in range(100)})


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("before", range(1, 20, 3))
def test_a_change_of_size_between_any_steps_is_noticed(
    numbers: Any, view: str, before: int
) -> None:
    steps = iter(getattr(numbers, view)())
    assert [next(steps) for _ in range(before)] == entries(view, range(before))
    del numbers["k39"]
    for _ in range(2):
        with pytest.raises(RuntimeError, match="dictionary changed size during iteration"):
            next(steps)


def test_a_step_gives_what_another_thread_has_stored(numbers: Any) -> None:
    steps = iter(numbers.values())
    assert [next(steps) for _ in range(10)] == list(range(10))
    thread = threading.Thread(target=operator.setitem, args=(numbers, "k10", "new"))
    thread.start()
    thread.join()
    assert next(steps) == "new"
    assert list(steps) == list(range(11, 40))


def test_a_step_gives_what_a_roll_back_has_restored(pool: Pool, numbers: Any) -> None:
    steps = iter(numbers.items())
    assert [next(steps) for _ in range(5)] == entries("items", range(5))
    with pytest.raises(ZeroDivisionError), pool.transaction():
        numbers.update(dict.fromkeys(numbers, -1))
        assert [next(steps)[1] for _ in range(5)] == [-1] * 5
        raise ZeroDivisionError
    assert list(steps) == entries("items", range(10, 40))


@pytest.mark.parametrize("view", VIEWS)
def test_a_copy_made_between_steps_goes_on_from_there(numbers: Any, view: str) -> None:
    steps = iter(getattr(numbers, view)())
    for taken in range(1, 40):
        assert next(steps) == entries(view, [taken - 1])[0]
        assert list(copy.copy(steps)) == entries(view, range(taken, 40))


def test_a_step_after_the_pool_is_closed(pool: Pool, numbers: Any) -> None:
    steps = iter(numbers)
    assert [next(steps) for _ in range(10)] == entries("keys", range(10))
    pool.close()
    with pytest.raises(nvm.PoolClosedError):
        next(steps)


@pytest.mark.parametrize("make", WAYS)
@pytest.mark.parametrize("view", ["values", "items"])
def test_a_step_that_fails_is_not_passed_over(
    pool: Pool, reopen: Reopen, view: str, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool["d"] = {"a": 0, "b": 1.5, "shy": pool.new(Shy), "c": 2.5, "d": 3}
    pool = reopen(pool)
    monkeypatch.setattr(Shy, "refuses", True)
    steps = make(getattr(pool["d"], view)())
    expected = list(make(["a", "b", "shy", "c", "d"]))
    if view == "values":
        expected = list(make([0, 1.5, None, 2.5, 3]))

    def seen() -> Any:
        entry = next(steps)
        return entry[0] if view == "items" else entry

    assert [seen(), seen()] == expected[:2]
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            next(steps)
        collect()
    monkeypatch.setattr(Shy, "refuses", False)
    assert operator.length_hint(steps) == 3
    entry = next(steps)
    assert entry == (("shy", pool["d"]["shy"]) if view == "items" else pool["d"]["shy"])
    assert [seen(), seen()] == expected[3:]
    with pytest.raises(StopIteration):
        next(steps)
