"""Views and iterators of PersistentDict."""

from __future__ import annotations

import collections.abc
import copy
import operator
import pickle
from typing import Any, Callable

import pytest

import nvm
from interpreter import CPYTHON
from nvm.pmemobj import PersistentDict, PersistentObjectPool
from outcome import outcome

Pool = PersistentObjectPool
VIEWS = ["keys", "values", "items"]
OTHERS: list[Any] = [
    set(),
    {"a"},
    {"a", "b", "c"},
    {"a", "b", "c", "d"},
    frozenset({"b", "z"}),
    ["a", "z"],
    {"a": 1, "q": 2}.keys(),
    {"a": 1, "q": 2}.items(),
    {("a", 1), ("b", 2), ("c", 3)},
    [("a", 1), ("a", 5)],
    {"c": 3, "b": 2, "a": 1}.items(),
    5,
    None,
    [[]],
]
OPERATORS = ["and_", "or_", "sub", "xor", "eq", "ne", "lt", "le", "gt", "ge"]


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("view", VIEWS)
def test_operators_answer_as_those_of_dict_views(pool: Pool, view: str, name: str) -> None:
    call = getattr(operator, name)
    content = {"a": 1, "b": 2, "c": 3}
    ours, theirs = getattr(pool.new(PersistentDict, content), view)(), getattr(content, view)()
    for other in OTHERS:
        if not CPYTHON and (view, name) == ("items", "and_") and other == [[]]:
            continue  # PyPy's built-in hashes what it is not going to find
        assert outcome(call, ours, other) == outcome(call, theirs, other)
        answer, expected = outcome(call, other, ours), outcome(call, other, theirs)
        if name in ("lt", "le", "gt", "ge") and expected[0] == "raised":
            assert answer[:2] == expected[:2]
        else:
            assert answer == expected
    assert outcome(call, ours, ours) == outcome(call, theirs, theirs)


@pytest.mark.parametrize("view", ["keys", "items"])
def test_isdisjoint(pool: Pool, view: str) -> None:
    content = {"a": 1, "b": 2, "c": 3}
    ours, theirs = getattr(pool.new(PersistentDict, content), view)(), getattr(content, view)()
    for other in OTHERS:
        assert outcome(ours.isdisjoint, other) == outcome(theirs.isdisjoint, other)
    assert not ours.isdisjoint(ours)
    empty = getattr(pool.new(PersistentDict), view)()
    assert empty.isdisjoint(empty)


def test_items_with_unhashable_values_make_no_set(pool: Pool) -> None:
    items = pool.new(PersistentDict, {"a": [1]}).items()
    for combine in (operator.or_, operator.sub, operator.xor):
        with pytest.raises(TypeError, match=r"unhashable type: '.*PersistentList'"):
            combine(items, set())
    assert items & {("a", 1)} == set()
    assert ("a", [1]) in items


def test_views_are_live(pool: Pool) -> None:
    d = pool.new(PersistentDict)
    views = [d.keys(), d.values(), d.items()]
    d["a"] = 1
    assert [list(view) for view in views] == [["a"], [1], [("a", 1)]]
    assert [len(view) for view in views] == [1, 1, 1]
    assert all(view.mapping["a"] == 1 for view in views)
    with pytest.raises(TypeError):
        views[0].mapping["a"] = 2
    del d["a"]
    assert [list(view) for view in views] == [[], [], []]


def test_views_are_known_to_the_abcs(pool: Pool) -> None:
    d = pool.new(PersistentDict)
    assert isinstance(d, collections.abc.MutableMapping)
    assert isinstance(d.keys(), collections.abc.KeysView)
    assert isinstance(d.values(), collections.abc.ValuesView)
    assert isinstance(d.items(), collections.abc.ItemsView)
    for view in (d.keys(), d.items()):
        with pytest.raises(TypeError, match="unhashable"):
            hash(view)


def test_views_and_iterators_cannot_be_made_by_hand(pool: Pool) -> None:
    d = pool.new(PersistentDict)
    for made in (iter(d), d.keys(), d.values(), d.items()):
        with pytest.raises(TypeError, match="cannot create"):
            type(made)()


@pytest.mark.parametrize("make", [iter, reversed])
@pytest.mark.parametrize("view", VIEWS)
def test_a_change_of_size_ends_an_iteration(pool: Pool, view: str, make: Any) -> None:
    def walk(d: Any) -> Any:
        iterator = make(getattr(d, view)())
        next(iterator)
        d["new"] = 1
        first = outcome(next, iterator)
        del d["new"]
        return first, outcome(next, iterator), operator.length_hint(iterator)

    content = {"a": 1, "b": 2, "c": 3}
    assert walk(pool.new(PersistentDict, content)) == walk(content)


def test_an_exhausted_iterator_stays_so(pool: Pool) -> None:
    d = pool.new(PersistentDict, {"a": 1})
    iterator = iter(d)
    assert list(iterator) == ["a"]
    d["b"] = 2
    assert list(iterator) == []
    assert operator.length_hint(iterator) == 0


def test_overwriting_values_while_iterating(pool: Pool) -> None:
    d = pool.new(PersistentDict, {i: i for i in range(100)})
    for key in d:
        d[key] = [key]
    for key, value in d.items():
        d[key] = value[0] + 1
    assert d == {i: i + 1 for i in range(100)}


def test_a_body_that_changes_under_an_iterator_is_noticed(pool: Pool) -> None:
    d = pool.new(PersistentDict, {i: i for i in range(100)})

    def turn_over(iterator: Any) -> None:
        for key in iterator:
            del d[key]
            d[key] = 1

    with pytest.raises(RuntimeError, match="changed during iteration"):
        turn_over(iter(d))
    iterator = iter(d)
    next(iterator)
    d.clear()
    d.update({i: i for i in range(100)})
    try:
        for _ in iterator:
            pass
    except RuntimeError:
        pass
    assert len(d) == 100


def test_iterators_are_copied_as_those_of_dict(pool: Pool) -> None:
    d = pool.new(PersistentDict, {"a": 1, "b": 2, "c": 3})
    for view, rest in (("keys", ["b", "c"]), ("values", [2, 3]), ("items", [("b", 2), ("c", 3)])):
        iterator = iter(getattr(d, view)())
        next(iterator)
        assert operator.length_hint(iterator) == 2
        assert list(copy.copy(iterator)) == rest
        assert list(pickle.loads(pickle.dumps(iterator))) == rest
        assert list(iterator) == rest


def test_copies_are_ordinary(pool: Pool) -> None:
    shared = [1]
    content: dict[Any, Any] = {"a": shared, "b": {"c": shared}, 1: (shared, 2)}
    d = pool.new(PersistentDict, content)
    d["self"] = d
    assert type(copy.copy(d)) is dict
    assert copy.copy(d)["a"] is d["a"]
    for deep in (copy.deepcopy(d), pickle.loads(pickle.dumps(d)), d.to_python()):
        assert type(deep) is type(deep["b"]) is dict
        assert deep["self"] is deep
        assert deep["a"] is deep["b"]["c"] is deep[1][0]
        assert type(deep["a"]) is list
        assert list(deep) == ["a", "b", 1, "self"]
    del d["self"]


def test_subclassing_and_calling_are_refused() -> None:
    with pytest.raises(TypeError, match="not an acceptable base type"):
        type("Sub", (PersistentDict,), {})
    with pytest.raises(TypeError, match=r"pool\.new\(PersistentDict"):
        PersistentDict()
    assert PersistentDict.fromkeys([1]) == {1: None}


def test_views_of_a_closed_pool_say_so(pool: Pool) -> None:
    d = pool.new(PersistentDict, {"a": 1, "b": 2})
    views = [d.keys(), d.values(), d.items()]
    iterator = iter(d)
    next(iterator)
    pool.close()
    calls: list[Callable[[], Any]] = [lambda: next(iterator), lambda: repr(d), d.keys, d.copy]
    for view in views:
        calls += [view.__len__, view.__iter__, view.__repr__, view.__reversed__]
    for call in calls:
        with pytest.raises(nvm.PoolClosedError):
            call()
