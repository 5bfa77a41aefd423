"""PersistentObject and dataclasses: each option of the decorator and of field()."""

from __future__ import annotations

import copy
import dataclasses
import functools
import pickle
import sys
from typing import Any, Callable, ClassVar

import pytest

from interpreter import collect
from nvm.pmemobj import PersistentList, PersistentObject, PersistentObjectPool
from outcome import undone

Pool = PersistentObjectPool
Reopen = Callable[[Pool], Pool]

OF_3_10 = pytest.mark.skipif(
    sys.version_info < (3, 10), reason="dataclass(slots=, kw_only=) are of Python 3.10"
)


class Part(PersistentObject):
    def __init__(self, number: int = 0) -> None:
        self.number = number


@dataclasses.dataclass
class Data(PersistentObject):
    x: int
    y: str = "default"
    items: list[int] = dataclasses.field(default_factory=list)
    counter: ClassVar[int] = 0


@dataclasses.dataclass
class Full(PersistentObject):
    x: int
    table: dict[str, int] = dataclasses.field(default_factory=dict)
    part: Part = dataclasses.field(default_factory=Part)
    made: Any = dataclasses.field(default_factory=lambda: PersistentList([1]))
    late: int = dataclasses.field(init=False)
    early: int = dataclasses.field(init=False, default=3)
    scale: dataclasses.InitVar[int] = 2
    hidden: str = dataclasses.field(default="h", repr=False, compare=False)
    _v_seen: Any = dataclasses.field(default=None, repr=False, compare=False)

    def __post_init__(self, scale: int) -> None:
        self.late = self.x * scale

    @functools.cached_property
    def heavy(self) -> Any:
        return [self.x, object()]


@dataclasses.dataclass(frozen=True)
class Frozen(PersistentObject):
    x: int
    y: str = "default"


@dataclasses.dataclass(frozen=True)
class FrozenDerived(Frozen):
    z: float = 0.5
    items: list[int] = dataclasses.field(default_factory=list, compare=False)

    @functools.cached_property
    def heavy(self) -> object:
        return object()

    def __post_init__(self) -> None:
        object.__setattr__(self, "secret", self.x * 2)


@dataclasses.dataclass(order=True)
class Ordered(PersistentObject):
    a: int
    b: str = "b"


@dataclasses.dataclass
class Derived(Ordered):
    a: int = 9
    c: list[int] = dataclasses.field(default_factory=lambda: [1])


@dataclasses.dataclass(eq=False)
class Identity(PersistentObject):
    a: int


@dataclasses.dataclass(unsafe_hash=True)
class Hashed(PersistentObject):
    a: int


if sys.version_info >= (3, 10):

    @dataclasses.dataclass(slots=True, kw_only=True)
    class Slotted(PersistentObject):
        x: int
        y: list[int] = dataclasses.field(default_factory=list)
        scale: dataclasses.InitVar[int] = 5

        def __post_init__(self, scale: int) -> None:
            self.y.append(scale)

    @dataclasses.dataclass(slots=True)
    class SlottedDerived(Slotted):
        z: int = 1

    @dataclasses.dataclass(slots=True, frozen=True)
    class SlottedFrozen(PersistentObject):
        x: int
        y: list[int] = dataclasses.field(default_factory=list)

    @dataclasses.dataclass(slots=True, frozen=True, order=True)
    class SlottedFrozenDerived(SlottedFrozen):
        z: int = 4


def test_fields_are_attributes(pool: Pool, reopen: Reopen) -> None:
    pool.root = pool.new(Data, 1)
    pool.root.items.append(5)
    pool = reopen(pool)
    one = pool.root
    assert vars(one) == {"x": 1, "y": "default", "items": [5]}
    assert repr(one) == "Data(x=1, y='default', items=PersistentList([5]))"
    assert one == pool.new(Data, 1, items=[5])
    assert one != pool.new(Data, 2)
    assert [field.name for field in dataclasses.fields(one)] == ["x", "y", "items"]
    Data.counter += 1
    assert (Data.counter, one.counter) == (1, 1)
    Data.counter = 0


def test_factories_post_init_and_init_variables(pool: Pool, reopen: Reopen) -> None:
    pool.root = [pool.new(Full, 4, scale=3), pool.new(Full, 5)]
    one, other = pool.root
    one.table["k"] = 1
    assert one.heavy is one.heavy
    one._v_seen = object()
    stored = {"x", "table", "part", "made", "late", "hidden"}
    assert set(vars(one)) == stored
    del one, other
    collect()
    pool = reopen(pool)
    one, other = pool.root
    assert (one.late, one.early, one.scale, Full.early, Full.scale) == (12, 3, 2, 3, 2)
    assert (one.table, other.table, one.part.number, one.made) == ({"k": 1}, {}, 0, [1])
    assert one.part is not other.part
    assert other.late == 10
    assert set(vars(one)) == stored
    assert one._v_seen is None
    assert one.heavy[0] == 4
    one.early = 7
    assert (reopen(pool).root[0].early, Full.early) == (7, 3)


def test_copies_of_the_decorators_module(pool: Pool) -> None:
    one = pool.new(Data, 1, items=[1, 2])
    assert dataclasses.asdict(one) == {"x": 1, "y": "default", "items": [1, 2]}
    assert dataclasses.astuple(one) == (1, "default", [1, 2])
    assert type(dataclasses.asdict(one)["items"]) is list
    nested = pool.new(Full, 1, part=pool.new(Data, 2))
    assert dataclasses.asdict(nested)["part"] == {"x": 2, "y": "default", "items": []}
    with pool.transaction():
        replaced = dataclasses.replace(one, x=7)
    assert (replaced.x, replaced.items is one.items, one.x) == (7, True, 1)
    with pytest.raises(TypeError, match=r"pool\.new\(Data"):
        dataclasses.replace(one, x=7)
    if sys.version_info >= (3, 13):
        with pool.transaction():
            assert copy.replace(one, x=8).x == 8


def test_order_equality_and_hash(pool: Pool) -> None:
    one, other = pool.new(Ordered, 1), pool.new(Ordered, 2)
    assert one < other
    assert other >= one
    assert sorted([other, one]) == [one, other]
    assert max([one, other]) is other
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)
    with pytest.raises(TypeError, match="not supported"):
        one < pool.new(Derived)
    assert one != pool.new(Derived, 1)
    assert hash(pool.new(Hashed, 5)) == hash((5,))
    assert hash(pool.new(Frozen, 5)) == hash((5, "default"))
    assert len({pool.new(Frozen, 5), pool.new(Frozen, 5), pool.new(Frozen, 6)}) == 2
    identity = pool.new(Identity, 1)
    assert identity == identity
    assert identity != pool.new(Identity, 1)
    pool["keys"] = {identity: 1}
    assert pool["keys"][identity] == 1
    for compared in (one, pool.new(Hashed, 5), pool.new(Frozen, 5)):
        with pytest.raises(TypeError, match=r"cannot be keys|unhashable"):
            pool["keys"] = {compared: 1} if compared is not one else {(one,): 1}
        pool["list"] = [compared]
        assert pool["list"].index(compared) == 0


def test_inheritance(pool: Pool, reopen: Reopen) -> None:
    pool.root = [pool.new(Derived), pool.new(Derived, 1, "x", [])]

    @dataclasses.dataclass
    class Late(Ordered):  # of a class that has instances already
        d: int = 0
        a: int = 4

    pool["late"] = late = pool.new(Late)
    assert (late.a, late.b, late.d) == (4, "b", 0)
    assert [Derived.a, Ordered.b, Late.d] == [9, "b", 0]
    assert not hasattr(Ordered, "a")
    del late
    pool = reopen(pool)
    assert [vars(one) for one in pool.root] == [
        {"a": 9, "b": "b", "c": [1]},
        {"a": 1, "b": "x", "c": []},
    ]
    assert type(pool["late"]) is Late


def test_a_class_that_is_made_at_run_time(pool: Pool, reopen: Reopen) -> None:
    made = dataclasses.make_dataclass(
        "Made", [("a", int), ("b", int, 5)], bases=(PersistentObject,)
    )
    pool.root = pool.new(made, 1)
    assert vars(reopen(pool).root) == {"a": 1, "b": 5}


def test_frozen_ones(pool: Pool, reopen: Reopen) -> None:
    pool.root = [pool.new(Frozen, 1), pool.new(FrozenDerived, 2, z=1.5)]
    with pool.transaction():
        pool.root.append(FrozenDerived(3))
    pool = reopen(pool)
    one, derived, called = pool.root
    assert vars(one) == {"x": 1, "y": "default"}
    assert vars(derived) == {"x": 2, "y": "default", "z": 1.5, "items": [], "secret": 4}
    assert vars(called) == {"x": 3, "y": "default", "z": 0.5, "items": [], "secret": 6}
    for refused in ("x", "new"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(one, refused, 2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        del one.x
    derived.items.append(1)
    assert derived.heavy is derived.heavy
    assert (one.x, derived.items) == (1, [1])
    assert copy.copy(derived) == derived
    assert copy.deepcopy(derived).items is not derived.items
    with pool.transaction():
        assert dataclasses.replace(derived, x=9).secret == 18


@OF_3_10
def test_slotted_ones(pool: Pool, reopen: Reopen) -> None:
    pool.root = [
        pool.new(Slotted, x=1),
        pool.new(SlottedDerived, x=2, scale=1, z=3),
        pool.new(SlottedFrozenDerived, 3),
    ]
    pool = reopen(pool)
    plain, derived, frozen = pool.root
    assert vars(plain) == {"x": 1, "y": [5]}
    assert vars(derived) == {"x": 2, "y": [1], "z": 3}
    assert vars(frozen) == {"x": 3, "y": [], "z": 4}
    assert repr(derived) == "SlottedDerived(x=2, y=PersistentList([1]), z=3)"
    with pytest.raises(dataclasses.FrozenInstanceError):
        frozen.x = 3
    assert frozen == copy.copy(frozen)
    assert frozen < pool.new(SlottedFrozenDerived, 4)
    with undone(pool):
        derived.x = 5
        derived.y.append(5)
    assert dataclasses.astuple(derived) == (2, [1], 3)
    with pool.transaction():
        assert dataclasses.replace(frozen, x=8).z == 4
    # The decorator gives a frozen class with slots the methods that pickle asks for.
    pickled = pickle.dumps(frozen)
    with pool.transaction():
        assert pickle.loads(pickled) == frozen
