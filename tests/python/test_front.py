"""PyPy's front (nvm._pypy.front): its methods answer as those of the bindings."""

from __future__ import annotations

import itertools
import math
import threading
from typing import Any, Callable

import pytest

from interpreter import CPYTHON, collect

if CPYTHON:
    pytest.skip("the front is PyPy's", allow_module_level=True)

import __pypy__

import nvm
from nvm import _core
from nvm._pypy import core, front, lists
from nvm.pmemobj import (
    PersistentDict,
    PersistentFrozenSet,
    PersistentList,
    PersistentObject,
    PersistentObjectPool,
    PersistentSet,
)
from outcome import outcome, plain, undone

Pool = PersistentObjectPool
VALUES: list[Any] = [
    *(None, True, False, ..., 0, -1, 2**47 - 1, -(2**47), 2**47, -(2**63), 2**63, 10**30),
    *(0.0, -0.0, 1.5, math.inf, 1j, "", "a", "abcde", "abcdef", "é", "ő", b"", b"abcde", b"abcdef"),
    *((), (1, "a"), [1], {"k": 1}, frozenset({1})),
]
INDEXES: list[Any] = [*range(-len(VALUES) - 2, len(VALUES) + 2), True, 2**63, -(2**70), 1.0, "a"]
KEYS: list[Any] = [
    *("a", "", "abcdef", "a key of more than nineteen characters", "é", "ő", b"a", 1, True, 1.0),
    *(-1, 2**47, 2**63, -(2**70), 0.5, None, (1, "a"), [], "absent", 99),
]


class Point(PersistentObject):
    def __init__(self, **values: Any) -> None:
        for name, value in values.items():
            setattr(self, name, value)


@pytest.mark.parametrize("cls", front.OVERRIDES)
def test_the_methods_of_the_table_are_in_place_and_known_as_the_originals(cls: type) -> None:
    base = getattr(_core, cls.__name__)
    assert cls.__bases__ == (base,)
    assert (cls.__module__, cls.__doc__) == (base.__module__, base.__doc__)
    for name, method in front.OVERRIDES[cls].items():
        assert vars(cls)[name] is method
        assert (method.__name__, method.__doc__) == (name, getattr(base, name).__doc__)


def both(method: str, base: type, self: Any, *arguments: Any) -> tuple[Any, Any]:
    """What the front's method answers, and the bindings'."""
    ours = outcome(getattr(type(self), method), self, *arguments)
    return ours, outcome(getattr(base, method), self, *arguments)


def test_reading_a_list_answers_as_the_bindings(pool: Pool) -> None:
    items = pool.new(PersistentList, VALUES)
    for _ in range(2):
        for index in INDEXES:
            ours, theirs = both("__getitem__", _core.PersistentList, items, index)
            assert repr(ours) == repr(theirs), index
        assert len(items) == len(VALUES)
        assert repr(plain(list(items))) == repr(VALUES)


BOUNDS = [None, 0, 1, 2, 5, -1, -3, -99, 99, 2**63, -(2**70), True, "a"]


@pytest.mark.parametrize("content", [[], [1, 2.5, "a", None, b"b"], [1, "a longer text", 2]])
def test_slices_of_a_list_answer_as_the_bindings(pool: Pool, content: list[Any]) -> None:
    items = pool.new(PersistentList, content)
    for start, stop, step in itertools.product(BOUNDS, BOUNDS, (None, 1, 2, -1)):
        index = slice(start, stop, step)
        ours, theirs = both("__getitem__", _core.PersistentList, items, index)
        assert repr(ours) == repr(theirs), index


def test_a_slice_of_very_many_items_is_whole(pool: Pool) -> None:
    content = list(range(core.MOST_CELLS + 1))
    items = pool.new(PersistentList, content)
    assert items[:] == content
    assert items[1:] == content[1:]


def test_slices_beyond_one_buffer_are_a_call_of_c(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    content: list[Any] = list(range(20_000))
    items = pool.new(PersistentList, content)
    assert len(items) == len(content)
    with monkeypatch.context() as patched:
        patched.setattr(lists, "_list_original_getitem", None)
        assert items[:] == content
        assert items[3:-2] == content[3:-2]
    items[19_000] = content[19_000] = "a longer text"
    assert items[:] == content


ENTRIES: dict[Any, Any] = {
    **dict(zip((key for key in KEYS if key not in ([], "absent", 99)), VALUES)),
    "é" * 20: "ő" * 20,
    "z" * 2000: "y" * 2000,
    b"b" * 30: b"c" * 30,
    2.5: [1],
    (): (),
}


def test_a_slice_of_a_byte_array_takes_room_for_its_own_length(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytes(range(256)) * 4096
    pool["b"] = bytearray(content)
    array, rooms, newp = pool["b"], [], core._cffi_backend.newp
    assert len(array) == len(content)  # it knows C from now on

    def measured(kind: Any, *length: int) -> Any:
        rooms.extend(length)
        return newp(kind, *length)

    monkeypatch.setattr(core._cffi_backend, "newp", measured)
    for start, stop in ((1000, 7000), (-9000, -1000), (2**20 - 5000, 2**40), (0, 4096), (9, 3)):
        assert array[start:stop] == content[start:stop]
    assert rooms == [6000, 8000, 5000]


def test_iterating_answers_as_the_bindings(pool: Pool) -> None:
    entries = pool.new(PersistentDict, ENTRIES)
    for _ in range(2):
        assert repr(list(entries)) == repr(list(ENTRIES))
        assert repr(list(entries.keys())) == repr(list(ENTRIES))
        assert repr([plain(value) for value in entries.values()]) == repr(list(ENTRIES.values()))
        pairs = [(key, plain(value)) for key, value in entries.items()]
        assert repr(pairs) == repr(list(ENTRIES.items()))
        assert repr(list(reversed(entries))) == repr(list(reversed(ENTRIES)))
    for kind in PersistentSet, PersistentFrozenSet:
        elements = pool.new(kind, ENTRIES)
        assert set(elements) == set(ENTRIES)
        assert len(list(elements)) == len(ENTRIES)


@pytest.mark.parametrize("look", [iter, dict.keys, dict.values, dict.items])
def test_iterators_end_and_fail_for_good(pool: Pool, look: Callable[[Any], Any]) -> None:
    look = getattr(PersistentDict, look.__name__, iter)
    entries = pool.new(PersistentDict, {1: "a", 2: "b", 3: "c"})
    steps = iter(look(entries))
    assert steps.__length_hint__() == 3
    assert len([next(steps), next(steps)]) == 2
    assert steps.__length_hint__() == 1
    assert len(list(steps.__reduce__()[1][0])) == 1
    next(steps)
    with pytest.raises(StopIteration):
        next(steps)
    del entries[1]
    entries[4] = "d"
    with pytest.raises(StopIteration):
        next(steps)
    steps = iter(look(entries))
    next(steps)
    entries[5] = "e"
    for _ in range(2):
        with pytest.raises(RuntimeError, match="changed size during iteration"):
            next(steps)
        entries.pop(5, None)


def test_changing_a_list_answers_as_the_bindings(pool: Pool) -> None:
    content = [0] * 5
    ours, theirs = pool.new(PersistentList, content), pool.new(PersistentList, content)
    changes: list[tuple[str, tuple[Any, ...]]] = [("append", (value,)) for value in VALUES]
    changes += [("__setitem__", (index, value)) for index, value in zip(range(-7, 40), VALUES)]
    changes += [("__setitem__", (index, 1)) for index in INDEXES]
    changes += [("append", (object(),)), ("__setitem__", (0, object()))]
    for method, arguments in changes:
        answer = outcome(getattr(PersistentList, method), ours, *arguments)
        assert answer == outcome(getattr(_core.PersistentList, method), theirs, *arguments)
        assert repr(ours) == repr(theirs)


@pytest.mark.parametrize("method", ["__getitem__", "get", "__contains__"])
def test_reading_a_dict_answers_as_the_bindings(pool: Pool, method: str) -> None:
    stored = KEYS[:-3]
    entries = pool.new(PersistentDict, dict(zip(stored, itertools.cycle(VALUES))))
    for _ in range(2):
        for key in KEYS:
            ours, theirs = both(method, _core.PersistentDict, entries, key)
            assert repr(ours) == repr(theirs), key
    assert len(entries) == len(set(stored))
    assert entries.get("absent", 5) == 5
    assert entries.get("absent") is None


SETS: list[Any] = [
    *(set(), {1}, {1, 2.5, None, "a", "abcdef", "é" * 30}, {f"text {i}" for i in range(300)}),
    *({"x" * 1024, "y" * 900}, {"x" * 1025}, {"ő"}, {(1, "a")}, {b"b"}, set(range(9000)), {2**60}),
]


@pytest.mark.parametrize("operation", ["and", "or", "sub", "xor"])
def test_operators_of_sets_answer_as_the_bindings(pool: Pool, operation: str) -> None:
    pool["sets"] = SETS
    operands = [*pool["sets"], *SETS[:4], frozenset({1, "a"}), pool.new(PersistentFrozenSet, {1})]
    operands += [{1: 2}.keys(), [1], 5, None]
    for persistent, other in itertools.product(pool["sets"], operands):
        for method in (f"__{operation}__", f"__r{operation}__"):
            answers = both(method, _core.PersistentSet, persistent, other)
            assert answers[0] == answers[1], (method, persistent, other)


def test_changing_a_dict_answers_as_the_bindings(pool: Pool) -> None:
    ours, theirs = pool.new(PersistentDict), pool.new(PersistentDict)
    for key, value in itertools.product(KEYS, [*VALUES, object()]):
        answer = outcome(PersistentDict.__setitem__, ours, key, value)
        assert answer == outcome(_core.PersistentDict.__setitem__, theirs, key, value)
    assert repr(ours) == repr(theirs)


def test_attributes_answer_as_the_bindings(pool: Pool) -> None:
    one = pool.new(Point, x=1)
    for value in [*VALUES, object()]:
        for _ in range(2):
            answer = outcome(setattr, one, "x", value)
            assert repr(plain(one.x)) == repr(plain(vars(one)["x"]))
        assert answer[0] == ("raised" if type(value) is object else "returned")
    del one.x
    assert not hasattr(one, "x")
    one.x = 2
    assert one.x == 2


def test_the_plain_cases_are_a_call_of_c(pool: Pool) -> None:
    pool.root = {"list": [1], "dict": {"a": 2, 3: 4}, "point": pool.new(Point, x=5)}
    items, entries, point = pool.root["list"], pool.root["dict"], pool.root["point"]
    assert (items[0], entries["a"], point.x) == (1, 2, 5)
    assert core.value_of(core.list_get(items._p_handle, 0)) == 1
    assert core.value_of(core.dict_get(entries._p_handle, b"a", 1)) == 2
    assert core.value_of(core.dict_get_at(entries._p_handle, 3)) == 4
    epoch, place = vars(Point)["x"]._place
    assert core.value_of(core.record_get(point._p_handle, epoch, place)) == 5


def test_ints_are_made_by_pypy_the_first_time_too(pool: Pool) -> None:
    point = pool.new(Point)
    point.x = 1
    pool.root = [[1], {"a": 1}, point]
    items, entries, point = pool.new(PersistentList, [1]), pool.new(PersistentDict, a=1), point
    found = [items[0], next(iter(pool.root[0])), entries["a"], pool.root[1].get("a"), point.x]
    assert found == [1] * 5
    assert not [repr for repr in map(__pypy__.internal_repr, found) if "Long" in repr]


def test_a_class_is_not_asked_for_what_the_front_keeps(pool: Pool) -> None:
    asked = []

    class Curious(PersistentObject):
        def __getattr__(self, name: str) -> Any:
            asked.append(name)
            return 7

    one = pool.new(Curious)
    one.x = 1
    assert [one.x for _ in range(3)] == [1, 1, 1]
    assert asked == []
    assert vars(one) == {"x": 1}


def test_places_are_forgotten_when_they_are_undone(pool: Pool) -> None:
    one = pool.new(Point)
    for name in ("a", "b", "c"):
        with undone(pool):
            setattr(one, name, 1)
            setattr(one, name + "2", 2)
            assert [getattr(one, name) for _ in range(3)] == [1, 1, 1]
        assert not hasattr(one, name)
        setattr(one, name + "2", 3)
        assert [getattr(one, name + "2") for _ in range(3)] == [3, 3, 3]
        assert not hasattr(one, name)


def test_two_pools_do_not_share_places(pool: Pool, folder: Any) -> None:
    with nvm.open(folder / "other", size="64 MiB", backend="memory") as other:
        # The same shapes in another order: the same place means another attribute.
        one, two = pool.new(Point, x=1, y=2), other.new(Point, y=3, x=4)
        for _ in range(5):
            assert (one.x, one.y, two.x, two.y) == (1, 2, 4, 3)


def test_what_has_ended_is_noticed(pool: Pool, reopen: Callable[[Pool], Pool]) -> None:
    with undone(pool):
        items, entries, point = pool.new(PersistentList, [1]), pool.new(PersistentDict, a=1), None
        point = pool.new(Point, x=1)
        uses = [
            lambda: items[0],
            lambda: items.append(1),
            lambda: len(items),
            lambda: list(items),
            lambda: entries["a"],
            lambda: entries.get("b", 1),
            lambda: "b" in entries,
            lambda: entries.__setitem__("a", 1),
            lambda: point.x,
            lambda: setattr(point, "x", 1),
        ]
        for use in uses:
            use()
    for use in uses:
        with pytest.raises(nvm.StaleObjectError):
            use()
    pool.close()
    for use in uses:
        with pytest.raises(nvm.PoolClosedError):
            use()


def test_a_read_only_pool_refuses_changes(pool: Pool, open_pool: Callable[..., Pool]) -> None:
    pool.root = [1]
    pool.close()
    with open_pool("r") as pool:
        assert [pool.root[0] for _ in range(3)] == [1, 1, 1]
        with pytest.raises(nvm.ReadOnlyError):
            pool.root.append(2)
        with pytest.raises(nvm.ReadOnlyError):
            pool.root[0] = 2


def test_nobody_sees_half_a_transaction(pool: Pool) -> None:
    pool.root = [0, 0]
    items = pool.root
    assert items[0] == 0
    inside, seen = threading.Event(), []

    def other() -> None:
        inside.wait()
        seen.append((items[0], items[1], len(items)))
        items.append(3)

    thread = threading.Thread(target=other)
    thread.start()
    with pool.transaction():
        items[0] = 1
        inside.set()
        thread.join(0.2)
        assert seen == []
        items[1] = 1
    thread.join()
    assert seen == [(1, 1, 2)]
    assert items == [1, 1, 3]


def test_threads_read_while_a_list_grows_and_proxies_die(pool: Pool) -> None:
    pool.root = {"list": [], "count": 0}
    failures: list[BaseException] = []
    stop = threading.Event()

    def read() -> None:
        try:
            while not stop.is_set():
                size = len(pool.root["list"])
                assert all(pool.root["list"][i] == i for i in range(0, size, 100))
                assert pool.root["count"] >= 0
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for i in range(20_000):
        pool.root["list"].append(i)
        pool.root["count"] = i
        if i % 5000 == 0:
            collect()
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert list(pool.root["list"]) == list(range(20_000))
