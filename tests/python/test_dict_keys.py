"""Keys of PersistentDict: which are found, which are refused, and code of the user's in them."""

from __future__ import annotations

import enum
import operator
import threading
from collections import namedtuple
from decimal import Decimal
from fractions import Fraction
from typing import Any, Callable

import pytest

import nvm
from nvm.pmemobj import PersistentDict, PersistentObject, PersistentObjectPool

Pool = PersistentObjectPool
Reopen = Callable[[Pool], Pool]


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class OddText(str):
    __slots__ = ()

    def __hash__(self) -> int:
        return str.__hash__(self)

    def __eq__(self, other: object) -> bool:
        return True


class Pair(tuple):
    __slots__ = ()


class Color(enum.IntEnum):
    RED = 1


class Plain(enum.Enum):
    ONE = 1


class OddNumber(int):
    ONE: OddNumber

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return 1


OddNumber.ONE = OddNumber(1)


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


class ByIdentity(PersistentObject):
    pass


class ByValue(PersistentObject):
    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByValue)

    def __hash__(self) -> int:
        return 1


class Stop(Exception):
    pass


def stop() -> None:
    raise Stop


LOOKUPS: dict[str, Callable[[Any, Any], Any]] = {
    "getitem": lambda d, key: d[key],
    "in": lambda d, key: key in d,
    "get": lambda d, key: d.get(key),
    "pop": lambda d, key: d.pop(key, None),
    "del": lambda d, key: d.__delitem__(key),
    "in keys": lambda d, key: key in d.keys(),  # noqa: SIM118
    "in items": lambda d, key: (key, 1) in d.items(),
}
STORES: dict[str, Callable[[Any, Any], Any]] = {
    "setitem": lambda d, key: d.__setitem__(key, 1),
    "setdefault": lambda d, key: d.setdefault(key, 1),
    "update": lambda d, key: d.update({key: 1}),
    "update pairs": lambda d, key: d.update([(key, 1)]),
    "ior": lambda d, key: d.__ior__({key: 1}),
    "nested": lambda d, key: d.__setitem__("nested", [{key: 1}]),
    "tuple": lambda d, key: d.__setitem__((1, (key,)), 1),
    "frozenset": lambda d, key: d.__setitem__(frozenset({key}), 1),
}


def test_a_subclass_that_compares_as_its_base_is_looked_up_as_it(pool: Pool) -> None:
    pool["d"] = {"a": 1, 1: 2, ("a", 1): 3, "long " * 20: 4}
    d = pool["d"]
    assert d[Text("a")] == 1
    assert d[Text("long " * 20)] == 4
    assert d[Number(1)] == d[Color.RED] == 2
    assert d[Pair(("a", 1))] == d[(Text("a"), Color.RED)] == 3
    assert d[namedtuple("P", "x y")("a", 1)] == 3
    assert d.pop(Text("a")) == 1


@pytest.mark.parametrize(
    "key", [OddText("a"), Plain.ONE, Decimal(2), Fraction(2), object(), int, len]
)
def test_what_cannot_be_stored_is_absent(pool: Pool, key: Any) -> None:
    pool["d"] = {"a": 1, 1: 2}
    d = pool["d"]
    assert key not in d
    assert (key,) not in d
    assert d.get(key) is None
    assert d.pop(key, "default") == "default"
    assert key not in d.keys()  # noqa: SIM118
    assert (key, 1) not in d.items()
    for operation in (lambda: d[key], lambda: d.pop(key), lambda: d.__delitem__(key)):
        with pytest.raises(KeyError) as caught:
            operation()
        assert caught.value.args == (key,)


@pytest.mark.parametrize("operation", list(STORES.values()), ids=list(STORES))
@pytest.mark.parametrize("key", [Text("a"), OddNumber.ONE, object(), Pair(), int])
def test_storing_such_a_key_is_refused(pool: Pool, key: Any, operation: Callable[..., Any]) -> None:
    pool["d"] = {"z": 1}
    with pytest.raises(TypeError, match=f"Don't know how to persist '.*{type(key).__name__}' obj"):
        operation(pool["d"], key)
    assert pool["d"] == {"z": 1}


def test_a_present_key_is_found_by_setdefault_whatever_it_is(pool: Pool) -> None:
    pool["d"] = {"a": [1]}
    assert pool["d"].setdefault(Text("a"), 5) is pool["d"]["a"]


def test_a_tuple_key_is_the_key_of_its_error(pool: Pool) -> None:
    with pytest.raises(KeyError) as caught:
        pool.new(PersistentDict)[1, 2]
    assert caught.value.args == ((1, 2),)


@pytest.mark.parametrize("operation", list(LOOKUPS.values()), ids=list(LOOKUPS))
def test_hash_is_called_once_and_its_exception_raised(
    pool: Pool, operation: Callable[..., Any]
) -> None:
    pool["d"] = {"a": 1}
    with pytest.raises(Stop):
        operation(pool["d"], Calls(on_hash=stop))
    calls: list[int] = []
    try:
        operation(pool["d"], Calls(on_hash=lambda: calls.append(1), on_eq=stop))
    except KeyError:
        pass
    assert calls == [1]
    assert pool["d"] == {"a": 1}


@pytest.mark.parametrize("operation", list(LOOKUPS.values()), ids=list(LOOKUPS))
def test_a_hash_may_change_the_dict_or_close_the_pool(
    pool: Pool, operation: Callable[..., Any]
) -> None:
    pool["d"] = {"a": 1}
    d = pool["d"]
    try:
        operation(d, Calls(on_hash=d.clear))
    except KeyError:
        pass
    assert d == {}
    with pytest.raises(nvm.PoolClosedError):
        operation(d, Calls(on_hash=pool.close))


def test_equality_asks_the_keys_of_the_other_dict(pool: Pool) -> None:
    d = pool.new(PersistentDict, {"a": 1})
    assert d == {Calls(): 1}
    with pytest.raises(Stop):
        operator.eq(d, {Calls(on_eq=stop): 1})
    with pytest.raises(nvm.PoolClosedError):
        operator.eq({Calls(on_eq=pool.close): [1]}, pool.new(PersistentDict, {"a": [1]}))


def test_equality_survives_values_that_change_the_dict(pool: Pool) -> None:
    class Meddler:
        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            d.clear()
            d.update({i: i for i in range(100)})
            return True

    d = pool.new(PersistentDict, {i: i for i in range(10)})
    with pytest.raises(RuntimeError, match="changed during comparison"):
        operator.eq(d, {i: Meddler() for i in range(10)})


def test_update_reads_all_before_it_changes_anything(pool: Pool) -> None:
    d = pool.new(PersistentDict, {"a": 1})

    def pairs() -> Any:
        yield "b", 2
        assert d == {"a": 1}
        raise Stop

    with pytest.raises(Stop):
        d.update(pairs())
    with pytest.raises(TypeError, match="'object' objects"):
        d.update({"b": 2, "c": [object()]})
    with pytest.raises(TypeError, match="'object' objects"):
        d |= {"b": 2, "c": object()}
    assert d == {"a": 1}


def test_persistent_objects_are_keys_by_identity(pool: Pool, reopen: Reopen) -> None:
    one, other = pool.new(ByIdentity), pool.new(ByIdentity)
    pool["d"] = {one: 1, (other, 1): 2}
    pool["objects"] = [one, other]
    pool = reopen(pool)
    one, other = pool["objects"]
    d = pool["d"]
    assert d[one] == 1
    assert d[other, 1] == 2
    assert other not in d
    assert next(iter(d)) is one
    assert d == {one: 1, (other, 1): 2}
    assert {one, other} & d.keys() == {one}


@pytest.mark.parametrize("operation", list(STORES.values()), ids=list(STORES))
def test_objects_with_an_equality_of_their_own_are_refused_as_keys(
    pool: Pool, operation: Callable[..., Any]
) -> None:
    pool["d"] = {"z": 1}
    with pytest.raises(TypeError, match="'ByValue' objects cannot be keys of a persistent dict"):
        operation(pool["d"], pool.new(ByValue))
    assert pool["d"] == {"z": 1}
    assert pool.new(ByValue) not in pool["d"]
    assert (pool.new(ByValue), 1) not in pool["d"]


def test_keys_keep_the_type_they_were_first_stored_with(pool: Pool) -> None:
    pool["d"] = {1: "int"}
    pool["d"][True] = "bool"
    pool["d"][1.0] = "float"
    assert [(type(key), value) for key, value in pool["d"].items()] == [(int, "float")]


def test_a_nan_is_one_key(pool: Pool) -> None:
    d = pool.new(PersistentDict)
    for _ in range(3):
        d[float("nan")] = 1
    assert len(d) == 1
    assert float("nan") in d


def test_setdefault_is_atomic_among_threads(pool: Pool) -> None:
    pool["d"] = {}
    barrier = threading.Barrier(4)
    got: list[Any] = []

    def work() -> None:
        for i in range(100):
            barrier.wait()
            got.append((i, pool["d"].setdefault(i, [threading.get_ident()])))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(value is pool["d"][i] for i, value in got)
