"""What a PersistentList is, beside what it answers: identity, iterators, copies, protocols."""

from __future__ import annotations

import collections.abc
import copy
import operator
import pickle
import sys
import threading
from typing import Any, Callable

import pytest

from nvm.pmemobj import PersistentList, PersistentObject, PersistentObjectPool
from outcome import outcome
from shy import Shy

Pool = PersistentObjectPool
Reopen = Callable[[Pool], Pool]


def test_in_place_operators_keep_the_object(pool: Pool) -> None:
    pool["l"] = [1]
    items = same = pool["l"]
    items += [2]
    items *= 2
    assert items is same
    assert same == [1, 2, 1, 2]


def test_a_stored_list_is_a_copy_that_writes_through(pool: Pool) -> None:
    source = [1, [2]]
    pool["l"] = source
    pool["l"][1].append(3)
    source.append(4)
    assert pool["l"] == [1, [2, 3]]
    assert pool["l"] is pool["l"]
    assert pool["l"][1] is pool["l"][1]


def test_shared_and_cyclic_parts_stay_so(pool: Pool, reopen: Reopen) -> None:
    shared = ["shared"]
    source: list[Any] = [shared, shared]
    source.append(source)
    pool["l"] = source
    pool = reopen(pool)
    items = pool["l"]
    assert items[0] is items[1]
    assert items[2] is items
    assert repr(items) == (
        "PersistentList([PersistentList(['shared']), PersistentList(['shared']), "
        "PersistentList([...])])"
    )
    items.clear()


def test_iteration_follows_a_list_that_changes(pool: Pool) -> None:
    def walk(items: Any) -> list[Any]:
        seen = []
        for item in items:
            seen.append(item)
            if item == 1:
                items.append(10)
            if item == 2:
                del items[0]
        return seen

    pool["l"] = [0, 1, 2, 3, 4]
    assert walk(pool["l"]) == walk([0, 1, 2, 3, 4])


@pytest.mark.parametrize("make", [iter, reversed])
def test_each_step_gives_what_the_list_holds_then(pool: Pool, make: Any) -> None:
    def walk(items: Any) -> list[Any]:
        seen = []
        for step, item in enumerate(make(items)):
            seen.append(item)
            if step % 7 == 3:
                items[50] = items[(step + 3) % 100] = items[90 - step] = -step
            if step % 11 == 5:
                items[step + 1] = ["a list"]
            if step == 60:
                items[-20:-10] = "ten letter"
        return seen

    pool["l"] = list(range(100))
    assert walk(pool["l"]) == walk(list(range(100)))


def test_a_step_gives_what_another_thread_has_stored(pool: Pool) -> None:
    pool["l"] = list(range(40))
    steps = iter(pool["l"])
    assert [next(steps) for _ in range(10)] == list(range(10))
    thread = threading.Thread(target=operator.setitem, args=(pool["l"], 10, "new"))
    thread.start()
    thread.join()
    assert next(steps) == "new"
    assert list(steps) == list(range(11, 40))


def test_a_step_gives_what_a_roll_back_has_restored(pool: Pool) -> None:
    pool["l"] = list(range(40))
    steps = iter(pool["l"])
    assert [next(steps) for _ in range(5)] == list(range(5))
    with pytest.raises(ZeroDivisionError), pool.transaction():
        pool["l"][5:] = [-1] * 35
        assert [next(steps) for _ in range(5)] == [-1] * 5
        raise ZeroDivisionError
    assert list(steps) == list(range(10, 40))


def test_a_step_after_the_pool_is_closed(pool: Pool) -> None:
    pool["l"] = list(range(40))
    steps = iter(pool["l"])
    assert [next(steps) for _ in range(10)] == list(range(10))
    pool.close()
    with pytest.raises(ValueError, match="closed"):
        next(steps)


@pytest.mark.parametrize("make", [iter, reversed])
def test_a_step_that_fails_is_not_passed_over(
    pool: Pool, reopen: Reopen, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool["l"] = [0, 1.5, pool.new(Shy), 2.5, 3]
    pool = reopen(pool)
    monkeypatch.setattr(Shy, "refuses", True)
    steps = make(pool["l"])
    assert {next(steps), next(steps)} in ({0, 1.5}, {3, 2.5})
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            next(steps)
    monkeypatch.setattr(Shy, "refuses", False)
    assert next(steps) is pool["l"][2]
    assert set(steps) in ({2.5, 3}, {1.5, 0})


class Stepping(PersistentObject):
    """Takes the next step of an iterator while it is made again."""

    steps: Any = None

    def _v__init__(self) -> None:
        if Stepping.steps is not None:
            steps, Stepping.steps = Stepping.steps, None
            self._v_met = next(steps)


@pytest.mark.parametrize("make", [iter, reversed])
def test_a_step_inside_a_step_passes_nothing_over(pool: Pool, reopen: Reopen, make: Any) -> None:
    pool["l"] = [0, pool.new(Stepping), 2.5]
    pool = reopen(pool)
    steps = make(pool["l"])
    first = next(steps)
    Stepping.steps = steps
    one = next(steps)
    assert one is pool["l"][1]
    assert one._v_met is one
    assert [first, *steps] in ([0, 2.5], [2.5, 0])


def test_an_iterator_can_be_set_anywhere(pool: Pool) -> None:
    pool["l"] = list(range(40))
    steps = iter(pool["l"])
    assert [next(steps) for _ in range(10)] == list(range(10))
    steps.__setstate__(3)
    assert list(steps) == list(range(3, 40))


def test_an_exhausted_iterator_stays_so(pool: Pool) -> None:
    pool["l"] = [1]
    for make in (iter, reversed):
        iterator = make(pool["l"])
        assert list(iterator) == [1]
        pool["l"].append(2)
        assert list(iterator) == []
        assert operator.length_hint(iterator) == 0
        del pool["l"][1:]


def test_a_reversed_iterator_ends_where_the_list_has_shrunk(pool: Pool) -> None:
    def walk(items: Any) -> Any:
        iterator = reversed(items)
        next(iterator)
        del items[1:]
        return outcome(list, iterator), operator.length_hint(iterator)

    pool["l"] = [1, 2, 3, 4]
    assert walk(pool["l"]) == walk([1, 2, 3, 4])


def test_iterators_are_copied_as_those_of_list(pool: Pool) -> None:
    pool["l"] = [1, 2, 3]
    iterator = iter(pool["l"])
    next(iterator)
    assert list(copy.copy(iterator)) == [2, 3]
    assert list(pickle.loads(pickle.dumps(iterator))) == [2, 3]
    assert list(pickle.loads(pickle.dumps(reversed(pool["l"])))) == [3, 2, 1]
    assert list(iterator) == [2, 3]
    assert list(pickle.loads(pickle.dumps(iterator))) == []


def test_iterators_and_lists_cannot_be_made_by_hand(pool: Pool) -> None:
    with pytest.raises(TypeError, match="cannot create"):
        type(iter(pool.new(PersistentList)))()
    with pytest.raises(TypeError, match=r"pool\.new\(PersistentList"):
        PersistentList([1])
    with pytest.raises(TypeError):
        len(object.__new__(PersistentList))  # PyPy refuses its use only


def test_calling_the_type_in_a_transaction_makes_one(pool: Pool) -> None:
    with pool.transaction():
        items = PersistentList([1, 2])
        pool["l"] = items
    assert pool["l"] is items
    assert items == [1, 2]


def test_subclassing_is_refused() -> None:
    with pytest.raises(TypeError, match="not an acceptable base type"):
        type("Sub", (PersistentList,), {})


def test_arguments_of_new_are_those_of_list(pool: Pool) -> None:
    assert pool.new(PersistentList) == []
    assert pool.new(PersistentList, (i for i in range(3))) == [0, 1, 2]
    with pytest.raises(TypeError, match="list expected at most 1 argument, got 2"):
        pool.new(PersistentList, [], [])
    with pytest.raises(TypeError, match="takes no keyword arguments"):
        pool.new(PersistentList, iterable=[])
    with pytest.raises(TypeError, match="'int' object is not iterable"):
        pool.new(PersistentList, 5)


def test_new_lists_are_kept_by_their_reference_alone(pool: Pool) -> None:
    items = pool.new(PersistentList, ["kept"])
    pool["l"] = [items, items]
    assert pool["l"][0] is items
    del items
    assert pool["l"][1] == ["kept"]


def test_the_same_items_compare_equal_whatever_holds_them(pool: Pool) -> None:
    ours, other = pool.new(PersistentList, [1, [2]]), pool.new(PersistentList, [1, [2]])
    assert ours == other
    assert ours <= other
    assert not ours < other
    assert ours < [1, [3]]
    assert [1, [1]] < ours
    assert ours != (1, [2])
    assert [ours] == [[1, [2]]]
    other[1].append(0)
    assert ours < other


def test_copies_are_ordinary(pool: Pool) -> None:
    pool["l"] = [1, [2], {"k": [3]}, (4, [5])]
    items = pool["l"]
    shallow = copy.copy(items)
    assert type(shallow) is list
    assert shallow[1] is items[1]
    for deep in (copy.deepcopy(items), pickle.loads(pickle.dumps(items)), items.to_python()):
        assert deep == [1, [2], {"k": [3]}, (4, [5])]
        assert [type(part) for part in deep] == [int, list, dict, tuple]
        assert type(deep[2]["k"]) is list
        assert type(deep[3][1]) is list


def test_to_python_keeps_sharing_and_cycles_at_any_depth(pool: Pool) -> None:
    shared: list[Any] = []
    source: list[Any] = [shared, (shared, (shared,)), {"s": shared}]
    shared.append(source)
    pool["l"] = source
    copied = pool["l"].to_python()
    assert copied[0] is copied[1][0] is copied[1][1][0] is copied[2]["s"]
    assert copied[0][0] is copied
    for deep in (copy.deepcopy(pool["l"]), pickle.loads(pickle.dumps(pool["l"]))):
        assert deep[0] is deep[2]["s"]
        assert deep[0][0] is deep
    nested: list[Any] = []
    for _ in range(10_000):
        nested = [nested]
    pool["deep"] = nested
    depth, level = 0, pool["deep"].to_python()
    while level:
        level, depth = level[0], depth + 1
    assert depth == 10_000
    pool["l"][0].clear()


def test_it_is_a_sequence_to_the_abcs_and_to_match(pool: Pool) -> None:
    pool["l"] = [1, 2, 3]
    assert isinstance(pool["l"], collections.abc.MutableSequence)
    assert not isinstance(pool["l"], collections.abc.Hashable)
    if sys.version_info >= (3, 10):
        scope = {"items": pool["l"]}
        exec("match items:\n case [first, *rest]: result = first, rest", scope)
        assert scope["result"] == (1, [2, 3])


def test_a_nan_is_found_where_it_was_put(pool: Pool) -> None:
    nan = float("nan")
    pool["l"] = [nan]
    assert nan in pool["l"]
    assert pool["l"].index(nan) == 0
    assert pool["l"] == [nan]


def test_values_come_back_with_their_type(pool: Pool) -> None:
    values = [
        True,
        1,
        1.0,
        1 + 0j,
        "1",
        b"1",
        None,
        ...,
        -0.0,
        (),
        frozenset(),
        2**47,
        -(2**47) - 1,
    ]
    pool["l"] = values
    assert [(type(value), repr(value)) for value in pool["l"]] == [
        (type(value), repr(value)) for value in values
    ]


def test_the_pool_and_oid_of_a_list(pool: Pool) -> None:
    pool["l"] = [[]]
    assert pool["l"]._p_pool is pool
    pool_id, offset = pool["l"]._p_oid
    assert pool["l"][0]._p_oid != (pool_id, offset)
    assert pool["l"][0]._p_oid[0] == pool_id
