"""PersistentList answers as list does, and stays what it is."""

from __future__ import annotations

import copy
import operator
import sys
from typing import Any, Callable

import pytest

import nvm
from nvm.pmemobj import PersistentList, PersistentObjectPool
from outcome import outcome, plain

Pool = PersistentObjectPool
Reopen = Callable[[Pool], Pool]

CONTENTS: list[list[Any]] = [
    [],
    [7],
    [3, 1, 2],
    list(range(20)),
    ["one", "two", "three", "one"],
    [None, True, 1.0, 1, "é", "x" * 100, b"bytes" * 20, 2**80, -(2**80), 1 + 2j, ...],
    [[1], [1, [2]], {"k": [3]}, (4, [5]), frozenset({6}), []],
]


class Index:
    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value


def type_name(item: Any) -> str:
    return type(plain(item)).__name__


def delete(place: Any) -> Callable[[Any], Any]:
    return lambda items: operator.delitem(items, place)


def assign(place: Any, value: Any) -> Callable[[Any], Any]:
    return lambda items: operator.setitem(items, place, value)


def get(place: Any) -> Callable[[Any], Any]:
    return lambda items: operator.getitem(items, place)


PLACES = [0, 1, 2, -1, -2, 5, 19, 20, -20, -21, 2**62, -(2**62), 2**70, True, Index(1), Index(-1)]
SLICES = [
    slice(None),
    slice(1, None),
    slice(None, 2),
    slice(-2, None),
    slice(2, 1),
    slice(0, 0),
    slice(5, 2),
    slice(None, None, 2),
    slice(1, None, 3),
    slice(None, None, -1),
    slice(-1, 0, -2),
    slice(10, 2, -3),
    slice(2**62, None),
    slice(-(2**70), 2**70),
    slice(Index(1), Index(3)),
    slice(0, 2, 0),
    slice("a", 2),
]
NEW_VALUES: list[Any] = [
    [],
    [0],
    ["a", "b"],
    (1, 2, 3),
    "xy",
    range(7),
    {"k": 1},
    [[1], [2]],
    5,
    None,
]

READING: dict[str, Callable[[Any], Any]] = {
    "len": len,
    "bool": bool,
    "list": list,
    "tuple": tuple,
    "iter": lambda items: list(iter(items)),
    "reversed": lambda items: list(reversed(items)),
    "unpack": lambda items: [*items, *items],
    "hash": hash,
    "copy": lambda items: items.copy(),
    "sum": sum,
    "sorted": sorted,
    "max": max,
    "length_hint": lambda items: operator.length_hint(iter(items)),
    "reversed length_hint": lambda items: operator.length_hint(reversed(items)),
    "add": lambda items: operator.add(items, [1, 2]),
    "add itself": lambda items: items + items,
    "add tuple": lambda items: operator.add(items, (1, 2)),
    "add none": lambda items: items + None,
    "times": lambda items: items * 3,
    "times from the left": lambda items: 2 * items,
    "times 0": lambda items: items * 0,
    "times -1": lambda items: items * -1,
    "times str": lambda items: items * "a",
    "times float": lambda items: items * 1.5,
    "times too many": lambda items: (items or [1]) * sys.maxsize,
    "index by str": lambda items: items["a"],
    "index by float": lambda items: items[1.0],
    "index by none": lambda items: items[None],
    "call": lambda items: items(),
    "attribute": lambda items: items.no_such_attribute,
    "set attribute": lambda items: setattr(items, "name", 1),
    "minus": lambda items: items - [1],
    "contains unhashable": lambda items: [1] in items,
    "index without arguments": lambda items: items.index(),
    "index with a bad start": lambda items: items.index(1, "a"),
    "index with many": lambda items: items.index(1, 2, 3, 4),
    "append without arguments": lambda items: items.append(),
    "append of two": lambda items: items.append(1, 2),
    "pop of two": lambda items: items.pop(1, 2),
    "insert of one": lambda items: items.insert(1),
    "less than int": lambda items: items < 1,
    "equal to int": lambda items: items == 1,
    "class_getitem": lambda items: type(items)[int].__args__,
}
for place in PLACES:
    READING[f"get {place!r}"] = get(place)
for place in SLICES:
    READING[f"get {place!r}"] = get(place)
for value in [3, 1, 1.0, True, "one", "x" * 100, None, 2**80, [1], (4, [5]), b"", 1 + 2j, ...]:
    READING[f"contains {value!r}"] = lambda items, value=value: value in items
    READING[f"count {value!r}"] = lambda items, value=value: items.count(value)
    READING[f"index {value!r}"] = lambda items, value=value: items.index(value)
    READING[f"index from 1 {value!r}"] = lambda items, value=value: items.index(value, 1)
    READING[f"index -2 {value!r}"] = lambda items, value=value: items.index(value, -2, -1)
    READING[f"index far {value!r}"] = lambda items, value=value: items.index(value, -(2**70), 2**70)
REFLECTED: dict[str, Callable[[Any], Any]] = {}
for other in [[], [3, 1, 2], [3, 1], [3, 1, 3], [7, 7], ["one"], (3, 1, 2), None, "abc"]:
    for name in ["eq", "ne", "lt", "le", "gt", "ge"]:
        compare = getattr(operator, name)
        READING[f"{name} {other!r}"] = lambda items, f=compare, other=other: f(items, other)
        REFLECTED[f"{other!r} {name}"] = lambda items, f=compare, other=other: f(other, items)

CHANGING: dict[str, Callable[[Any], Any]] = {
    "append": lambda items: items.append("new"),
    "append list": lambda items: items.append([1, [2], {"k": 3}]),
    "extend": lambda items: items.extend([1, 2, 3]),
    "extend nothing": lambda items: items.extend(()),
    "extend str": lambda items: items.extend("abc"),
    "extend generator": lambda items: items.extend(i * i for i in range(10)),
    "extend itself": lambda items: items.extend(items),
    "extend int": lambda items: items.extend(5),
    "pop": lambda items: items.pop(),
    "pop by str": lambda items: items.pop("a"),
    "pop by float": lambda items: items.pop(1.0),
    "insert at float": lambda items: items.insert(1.0, 1),
    "pop far": lambda items: items.pop(2**70),
    "insert by str": lambda items: items.insert("a", 1),
    "insert far": lambda items: items.insert(2**70, 1),
    "clear": lambda items: items.clear(),
    "reverse": lambda items: items.reverse(),
    "sort": lambda items: items.sort(),
    "sort reverse": lambda items: items.sort(reverse=True),
    "sort by repr": lambda items: items.sort(key=lambda item: repr(plain(item))),
    "sort by type, reverse": lambda items: items.sort(
        key=lambda x: type(plain(x)).__name__, reverse=True
    ),
    "sort by none": lambda items: items.sort(key=None, reverse=0),
    "sort by int": lambda items: items.sort(key=5),
    "sort positional": lambda items: items.sort(lambda item: repr(plain(item))),
    "sort unknown": lambda items: items.sort(cmp=repr),
    "iadd": lambda items: operator.iadd(items, [1, "two"]),
    "iadd str": lambda items: operator.iadd(items, "ab"),
    "iadd int": lambda items: operator.iadd(items, 5),
    "iadd itself": lambda items: operator.iadd(items, items),
    "imul": lambda items: operator.imul(items, 3),
    "imul 0": lambda items: operator.imul(items, 0),
    "imul -5": lambda items: operator.imul(items, -5),
    "imul 1": lambda items: operator.imul(items, 1),
    "imul str": lambda items: operator.imul(items, "a"),
    "assign itself": lambda items: operator.setitem(items, slice(1, 1), items),
    "setitem by str": assign("a", 1),
    "delitem by none": delete(None),
}
for place in PLACES:
    CHANGING[f"set {place!r}"] = assign(place, "new")
    CHANGING[f"del {place!r}"] = delete(place)
    CHANGING[f"pop {place!r}"] = lambda items, place=place: items.pop(place)
    CHANGING[f"insert {place!r}"] = lambda items, place=place: items.insert(place, [0])
for place in SLICES:
    CHANGING[f"del {place!r}"] = delete(place)
    for value in NEW_VALUES:
        CHANGING[f"set {place!r} to {value!r}"] = assign(place, value)
for value in [3, 1, "one", 2**80, [1], None, "absent"]:
    CHANGING[f"remove {value!r}"] = lambda items, value=value: items.remove(value)


def parametrize(operations: dict[str, Callable[[Any], Any]]) -> Any:
    return pytest.mark.parametrize("operation", list(operations.values()), ids=list(operations))


@pytest.fixture(scope="module")
def shared_pool(tmp_path_factory: Any) -> Any:
    pool = nvm.open(tmp_path_factory.mktemp("list") / "pool", size="64 MiB", backend="memory")
    yield pool
    assert pool.check() == []
    pool.close()


@parametrize(READING)
def test_reading_answers_as_list(shared_pool: Pool, operation: Callable[[Any], Any]) -> None:
    for content in CONTENTS:
        ours = shared_pool.new(PersistentList, content)
        expected = outcome(operation, copy.deepcopy(content))
        answer = outcome(operation, ours)
        assert answer == expected
        assert plain(ours) == content


@parametrize(REFLECTED)
def test_comparing_from_the_right_answers_as_list(
    shared_pool: Pool, operation: Callable[[Any], Any]
) -> None:
    for content in CONTENTS:
        ours = shared_pool.new(PersistentList, content)
        answer, expected = outcome(operation, ours), outcome(operation, content)
        if expected[0] == "raised":  # with the operator turned round in its message
            assert answer[:2] == expected[:2]
        else:
            assert answer == expected


@parametrize(CHANGING)
def test_changing_leaves_what_list_leaves(
    shared_pool: Pool, operation: Callable[[Any], Any]
) -> None:
    for content in CONTENTS:
        theirs = copy.deepcopy(content)
        ours = shared_pool.new(PersistentList, content)
        answer, expected = outcome(operation, ours), outcome(operation, theirs)
        assert answer == expected
        if expected[0] == "raised":  # PyPy's built-in may have changed nevertheless
            theirs = content
        assert plain(ours) == theirs
        assert len(ours) == len(theirs)


def test_repr_shows_what_is_in_it(shared_pool: Pool) -> None:
    names = {"PersistentList": list, "PersistentDict": dict}
    for content in CONTENTS:
        ours = shared_pool.new(PersistentList, content)
        assert eval(repr(ours), names) == content
        assert str(ours) == repr(ours)
    assert repr(shared_pool.new(PersistentList, [1, "a"])) == "PersistentList([1, 'a'])"


def test_changes_are_there_after_reopening(pool: Pool, reopen: Reopen) -> None:
    theirs = {}
    for name, operation in CHANGING.items():
        items: list[Any] = list(range(10))
        pool[name] = items
        outcome(operation, pool[name])
        outcome(operation, items)
        theirs[name] = items
    pool = reopen(pool)
    assert {name: plain(pool[name]) for name in pool} == theirs
