"""What nobody should do: each is an error that changes nothing, or done right; never a crash."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import operator
import signal
import subprocess
import sys
import threading
from typing import Any, Callable

import pytest

import nvm
from interpreter import CPYTHON, collect, cpython_only
from nvm import _core, _immutable
from nvm.pmemobj import (
    PersistentByteArray,
    PersistentDict,
    PersistentFrozenSet,
    PersistentList,
    PersistentObject,
    PersistentObjectPool,
    PersistentSet,
    PersistentTuple,
)

Pool = PersistentObjectPool

# ---- Objects that nobody has made

INTERNAL = sorted(
    name
    for name, value in vars(_core).items()
    if isinstance(value, type) and not issubclass(value, BaseException)
)
USE = """
import sys
from nvm import _core, pmemobj
cls = getattr(_core, sys.argv[1])
cls = getattr(pmemobj, sys.argv[1], cls)
try:
    one = object.__new__(cls)
except TypeError:
    sys.exit()
for use in (
    repr, len, list, iter, hash, bool, dict, lambda one: one == one, lambda one: one == [],
    lambda one: one < one, lambda one: one + one, lambda one: one & one, lambda one: one[0],
    lambda one: 1 in one, lambda one: one.__get__(one, type(one)), lambda one: one.__set__(one, 1),
    lambda one: one.x, lambda one: setattr(one, "x", 1), lambda one: vars(one),
    lambda one: one.offset, lambda one: one._p_oid, lambda one: one._p_pool, lambda one: dir(one),
    lambda one: one._p_mm,
    lambda one: one.mapping, lambda one: one.__enter__(), lambda one: next(one), lambda one: one(),
    lambda one: one.begin(), lambda one: one.close(), lambda one: memoryview(one),
    lambda one: one.__reduce__(), lambda one: one.__copy__(), lambda one: one.to_python(),
    lambda one: one.get(1), lambda one: one.keys(), lambda one: one.pop(),
):
    try:
        use(one)
    except Exception as error:
        assert not isinstance(error, SystemError), error
"""


@pytest.mark.parametrize("name", INTERNAL)
def test_what_object_new_makes_can_be_used_without_a_crash(name: str) -> None:
    done = subprocess.run([sys.executable, "-c", USE, name], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


# ---- Keys and elements


class Unhashable:
    __hash__ = None  # type: ignore[assignment]


class RaisesHash:
    def __hash__(self) -> int:
        raise LookupError("no hash")


BAD_KEYS = [[1], {1: 2}, {1}, bytearray(b"x"), (1, [2]), ((({},),),), Unhashable(), (Unhashable(),)]


@pytest.mark.parametrize("key", BAD_KEYS, ids=repr)
def test_unhashable_keys_and_elements(pool: Pool, key: Any) -> None:
    pool["d"], pool["s"] = {1: 2}, {1}
    d, s = pool["d"], pool["s"]
    for use in (
        lambda: d.__setitem__(key, 1),
        lambda: d[key],
        lambda: d.get(key),
        lambda: key in d,
        lambda: d.pop(key, None),
        lambda: d.setdefault(key, 1),
        lambda: d.update([(key, 1)]),
        lambda: pool.new(PersistentDict, [(key, 1)]),
        lambda: s.add(key),
        lambda: s.update([key]),
        lambda: s.symmetric_difference_update([key]),
        lambda: pool.new(PersistentSet, [key]),
        lambda: pool.new(PersistentFrozenSet, [key]),
        lambda: pool.__setitem__(key, 1),
    ):
        with pytest.raises(TypeError, match="unhashable"):
            use()
    assert (d, s, list(pool)) == ({1: 2}, {1}, ["d", "s"])


def test_a_hash_that_raises(pool: Pool) -> None:
    pool["d"], pool["s"] = {1: 2}, {1}
    for key in (RaisesHash(), (1, RaisesHash())):
        for use in (
            lambda key=key: pool["d"].__setitem__(key, 1),
            lambda key=key: key in pool["d"],
            lambda key=key: pool["s"].add(key),
            lambda key=key: key in pool["s"],
        ):
            with pytest.raises(LookupError, match="no hash"):
                use()
    assert (pool["d"], pool["s"]) == ({1: 2}, {1})


# ---- Odd subclasses

ODD_BASES = [int, str, float, complex, bytes, tuple, frozenset, list, dict, set, bytearray]


def odd(base: type) -> type:
    def refuse(self: Any, *arguments: Any) -> Any:
        raise AssertionError("was asked")

    methods = ("__iter__", "__len__", "__getitem__", "__index__", "__str__", "__bool__", "__eq__")
    return type(
        f"Odd{base.__name__}", (base,), {**dict.fromkeys(methods, refuse), "__hash__": None}
    )


@cpython_only("what it hands to C it copies by methods that a class may override")
@pytest.mark.parametrize("base", ODD_BASES, ids=lambda base: base.__name__)
def test_odd_subclasses_are_refused_without_asking_them(pool: Pool, base: type) -> None:
    value = odd(base)()
    for store in (
        lambda: pool.__setitem__("x", value),
        lambda: pool.__setitem__("x", [1, (value,)]),
        lambda: setattr(pool, "root", {"k": value}),
    ):
        with pytest.raises(TypeError, match=f"Odd{base.__name__}"):
            store()
    assert (list(pool), pool.root) == ([], None)


# ---- Registered types that lie


class Liar:
    def __init__(self, number: int) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Liar) and self.number == other.number

    def __hash__(self) -> int:
        return hash(self.number)


@pytest.fixture(autouse=True)
def _forget_registered() -> Any:
    yield
    _immutable._registered.pop(Liar, None)


def test_a_to_state_that_gives_something_else_each_time(pool: Pool) -> None:
    counter = itertools.count()
    nvm.register_type(Liar, lambda one: (next(counter), "x" * 50), lambda state: Liar(state[0]))
    one = Liar(0)
    pool["list"] = [one, one, [one]]
    assert pool["list"][0].number == pool["list"][1].number
    pool["list"].append(one)
    assert pool["list"][3].number != pool["list"][0].number
    assert pool.check() == []


def test_a_key_that_gives_something_else_each_time(pool: Pool) -> None:
    counter = itertools.count()
    nvm.register_type(Liar, lambda one: one.number, Liar, key=lambda one: (next(counter),))
    one = Liar(5)
    d = pool["d"] = {}
    d = pool["d"]
    for _ in range(40):
        d[one] = 1
    assert len(d) == 40
    assert one not in d
    with pytest.raises(KeyError):
        del d[one]
    d.popitem()
    assert len(d) == 39
    d.clear()
    pool["s"] = {1}
    pool["s"].update([one, one, one])
    assert pool.check() == []


def test_a_key_that_is_equal_for_all(pool: Pool) -> None:
    nvm.register_type(Liar, lambda one: one.number, Liar, key=lambda one: ("same",))
    pool["d"] = {Liar(1): 1, Liar(2): 2}
    assert len(pool["d"]) == 1
    assert pool["d"][Liar(3)] == 2
    assert pool.new(PersistentFrozenSet, [Liar(1), Liar(2)]) is not None
    assert pool.check() == []


@pytest.mark.parametrize("key", [lambda one: [1], lambda one: ([],), lambda one: object()])
def test_a_key_that_is_none(pool: Pool, key: Any) -> None:
    nvm.register_type(Liar, lambda one: one.number, Liar, key=key)
    for store in (
        lambda: pool.__setitem__("d", {Liar(1): 1}),
        lambda: pool.__setitem__("x", Liar(1)),
    ):
        with pytest.raises(TypeError):
            store()
    assert list(pool) == []


def test_a_to_state_that_holds_its_value(pool: Pool) -> None:
    register = functools.partial(nvm.register_type, Liar, from_state=lambda state: Liar(1))
    for to_state in (lambda one: one, lambda one: (1, (one,)), lambda one: frozenset([one])):
        register(to_state)
        with pytest.raises(TypeError, match="made from itself"):
            pool["x"] = Liar(1)
        with pytest.raises(TypeError, match=r"made from itself.* at value\[1\]"):
            pool["x"] = [1, Liar(1)]
        _immutable._registered.pop(Liar)
    register(lambda one: (Liar(one.number + 1),))
    with pytest.raises(TypeError, match="too deep"):
        pool["x"] = Liar(1)
    _immutable._registered.pop(Liar)
    register(lambda one: [one])  # through a list it can be stored, and freed
    pool["x"] = Liar(1)
    with pytest.raises(RecursionError):
        pool["x"]
    del pool["x"]
    pool.gc()
    assert list(pool) == []


@dataclasses.dataclass(frozen=True)
class HoldsItself:
    part: Any = None


def test_a_dataclass_that_holds_itself(pool: Pool) -> None:
    one = HoldsItself()
    object.__setattr__(one, "part", (1, one))
    with pytest.raises((TypeError, RecursionError)):
        pool["x"] = one
    object.__setattr__(one, "part", [one])
    pool["x"] = one
    assert pool["x"].part[0].part is pool["x"].part
    pool.clear()
    pool.gc()


def test_functions_that_empty_what_is_being_stored(pool: Pool) -> None:
    source: list[Any] = []

    def to_state(one: Liar) -> int:
        source.clear()
        return one.number

    nvm.register_type(Liar, to_state, Liar)
    source[:] = [Liar(1), "x" * 100, [1], Liar(2)]
    pool["x"] = source
    assert len(pool["x"]) <= 4  # what was there when it was read
    assert pool.check() == []


# ---- Cycles through tuples


def test_cycles_through_tuples(pool: Pool) -> None:
    inner: list[Any] = []
    outer = (1, inner, ({"k": inner},))
    inner.append(outer)
    pool["x"] = outer
    assert pool["x"][1][0][2][0]["k"] is pool["x"][1]
    plain = pool["x"][1].to_python()
    assert plain[0][1] is plain
    assert "..." in repr(pool["x"])
    with pytest.raises(TypeError, match="unhashable"):
        hash(pool["x"])
    with pytest.raises(TypeError, match="unhashable"):
        pool["d"] = {outer: 1}
    if CPYTHON:  # on PyPy the error is another
        with pytest.raises(RecursionError):
            operator.eq(pool["x"][1], pool["x"][1].to_python())
    del inner[:], pool["x"], plain
    pool.gc()
    assert pool.check() == []


# ---- 10,000 levels

LEVELS = 10_000


class Link(PersistentObject):
    pass


def nest_list(inner: Any) -> Any:
    return [inner]


def nest_dict(inner: Any) -> Any:
    return {"k": inner}


def nest_tuple(inner: Any) -> Any:
    return (inner,)


def nest_frozenset(inner: Any) -> Any:
    return frozenset([inner])


def nest_tuple_of_frozenset(inner: Any) -> Any:
    return (frozenset([inner]),)


def nested(nest: Callable[[Any], Any], bottom: Any) -> Any:
    value = bottom
    for _ in range(LEVELS):
        value = nest(value)
    return value


@cpython_only("what compares and shows deep values overflows its stack")
@pytest.mark.parametrize("nest", [nest_list, nest_dict, nest_tuple])
def test_ten_thousand_levels_of_built_ins(
    pool: Pool, reopen: Callable[[Pool], Pool], nest: Any
) -> None:
    pool["deep"] = [nested(nest, "bottom")]
    pool["other"] = [nested(nest, "bottom")]
    pool = reopen(pool)
    value = pool["deep"][0]
    for _ in range(LEVELS):
        value = value["k"] if nest is nest_dict else value[0]
    assert value == "bottom"
    with pytest.raises(RecursionError):
        repr(pool["deep"])
    with pytest.raises(RecursionError):
        operator.eq(pool["deep"], pool["other"])
    assert pool.check() == []
    plain = pool["deep"].to_python()[0]
    for _ in range(LEVELS):
        plain = plain["k"] if nest is nest_dict else plain[0]
    assert plain == "bottom"
    del value, pool["deep"]
    pool["ring"] = [nested(nest, ring := [])]
    pool["ring"].append(pool["ring"])
    del pool["ring"], ring
    assert pool.gc()[1]["collections-gced"] > 0
    pool.clear()
    assert pool.check() == []


@cpython_only("hash() of nested built-ins looks how deep it is")
@pytest.mark.parametrize("nest", [nest_frozenset, nest_tuple_of_frozenset])
def test_ten_thousand_levels_of_frozensets(
    pool: Pool, reopen: Callable[[Pool], Pool], nest: Any
) -> None:
    pool["deep"] = [nested(nest, "bottom")]
    pool["set"] = {nested(nest, "bottom"), "other"}
    pool["dict"] = {nested(nest, "bottom"): "found"}
    pool = reopen(pool)
    (value,) = pool["deep"]
    assert hash(value) == hash(nested(nest, "bottom"))
    assert value in pool["set"]
    assert nested(nest, "top") not in pool["set"]
    assert pool["dict"][value] == "found"
    with pytest.raises(RecursionError):
        repr(pool["set"])
    with pytest.raises(RecursionError):
        operator.eq(pool["deep"], [nested(nest, "bottom")])
    for _ in range(LEVELS):
        ((value,),) = (value,) if nest is nest_frozenset else value
    assert value == "bottom"
    assert pool.check() == []
    pool["deep"].append(pool["deep"])
    del pool["deep"]
    assert pool.gc()[1]["collections-gced"] > 0
    pool.clear()
    assert pool.stats()["types"].get("frozenset") is None
    assert pool.check() == []


def test_ten_thousand_levels_of_objects(pool: Pool, reopen: Callable[[Pool], Pool]) -> None:
    with pool.transaction():
        first = last = Link()
        for _ in range(LEVELS):
            last.next = Link()
            last = last.next
        last.next = None
    pool["deep"] = first
    pool["ring"] = [first]
    del first, last
    pool = reopen(pool)
    depth, link = 0, pool["deep"]
    while link.next is not None:
        depth, link = depth + 1, link.next
    assert depth == LEVELS
    assert pool["ring"].to_python()[0] is pool["deep"]
    assert pool.check() == []
    link.next = pool["deep"]
    pool.clear()
    del link
    collect()
    counts = pool.gc()[1]
    assert counts["collections-gced"] == LEVELS + 1
    assert pool.check() == []


@cpython_only("hash() of nested built-ins looks how deep it is")
@pytest.mark.parametrize("kind", [PersistentTuple, PersistentFrozenSet])
def test_deep_keys_of_built_ins(pool: Pool, kind: Any) -> None:
    """As deep as the interpreter hashes them: frozensets keep their hashes, tuples recurse."""
    make = tuple if kind is PersistentTuple else frozenset
    depth = 10_000 if make is frozenset else 150
    key: Any = make(["bottom"])
    for _ in range(depth):
        key = make([key])
        hash(key)
    pool["d"] = {key: 1}
    assert pool["d"][key] == 1
    assert key in pool["d"]
    assert next(iter(pool["d"])) == key if make is tuple else True
    pool["l"] = [key]
    assert pool.check() == []
    pool.clear()
    assert pool.check() == []


# ---- Interrupts


def interrupted_by(run: Callable[[], Any], after: float) -> bool:
    """Runs it with a KeyboardInterrupt after so many seconds; whether that came in time."""
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(after, lambda: signal.pthread_kill(main, signal.SIGINT))
    try:
        timer.start()
        run()
        timer.cancel()
        timer.join()
        operator.add(1, 1)  # where one that comes late is raised
    except KeyboardInterrupt:
        return True
    finally:
        timer.cancel()
    return False


@pytest.mark.usefixtures("without_gc_callbacks")
@cpython_only("an interrupt may come in a weak reference's callback")
def test_an_interrupt_in_a_collection(open_pool: Any) -> None:
    pool = open_pool(size="256 MiB")
    for _ in range(3):
        rings = [[number] for number in range(60_000)]
        for ring in rings:
            ring.append(ring)
        pool["rings"] = rings
        del pool["rings"], rings
        interrupted_by(pool.gc, 0.02)
        assert pool.check() == []
    pool.gc()
    assert pool.gc()[1]["collections-gced"] == 0
    assert pool.check() == []


@pytest.mark.usefixtures("without_gc_callbacks")
@cpython_only("an interrupt may come in a weak reference's callback")
@pytest.mark.parametrize("update", ["update", "|="])
def test_an_interrupt_in_an_update(open_pool: Any, update: str) -> None:
    pool = open_pool(size="256 MiB")
    pool["d"] = {"kept": 1}
    pool["s"] = {"kept"}
    many = {number: str(number) * 3 for number in range(300_000)}

    def change(target: Any, others: Any) -> None:
        if update == "update":
            target.update(others)
        else:
            operator.ior(target, others)

    for after in (0.005, 0.05):
        interrupted_by(lambda: change(pool["d"], many), after)
        assert len(pool["d"]) in (1, len(many) + 1)
        interrupted_by(lambda: change(pool["s"], set(many)), after)
        assert len(pool["s"]) in (1, len(many) + 1)
        assert pool.check() == []
    pool["d"].update(many)
    assert len(pool["d"]) == len(many) + 1


@pytest.mark.usefixtures("without_gc_callbacks")
@cpython_only("an interrupt may come in a weak reference's callback")
def test_an_interrupt_while_a_bytearray_or_list_grows(open_pool: Any) -> None:
    pool = open_pool(size="256 MiB")
    pool["b"] = pool.new(PersistentByteArray, b"kept")
    pool["l"] = pool.new(PersistentList, ["kept"])
    content = bytes(20_000_000)
    numbers = list(range(500_000))
    for after in (0.002, 0.01):
        interrupted_by(lambda: pool["b"].extend(content), after)
        assert (len(pool["b"]) - 4) % len(content) == 0
        interrupted_by(lambda: pool["l"].extend(numbers), after)
        assert (len(pool["l"]) - 1) % len(numbers) == 0
        assert pool.check() == []
