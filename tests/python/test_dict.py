"""PersistentDict answers as dict does, and stays what it is."""

from __future__ import annotations

import copy
import operator
from typing import Any, Callable

import pytest

import nvm
from nvm.pmemobj import PersistentDict, PersistentObjectPool
from outcome import outcome, plain

Pool = PersistentObjectPool
Reopen = Callable[[Pool], Pool]
Operation = Callable[[Any], Any]

CONTENTS: list[dict[Any, Any]] = [
    {},
    {"a": 1},
    {"a": 1, "b": [2], "c": {"d": 3}},
    {i: str(i) for i in range(30)},
    {
        None: 0,
        True: 1,
        2.5: 2,
        "x" * 100: 3,
        b"b": 4,
        (1, "a"): 5,
        frozenset({1}): 6,
        2**80: 7,
        "é": 8,
    },
    {"k": "v" * 100, 1: 2**90, (): (1, [2])},
]
KEYS: list[Any] = ["a", "b", "z", 1, 1.0, True, 1 + 0j, None, 2.5, "x" * 100, b"b", (1, "a"), 2**80]
KEYS += [(1.0, "a"), frozenset({True}), (), "é", ..., -1, "k", 29, 30]
UNHASHABLE: list[Any] = [[], {}, set(), (1, [2])]


class Pairs:
    """A mapping as far as update() can see."""

    def __init__(self, content: dict[Any, Any]) -> None:
        self.content = content

    def keys(self) -> Any:
        return self.content.keys()

    def __getitem__(self, key: Any) -> Any:
        return self.content[key]


READING: dict[str, Operation] = {
    "len": len,
    "bool": bool,
    "list": list,
    "dict": dict,
    "hash": hash,
    "reversed": lambda d: list(reversed(d)),
    "unpack": lambda d: {**d, "new": 1},
    "copy": lambda d: d.copy(),
    "copy.copy": copy.copy,
    "items": lambda d: list(d.items()),
    "keys": lambda d: list(d.keys()),
    "values": lambda d: list(d.values()),
    "reversed items": lambda d: list(reversed(d.items())),
    "reversed keys": lambda d: list(reversed(d.keys())),
    "reversed values": lambda d: list(reversed(d.values())),
    "length_hint": lambda d: operator.length_hint(iter(d)),
    "lengths of views": lambda d: (len(d.keys()), len(d.values()), len(d.items())),
    "get without arguments": lambda d: d.get(),
    "get of three": lambda d: d.get(1, 2, 3),
    "pop without arguments": lambda d: d.pop(),
    "setdefault without arguments": lambda d: d.setdefault(),
    "update of two": lambda d: d.update(1, 2),
    "or": lambda d: d | {"a": 2, "new": 3},
    "or itself": lambda d: d | d,
    "or list": lambda d: d | [("a", 1)],
    "ror": lambda d: {"a": 2, "new": 3} | d,
    "ror list": lambda d: [] | d,
    "and": lambda d: d & {},
    "less": lambda d: d < {},
    "slice": lambda d: d[1:2],
    "attribute": lambda d: d.no_such_attribute,
    "set attribute": lambda d: setattr(d, "name", 1),
    "call": lambda d: d(),
    "class_getitem": lambda d: type(d)[str, int].__args__,
    "fromkeys": lambda d: d.fromkeys("abc", 1),
    "fromkeys without value": lambda d: d.fromkeys([1, 2]),
    "fromkeys without arguments": lambda d: d.fromkeys(),
    "fromkeys of int": lambda d: d.fromkeys(1),
}
for key in [*KEYS, *UNHASHABLE]:
    READING[f"getitem {key!r}"] = lambda d, key=key: d[key]
    READING[f"in {key!r}"] = lambda d, key=key: key in d
    READING[f"in keys {key!r}"] = lambda d, key=key: operator.contains(d.keys(), key)
    READING[f"get {key!r}"] = lambda d, key=key: d.get(key)
    READING[f"get default {key!r}"] = lambda d, key=key: d.get(key, "default")
    READING[f"item in items {key!r}"] = lambda d, key=key: [
        (key, value) in d.items() for value in (1, [2], "1", 5, None)
    ]
for part in [1, "a", (1,), ("a", 1, 2), [("a", 1)], None]:
    READING[f"in items {part!r}"] = lambda d, part=part: part in d.items()
    READING[f"in values {part!r}"] = lambda d, part=part: part in d.values()
for other in [*CONTENTS, {"a": 1, "b": [2]}, {"b": [2], "c": {"d": 3}, "a": 1}, [], None, {"a"}]:
    READING[f"== {other!r}"] = lambda d, other=other: (d == other, other == d)
    READING[f"!= {other!r}"] = lambda d, other=other: (d != other, other != d)

CHANGING: dict[str, Operation] = {
    "clear": lambda d: d.clear(),
    "popitem": lambda d: d.popitem(),
    "update": lambda d: d.update({"a": [0], "new": {"x": []}}),
    "update keywords": lambda d: d.update(a=1, new=2),
    "update both": lambda d: d.update({"a": 1}, a=2, new=3),
    "update nothing": lambda d: d.update(),
    "update pairs": lambda d: d.update([("a", 1), ["b", 2], "cd"]),
    "update mapping": lambda d: d.update(Pairs({"a": 5, 1: 6})),
    "update itself": lambda d: d.update(d),
    "update generator": lambda d: d.update((i, i) for i in range(50)),
    "update int": lambda d: d.update(5),
    "update ints": lambda d: d.update([1, 2]),
    "update triples": lambda d: d.update([("a", 1), ("a", 1, 2)]),
    "update unhashable": lambda d: d.update([("a", 1), ([], 2)]),
    "ior": lambda d: operator.ior(d, {"a": 1, "new": 2}),
    "ior pairs": lambda d: operator.ior(d, [("a", 1), ("new", 2)]),
    "ior int": lambda d: operator.ior(d, 5),
    "ior itself": lambda d: operator.ior(d, d),
    "many": lambda d: [d.__setitem__(i % 7, [i]) for i in range(30)],
    "in and out": lambda d: [(d.__setitem__(i, i), d.pop(i)) for i in range(100)],
    "delete all": lambda d: [d.__delitem__(key) for key in list(d)],
    "delete and insert": lambda d: [d.update({key: d.pop(key)}) for key in list(d)],
}
for key in [*KEYS, *UNHASHABLE]:
    CHANGING[f"setitem {key!r}"] = lambda d, key=key: operator.setitem(d, key, "new" * 20)
    CHANGING[f"setitem list {key!r}"] = lambda d, key=key: operator.setitem(d, key, [1, {2: 3}])
    CHANGING[f"delitem {key!r}"] = lambda d, key=key: operator.delitem(d, key)
    # (From an empty dict, CPython pops without looking at the key.)
    CHANGING[f"pop {key!r}"] = lambda d, key=key: d and d.pop(key)
    CHANGING[f"pop default {key!r}"] = lambda d, key=key: d and d.pop(key, "default")
    CHANGING[f"setdefault {key!r}"] = lambda d, key=key: d.setdefault(key)
    CHANGING[f"setdefault to {key!r}"] = lambda d, key=key: d.setdefault(key, ["default"])


def parametrize(operations: dict[str, Operation]) -> Any:
    return pytest.mark.parametrize("operation", list(operations.values()), ids=list(operations))


@pytest.fixture(scope="module")
def shared_pool(tmp_path_factory: Any) -> Any:
    pool = nvm.open(tmp_path_factory.mktemp("dict") / "pool", size="64 MiB", backend="memory")
    yield pool
    assert pool.check() == []
    pool.close()


def in_order(content: Any) -> Any:
    return [(type(key), key, value) for key, value in content.items()]


@parametrize(READING)
def test_reading_answers_as_dict(shared_pool: Pool, operation: Operation) -> None:
    for content in CONTENTS:
        ours = shared_pool.new(PersistentDict, content)
        assert outcome(operation, ours) == outcome(operation, copy.deepcopy(content))
        assert in_order(plain(ours)) == in_order(content)


@parametrize(CHANGING)
def test_changing_leaves_what_dict_leaves(shared_pool: Pool, operation: Operation) -> None:
    for content in CONTENTS:
        theirs = copy.deepcopy(content)
        ours = shared_pool.new(PersistentDict, content)
        answer, expected = outcome(operation, ours), outcome(operation, theirs)
        assert answer == expected
        if answer[0] == "raised":
            theirs = content  # what fails has changed nothing
        assert in_order(plain(ours)) == in_order(theirs)
        assert len(ours) == len(theirs)


def test_changes_are_there_after_reopening(pool: Pool, reopen: Reopen) -> None:
    theirs: dict[str, Any] = {}
    for name, operation in CHANGING.items():
        theirs[name] = {i: str(i) for i in range(10)}
        pool[name] = theirs[name]
        answer, expected = outcome(operation, pool[name]), outcome(operation, theirs[name])
        if answer[0] == expected[0] == "raised":
            theirs[name] = plain(pool[name])
    pool = reopen(pool)
    assert list(pool) == list(theirs)
    for name in pool:
        assert in_order(plain(pool[name])) == in_order(theirs[name])


def test_repr_shows_what_is_in_it(shared_pool: Pool) -> None:
    names = {"PersistentList": list, "PersistentDict": dict}
    for content in CONTENTS:
        ours = shared_pool.new(PersistentDict, content)
        assert eval(repr(ours), names) == content
        assert str(ours) == repr(ours)
    ours = shared_pool.new(PersistentDict, {"a": 1})
    assert repr(ours) == "PersistentDict({'a': 1})"
    ours["self"] = ours
    assert repr(ours) == "PersistentDict({'a': 1, 'self': PersistentDict({...})})"
    assert repr(ours.keys()) == "PersistentDictKeys(['a', 'self'])"
    assert repr(ours.values()) == (
        "PersistentDictValues([1, PersistentDict({'a': 1, 'self': PersistentDict({...})})])"
    )
    del ours["self"]
    assert repr(ours.items()) == "PersistentDictItems([('a', 1)])"


def test_large_dicts_keep_every_entry(pool: Pool, reopen: Reopen) -> None:
    count = 5000
    pool["d"] = {}
    theirs: dict[Any, Any] = {}
    for i in range(count):
        for d in (pool["d"], theirs):
            d[f"key {i}"] = i
            d[i] = f"value {i}"
            if i % 3 == 0:
                del d[f"key {i // 2}" if f"key {i // 2}" in d else i]
    pool = reopen(pool)
    assert in_order(pool["d"]) == in_order(theirs)
    assert list(reversed(pool["d"])) == list(reversed(theirs))
    assert all(pool["d"][key] == value for key, value in theirs.items())
    assert pool["d"] == theirs


def test_arguments_of_new_are_those_of_dict(pool: Pool) -> None:
    assert pool.new(PersistentDict) == {}
    assert pool.new(PersistentDict, [("a", 1)], b=2) == {"a": 1, "b": 2}
    assert pool.new(PersistentDict, pool.new(PersistentDict, a=[1])) == {"a": [1]}
    assert outcome(pool.new, PersistentDict, {}, {}) == outcome(dict, {}, {})
    with pytest.raises(TypeError, match="'int' object is not iterable"):
        pool.new(PersistentDict, 5)
