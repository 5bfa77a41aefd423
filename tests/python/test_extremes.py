"""Sizes and indexes beyond all bounds, and very many of everything."""

from __future__ import annotations

import copy
import operator
from typing import Any, Callable

import pytest

from interpreter import CPYTHON, collect
from nvm.pmemobj import (
    PersistentByteArray,
    PersistentList,
    PersistentObjectPool,
    PersistentTuple,
)
from outcome import outcome

Pool = PersistentObjectPool
Reopen = Callable[[Pool], Pool]

NUMBERS = [2**31, 2**32, 2**32 + 1, 2**62, 2**63 - 1, 2**63, 2**64, 2**64 + 1, 10**30]
NUMBERS += [-number for number in NUMBERS]
# What takes an index or a size, and gives the same as the built-in's.
LIST: dict[str, Callable[[Any, int], Any]] = {
    "get": operator.getitem,
    "set": lambda items, n: operator.setitem(items, n, 1),
    "del": operator.delitem,
    "from": lambda items, n: items[n:],
    "to": lambda items, n: items[:n],
    "step": lambda items, n: items[::n],
    "set from": lambda items, n: operator.setitem(items, slice(n, None), [1]),
    "del step": lambda items, n: operator.delitem(items, slice(None, None, n)),
    "insert": lambda items, n: items.insert(n, 1),
    "pop": lambda items, n: items.pop(n),
    "index": lambda items, n: items.index(2, n),
    "index to": lambda items, n: items.index(2, 0, n),
    "negative times": lambda items, n: items * -abs(n),
}
BYTES: dict[str, Callable[[Any, int], Any]] = {
    **{name: LIST[name] for name in LIST if name not in ("set from", "index", "index to")},
    "append": lambda data, n: data.append(n),
    "find": lambda data, n: data.find(b"b", n),
    "rindex": lambda data, n: data.rindex(b"b", 0, n),
    "count": lambda data, n: data.count(b"b", n),
    "startswith": lambda data, n: data.startswith(b"b", n),
    "contains": lambda data, n: n in data,
    **({"remove": lambda data, n: data.remove(n)} if CPYTHON else {}),  # PyPy: an OverflowError
    "ljust": lambda data, n: data.ljust(min(n, 3)),
    "split": lambda data, n: data.split(b"b", max(min(n, 2**31), -(2**31))),
}
TUPLE = {name: LIST[name] for name in ("get", "from", "to", "step", "index", "negative times")}
KINDS: dict[str, tuple[Any, Any, dict[str, Callable[[Any, int], Any]]]] = {
    "list": (PersistentList, [1, 2, "long " * 10], LIST),
    "bytearray": (PersistentByteArray, bytearray(b"abc"), BYTES),
    "tuple": (PersistentTuple, (1, 2, "long " * 10), TUPLE),
}


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("kind", KINDS)
def test_numbers_beyond_all_bounds(pool: Pool, kind: str, number: int) -> None:
    cls, content, operations = KINDS[kind]
    for name, operation in operations.items():
        ours, model = pool.new(cls, content), copy.copy(content)
        assert outcome(operation, ours, number) == outcome(operation, model, number), name
        assert ours == model, name


@pytest.mark.parametrize("number", [number for number in NUMBERS if number >= 2**61])
def test_sizes_that_no_memory_holds(pool: Pool, number: int) -> None:
    items, data = pool.new(PersistentList, [1, 2]), pool.new(PersistentByteArray, b"ab")
    manager = pool._p_mm
    block = manager.alloc(16)
    for use in (
        lambda: items * number,
        lambda: number * items,
        lambda: operator.imul(items, number),
        lambda: data * number,
        lambda: operator.imul(data, number),
        lambda: data.zfill(number),
        lambda: data.center(number),
        lambda: pool.new(PersistentByteArray, number),
        lambda: pool.new(PersistentTuple, [1]) * number,
        lambda: manager.alloc(number),
        lambda: manager.zalloc(number),
        lambda: manager.realloc(block, number),
    ):
        with pytest.raises((MemoryError, OverflowError, ValueError)):
            use()
    assert (items, data) == ([1, 2], b"ab")
    manager.free(block)


@pytest.mark.parametrize("size", [2**32, 2**40])
def test_sizes_that_the_pool_does_not_hold(pool: Pool, size: int) -> None:
    items, data = pool.new(PersistentList, [1, 2]), pool.new(PersistentByteArray, b"ab")
    for use in (
        lambda: operator.imul(items, size),
        lambda: operator.imul(data, size),
        lambda: pool._p_mm.zalloc(size),
    ):
        with pytest.raises((MemoryError, ValueError)):
            use()
    assert (items, data) == ([1, 2], b"ab")


def test_a_list_that_holds_itself(pool: Pool, reopen: Reopen) -> None:
    pool.root = [1]
    items = pool.root
    items.append(items)
    items.extend(items)
    assert items[1] is items
    assert len(items) == 4
    assert repr(items).count("...") == 2
    assert items.index(items) == 1
    assert items.count(items) == 2
    plain = items.to_python()
    assert plain[1] is plain
    with pytest.raises(RecursionError):
        items == plain
    items.sort(key=lambda item: item is items)
    assert items[2] is items[3] is items
    pool = reopen(pool)
    assert pool.root[3][2][3] is pool.root
    items = None
    pool.root = None
    collect()
    assert pool.gc()[1]["collections-gced"] == 1


@pytest.mark.parametrize("count", [20_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_an_object_that_very_many_refer_to(open_pool: Callable[..., Pool], count: int) -> None:
    pool = open_pool(size="1 GiB")
    pool["one"] = {"a": 1}
    pool["l"] = [pool["one"]] * count
    pool["d"] = dict.fromkeys(range(count), pool["one"])
    assert pool["l"][count - 1] is pool["d"][count - 1] is pool["one"]
    assert pool.check() == []
    del pool["one"], pool["l"]
    collect()
    assert pool["d"][count // 2] == {"a": 1}
    pool["d"].clear()
    collect()
    pool.sync()
    assert pool.stats()["types"]["dict"]["count"] == 2


@pytest.mark.parametrize("count", [20_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_very_many_proxies_at_once(open_pool: Callable[..., Pool], count: int) -> None:
    pool = open_pool(size="2 GiB")
    pool["l"] = [[i] for i in range(count)]
    proxies = list(pool["l"])
    assert proxies[count // 2] is pool["l"][count // 2]
    pool["l"].clear()
    assert [proxies[i][0] for i in (0, count - 1)] == [0, count - 1]
    assert pool.check() == []
    assert pool.gc()[1]["collections-gced"] == 0
    del proxies
    collect()
    pool.sync()
    assert pool.stats()["objects"] == 2


def test_very_many_buffers_at_once(pool: Pool) -> None:
    pool["b"] = [bytearray(b"abc") for _ in range(2000)]
    views = [memoryview(data) for data in pool["b"]]
    pool["b"].clear()
    collect()
    pool.gc()
    for view in views:
        view[0] = 120
    assert {bytes(view) for view in views} == {b"xbc"}
    pool.close()
    assert {bytes(view) for view in views} == {b"xbc"}
