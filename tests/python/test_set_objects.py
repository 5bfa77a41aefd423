"""PersistentSet: identity, iterators, copies, and elements that are odd or have their own code."""

from __future__ import annotations

import collections.abc
import copy
import operator
import pickle
import threading
from typing import Any, Callable

import pytest

import nvm
from interpreter import cpython_only
from nvm.pmemobj import PersistentObject, PersistentObjectPool, PersistentSet
from outcome import outcome

Pool = PersistentObjectPool
Reopen = Callable[[Pool], Pool]


class Text(str):
    __slots__ = ()


class ByIdentity(PersistentObject):
    pass


class ByValue(PersistentObject):
    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByValue)

    def __hash__(self) -> int:
        return 1


class Calls:
    def __init__(self, on_hash: Callable[[], Any] = int, on_eq: Callable[[], Any] = int) -> None:
        self.on_hash = on_hash
        self.on_eq = on_eq

    def __hash__(self) -> int:
        self.on_hash()
        return hash("a")

    def __eq__(self, other: object) -> bool:
        self.on_eq()
        return other == "a"


class Stop(Exception):
    pass


def stop() -> None:
    raise Stop


def stopping() -> Any:
    yield "b"
    raise Stop


LOOKUPS: dict[str, Callable[[Any, Any], Any]] = {
    "in": lambda s, element: element in s,
    "remove": lambda s, element: s.remove(element),
    "discard": lambda s, element: s.discard(element),
    "difference_update": lambda s, element: s.difference_update([element]),
    "intersection_update": lambda s, element: s.intersection_update(["a", element]),
    "isdisjoint": lambda s, element: s.isdisjoint(["z", element]),
    "issuperset": lambda s, element: s.issuperset(["a", element]),
}
STORES: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda s, element: s.add(element),
    "update": lambda s, element: s.update(["b"], [element]),
    "ior": lambda s, element: operator.ior(s, {element}),
    "ixor": lambda s, element: operator.ixor(s, {"b", element}),
    "symmetric_difference_update": lambda s, element: s.symmetric_difference_update([element]),
    "tuple": lambda s, element: s.add((1, (element,))),
    "new": lambda s, element: s._p_pool.new(PersistentSet, [element]),
    "init": lambda s, element: s.__init__([element]),
    "assigned": lambda s, element: operator.setitem(s._p_pool, "other", [{element}]),
}


def parametrize(operations: dict[str, Any]) -> Any:
    return pytest.mark.parametrize("operation", list(operations.values()), ids=list(operations))


def test_an_assigned_set_is_one_object(pool: Pool, reopen: Reopen) -> None:
    shared = {1, "x" * 50}
    pool["sets"] = [shared, shared, {2}]
    first, second, third = pool["sets"]
    assert first is second is pool["sets"][0]
    assert third is not first
    first.add("new")
    assert second == {1, "x" * 50, "new"}
    assert "new" not in shared
    pool = reopen(pool)
    assert pool["sets"][0] is pool["sets"][1]
    assert pool["sets"][0] == {1, "x" * 50, "new"}
    assert pool["sets"].index({2}) == 2
    assert pool["sets"].count(1) == 0


def test_sets_are_unhashable_and_not_elements(pool: Pool) -> None:
    s = pool.new(PersistentSet, [1])
    with pytest.raises(TypeError, match=r"unhashable type: '.*PersistentSet'"):
        hash(s)
    for operation in (lambda: s.add(s), lambda: s.add((s,)), lambda: s.update([s])):
        with pytest.raises(TypeError, match=r"unhashable type: '.*PersistentSet'"):
            operation()
    with pytest.raises(TypeError, match="unhashable"):
        pool[s] = 1
    with pytest.raises(TypeError, match="unhashable"):
        pool[(1, s)] = 1


def test_a_set_is_looked_for_as_a_frozenset(pool: Pool) -> None:
    class Hashable(set):  # type: ignore[type-arg]
        def __hash__(self) -> int:  # type: ignore[override]
            return hash("a")

    s = pool.new(PersistentSet, [frozenset({1, 2}), "a"])
    assert {1, 2} in s
    assert pool.new(PersistentSet, [1, 2]) in s
    assert {1} not in s
    assert Hashable({1, 2}) not in s
    s.discard({1})
    with pytest.raises(KeyError) as caught:
        s.remove({1})
    assert caught.value.args == ({1},)
    s.remove(pool.new(PersistentSet, [1, 2]))
    assert s == {"a"}


def test_an_error_names_the_element(pool: Pool) -> None:
    with pytest.raises(KeyError) as caught:
        pool.new(PersistentSet).remove((1, 2))
    assert caught.value.args == ((1, 2),)


@parametrize(STORES)
@pytest.mark.parametrize("element", [Text("a"), object(), int, 1 + 1j.real])
def test_what_cannot_be_stored_is_refused(
    pool: Pool, element: Any, operation: Callable[..., Any]
) -> None:
    pool["s"] = {"z"}
    if type(element) is complex or type(element) is float:
        operation(pool["s"], element)
        return
    with pytest.raises(TypeError, match=f"Don't know how to persist '.*{type(element).__name__}'"):
        operation(pool["s"], element)
    assert pool["s"] == {"z"}
    assert "other" not in pool


def test_subclasses_are_refused_and_say_so(pool: Pool) -> None:
    class Sub(set):  # type: ignore[type-arg]
        pass

    with pytest.raises(TypeError, match=r"a subclass of set.*store set\(\.\.\.\)"):
        pool["s"] = Sub()
    with pytest.raises(TypeError, match=r'at value\["a"\]\[0\]\{\.\.\.\}'):
        pool["s"] = {"a": [{Text("b")}]}
    assert "s" not in pool
    with pytest.raises(TypeError, match="not an acceptable base type"):
        type("Sub", (PersistentSet,), {})


@parametrize(LOOKUPS)
def test_what_cannot_be_stored_is_absent(pool: Pool, operation: Callable[..., Any]) -> None:
    pool["s"] = {"a", 1}
    try:
        assert operation(pool["s"], object()) in (None, False, True)
    except KeyError:
        pass
    assert "a" in pool["s"]


def test_a_subclass_that_compares_as_its_base_is_looked_up_as_it(pool: Pool) -> None:
    pool["s"] = {"a", ("a", 1)}
    assert Text("a") in pool["s"]
    assert (Text("a"), 1) in pool["s"]
    pool["s"].remove(Text("a"))
    pool["s"] -= {(Text("a"), True)}
    assert pool["s"] == set()


@parametrize(LOOKUPS)
def test_a_hash_is_called_once_and_its_exception_raised(
    pool: Pool, operation: Callable[..., Any]
) -> None:
    pool["s"] = {"a"}
    with pytest.raises(Stop):
        operation(pool["s"], Calls(on_hash=stop))
    calls: list[int] = []
    try:
        operation(pool["s"], Calls(on_hash=lambda: calls.append(1)))
    except KeyError:
        pass
    assert calls
    assert pool["s"] == {"a"}


@parametrize(LOOKUPS)
def test_a_hash_may_change_the_set_or_close_the_pool(
    pool: Pool, operation: Callable[..., Any]
) -> None:
    pool["s"] = {"a"}
    s = pool["s"]
    try:
        operation(s, Calls(on_hash=s.clear))
    except KeyError:
        pass
    assert s == set()
    s.add("a")
    with pytest.raises(nvm.PoolClosedError):
        operation(s, Calls(on_hash=pool.close))


def test_equality_asks_the_elements_of_the_other_set(pool: Pool) -> None:
    s = pool.new(PersistentSet, ["a"])
    assert s == {Calls()}
    assert {Calls()} <= s
    with pytest.raises(Stop):
        operator.eq(s, {Calls(on_eq=stop)})


@pytest.mark.parametrize(
    "name",
    ["update", "difference_update", "intersection_update", "symmetric_difference_update"],
)
def test_what_is_given_is_read_before_anything_changes(pool: Pool, name: str) -> None:
    s = pool.new(PersistentSet, ["a", "b"])
    with pytest.raises(Stop):
        getattr(s, name)(stopping())
    with pytest.raises(TypeError, match="unhashable"):
        getattr(s, name)(["b", []])
    with pytest.raises(TypeError, match="not iterable"):
        getattr(s, name)(5)

    def closing() -> Any:
        yield "b"
        pool.close()

    assert s == {"a", "b"}
    with pytest.raises(nvm.PoolClosedError):
        getattr(s, name)(closing())


def test_an_iterable_may_change_the_set(pool: Pool) -> None:
    s = pool.new(PersistentSet, ["a"])

    def growing() -> Any:
        for i in range(100):
            s.add(i)
            yield str(i)

    s.update(growing())
    assert s == {"a", *range(100), *map(str, range(100))}


def test_persistent_objects_are_elements_by_identity(pool: Pool, reopen: Reopen) -> None:
    one, other = pool.new(ByIdentity), pool.new(ByIdentity)
    pool["s"] = {one, (other, 1)}
    pool["objects"] = [one, other]
    pool = reopen(pool)
    one, other = pool["objects"]
    s = pool["s"]
    assert one in s
    assert (other, 1) in s
    assert other not in s
    assert next(iter(s)) in (one, (other, 1))
    assert s == {one, (other, 1)}
    assert s & {one, other} == {one}
    s.remove(one)
    assert s == {(other, 1)}


@parametrize(STORES)
def test_objects_with_an_equality_of_their_own_are_refused(
    pool: Pool, operation: Callable[..., Any]
) -> None:
    pool["s"] = {"z"}
    with pytest.raises(TypeError, match="elements of a persistent set"):
        operation(pool["s"], pool.new(ByValue))
    assert pool["s"] == {"z"}
    assert pool.new(ByValue) not in pool["s"]


def test_objects_of_another_pool_are_refused(pool: Pool, folder: Any) -> None:
    with nvm.open(folder / "other", "n", size="64 MiB", backend="memory") as other:
        stranger = other.new(ByIdentity)
        s = pool.new(PersistentSet, ["a"])
        with pytest.raises(TypeError, match="another pool"):
            s.add(stranger)
        with pytest.raises(TypeError, match=r"to_python\(\)"):
            pool["s"] = [other.new(PersistentSet)]
        assert stranger not in s
        other["s"] = {1, 2, "a"}
        assert s | other["s"] == {1, 2, "a"}
        s |= other["s"]
        assert s == other["s"] == {1, 2, "a"}


def test_an_object_that_was_undone_is_stale(pool: Pool) -> None:
    pool["s"] = {"a"}
    with pytest.raises(LookupError), pool.transaction():
        young = pool.new(PersistentSet, [1])
        element = pool.new(ByIdentity)
        raise LookupError
    for operation in (
        lambda: len(young),
        lambda: 1 in young,
        lambda: young.add(1),
        lambda: list(young),
        lambda: repr(young),
        lambda: pool["s"] | young,
        lambda: pool["s"] == young,
        lambda: pool["s"].add(element),
        lambda: pool["s"].update([element]),
    ):
        with pytest.raises(nvm.StaleObjectError):
            operation()
    assert pool["s"] == {"a"}


def test_a_change_of_size_ends_an_iteration(pool: Pool) -> None:
    def walk(s: Any) -> Any:
        iterator = iter(s)
        next(iterator)
        s.add("new")
        first = outcome(next, iterator)
        s.remove("new")
        return first, outcome(next, iterator), operator.length_hint(iterator)

    assert walk(pool.new(PersistentSet, [1, 2, 3])) == walk({1, 2, 3})


def test_an_exhausted_iterator_stays_so(pool: Pool) -> None:
    s = pool.new(PersistentSet, ["a"])
    iterator = iter(s)
    assert list(iterator) == ["a"]
    s.add("b")
    assert list(iterator) == []
    assert operator.length_hint(iterator) == 0
    with pytest.raises(TypeError, match="cannot create"):
        type(iterator)()


def test_a_body_that_changes_under_an_iterator_is_noticed(pool: Pool) -> None:
    s = pool.new(PersistentSet, range(100))

    def turn_over() -> None:
        for element in s:
            s.remove(element)
            s.add(element)

    with pytest.raises(RuntimeError, match="Set changed during iteration"):
        turn_over()
    assert len(s) == 100


def test_iterators_are_copied_as_those_of_set(pool: Pool) -> None:
    s = pool.new(PersistentSet, [1, 2, 3])
    iterator = iter(s)
    seen = {next(iterator)}
    assert set(copy.copy(iterator)) == {1, 2, 3} - seen
    assert set(pickle.loads(pickle.dumps(iterator))) == {1, 2, 3} - seen
    assert set(iterator) == {1, 2, 3} - seen


def test_copies_are_ordinary(pool: Pool) -> None:
    element = pool.new(ByIdentity)
    pool["s"] = {1, "a", (element, 2), frozenset({3})}
    s = pool["s"]
    for made in (copy.copy(s), s.copy(), s.to_python()):
        assert type(made) is set
        assert made == s
    pool["nested"] = {"s": [s, {1}], "t": ({2}, s)}
    for deep in (pool["nested"].to_python(), plain_copy(pool["nested"])):
        assert type(deep["s"][0]) is type(deep["s"][1]) is type(deep["t"][0]) is set
        assert deep["s"][0] is deep["t"][1]
    s.remove((element, 2))
    assert type(pickle.loads(pickle.dumps(s))) is set
    assert pickle.loads(pickle.dumps(s)) == copy.deepcopy(s) == {1, "a", frozenset({3})}


def plain_copy(value: Any) -> Any:
    return value.to_python()


def test_it_is_known_to_the_abcs(pool: Pool) -> None:
    s = pool.new(PersistentSet, [1])
    assert isinstance(s, collections.abc.MutableSet)
    assert not isinstance(s, collections.abc.Hashable)

    class Other(collections.abc.Set):  # type: ignore[type-arg]
        def __init__(self, elements: Any) -> None:
            self.elements = list(elements)

        def __contains__(self, element: object) -> bool:
            return element in self.elements

        def __iter__(self) -> Any:
            return iter(self.elements)

        def __len__(self) -> int:
            return len(self.elements)

    assert s == Other([1])
    assert Other([1]) == s
    assert s <= Other([1, 2])
    assert set(Other([1, 2]) - s) == {2}


def test_it_has_an_oid_and_a_pool(pool: Pool) -> None:
    s = pool.new(PersistentSet)
    assert s._p_pool is pool
    assert s._p_oid[1] > 0
    for name in ("_p_oid", "_p_pool"):
        with pytest.raises(AttributeError):
            setattr(s, name, 1)


@cpython_only("hash() of nested built-ins looks how deep it is")
def test_deep_elements(pool: Pool, reopen: Reopen) -> None:
    def nested(kind: Any, levels: int = 10_000) -> Any:
        value = kind()
        for _ in range(levels):
            value = kind((value,))
        return value

    pool["s"] = {nested(frozenset), 1}
    pool["t"] = nested(tuple)
    pool["in tuples"] = ({nested(tuple), 2},)
    pool = reopen(pool)
    s, (inner,) = pool["s"], pool["in tuples"]
    assert nested(frozenset) in s
    assert nested(frozenset, 9_999) not in s
    assert nested(tuple) in inner
    s ^= {nested(frozenset), nested(tuple)}
    assert len(s) == 2
    assert nested(tuple) in s
    s -= {nested(tuple)}
    assert s == {1}
    with pytest.raises(RecursionError):
        repr(inner)
    assert pool.check() == []
    inner.clear()
    del pool["t"]
    assert pool.stats()["types"].get("frozenset") is None


def test_a_nan_is_one_element(pool: Pool) -> None:
    s = pool.new(PersistentSet)
    nan = float("nan")
    for _ in range(3):
        s.add(float("nan"))
    assert len(s) == 1
    assert nan in s
    assert s == s
    assert s == {nan}
    s ^= {nan}
    assert s == set()


def test_elements_keep_the_type_they_were_first_stored_with(pool: Pool) -> None:
    s = pool.new(PersistentSet, [1])
    s |= {True}
    s.add(1.0)
    assert [type(element) for element in s] == [int]


def test_updates_are_atomic_among_threads(pool: Pool) -> None:
    pool["s"] = set()
    barrier = threading.Barrier(3)
    wrong: list[Any] = []

    def work(even: bool) -> None:
        barrier.wait()
        for _ in range(100):
            if even:
                pool["s"] ^= {1, 2, 3}
            else:
                pool["s"].symmetric_difference_update([1, 2, 3])
            seen = pool["s"].copy()
            if seen not in (set(), {1, 2, 3}):
                wrong.append(seen)

    threads = [threading.Thread(target=work, args=(i % 2 == 0,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert pool["s"] == set()


def test_a_closed_pool_says_so(pool: Pool) -> None:
    s = pool.new(PersistentSet, [1, 2])
    iterator = iter(s)
    next(iterator)
    pool.close()
    calls: list[Callable[[], Any]] = [
        lambda: next(iterator),
        lambda: repr(s),
        lambda: len(s),
        lambda: 1 in s,
        lambda: s.add(3),
        lambda: s.pop(),
        lambda: s | {1},
        lambda: {1} | s,
        lambda: s == {1},
        lambda: s.update([1]),
        lambda: s.isdisjoint([1]),
        s.copy,
        s.clear,
        s.to_python,
    ]
    for call in calls:
        with pytest.raises(nvm.PoolClosedError):
            call()


def test_sets_in_a_read_only_pool(pool: Pool, open_pool: Any) -> None:
    pool["s"] = {1, 2}
    pool.close()
    pool = open_pool("r")
    s = pool["s"]
    assert s == {1, 2}
    assert s | {3} == {1, 2, 3}
    for change in (lambda: s.add(3), lambda: s.discard(1), s.pop, s.clear, lambda: s.update([3])):
        with pytest.raises(OSError, match="read"):
            change()
    pool.close()


def test_a_key_is_hashed_once_even_if_that_fails(pool):
    class Key:
        asked = 0

        def __hash__(self):
            self.asked += 1
            raise AttributeError("no hash")

    pool["s"], pool["d"] = {1}, {1: 2}
    for container in (pool["s"], pool["d"]):
        key = Key()
        with pytest.raises(AttributeError, match="no hash"):
            key in container
        assert key.asked == 1
