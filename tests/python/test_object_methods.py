"""PersistentObject and methods of the user's that Python calls: for attributes, pickling."""

from __future__ import annotations

import copy
import enum
import inspect
import pickle
import weakref
from typing import Any, Callable

import pytest

import nvm
from interpreter import collect, cpython_only
from nvm.pmemobj import PersistentObject, PersistentObjectPool, PersistentSet
from outcome import undone

Pool = PersistentObjectPool
Reopen = Callable[[Pool], Pool]


class Plain(PersistentObject):
    pass


class Computes(PersistentObject):
    def __init__(self) -> None:
        self.x = 1

    def __getattribute__(self, name: str) -> Any:
        return 42 if name == "magic" else super().__getattribute__(name)


class ByObject(PersistentObject):
    """Its attribute methods end in object's."""

    def __getattribute__(self, name: str) -> Any:
        return object.__getattribute__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)


class ByObjectDerived(ByObject):
    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, [value] if name == "boxed" else value)


class MixedIn:
    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, f"mixed_{name}", value)


class OfMixedIn(MixedIn, PersistentObject):
    pass


class SetsItself(PersistentObject):
    def __init__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)


class Doubling:
    def __set_name__(self, owner: type, name: str) -> None:
        self.name = f"_{name}"

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else getattr(instance, self.name, "unset")

    def __set__(self, instance: Any, value: Any) -> None:
        setattr(instance, self.name, value * 2)

    def __delete__(self, instance: Any) -> None:
        delattr(instance, self.name)


class Default:
    """Without a __set__: an instance's attribute goes before it."""

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else "default"


class Described(PersistentObject):
    doubled = Doubling()
    default = Default()

    @property
    def raised(self) -> int:
        value: int = self._raised
        return value

    @raised.setter
    def raised(self, value: int) -> None:
        self._raised = value + 1

    @raised.deleter
    def raised(self) -> None:
        del self._raised

    @staticmethod
    def static() -> str:
        return "static"

    @classmethod
    def of_class(cls) -> type:
        return cls


class Private(PersistentObject):
    __slots__ = ("__secret", "_v_fast", "plain")

    def __init__(self) -> None:
        self.__secret = 2
        self._v_fast = object()

    def secret(self) -> int:
        return self.__secret


class PrivateDerived(Private):
    __slots__ = ("more",)


class Stateful(PersistentObject):
    def __init__(self, x: Any) -> None:
        self.x = x

    def __getstate__(self) -> Any:
        return {"x": self.x}

    def __setstate__(self, state: Any) -> None:
        self.x = state["x"]


class Keyed(PersistentObject):
    def __init__(self, key: int) -> None:
        self.key = key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Keyed) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


class Color(enum.Enum):
    RED = 1


class Permission(enum.Flag):
    READ = 1
    WRITE = 2


def test_a_getattribute_of_the_users(pool: Pool, reopen: Reopen) -> None:
    pool.root = pool.new(Computes)
    pool = reopen(pool)
    assert (pool.root.magic, pool.root.x, vars(pool.root)) == (42, 1, {"x": 1})


@pytest.mark.parametrize("cls", [ByObject, ByObjectDerived])
def test_methods_that_end_in_those_of_object(pool: Pool, reopen: Reopen, cls: Any) -> None:
    pool.root = one = pool.new(cls)
    one.x = 1
    assert vars(one) == {"x": 1}
    one.x = 2
    one.y = [1]
    one._v_x = one
    one.boxed = 1
    with undone(pool):
        one.x = 5
        one.z = 5
    assert vars(one) == {"x": 2, "y": [1], "boxed": 1 if cls is ByObject else [1]}
    assert not hasattr(one, "z")
    with pytest.raises(TypeError, match="object"):
        one.w = object()
    del one.x, one._v_x
    assert not hasattr(one, "x")
    with pytest.raises(AttributeError):
        del one.x
    del one
    pool = reopen(pool)
    assert pool.root.y == [1]
    assert not hasattr(pool.root, "x")


def test_a_setattr_of_a_mix_in(pool: Pool, reopen: Reopen) -> None:
    pool.root = pool.new(OfMixedIn)
    pool.root.x = 1
    assert reopen(pool).root.mixed_x == 1
    plain = MixedIn()  # which stays as it is
    plain.x = 1
    assert vars(plain) == {"mixed_x": 1}


# Each name is another: the class knows one that has been stored.


def test_what_object_setattr_sets_in_init_is_stored(pool: Pool, reopen: Reopen) -> None:
    pool.root = pool.new(SetsItself, "new", 1)
    assert vars(pool.root) == {"new": 1}
    with pool.transaction():
        pool["called"] = SetsItself("called", 2)
        for number in range(3):
            SetsItself(f"dropped_{number}", 3)
        with pool.transaction():
            pool["inner"] = SetsItself("inner", [4])
        pool["outer"] = pool.new(SetsItself, "outer", SetsItself("part", 5))
    transaction = pool.transaction()
    transaction.begin()
    pool["begun"] = SetsItself("begun", 6)
    transaction.commit()
    pool = reopen(pool)
    assert pool.root.new == 1
    assert (pool["called"].called, pool["inner"].inner, pool["begun"].begun) == (2, [4], 6)
    assert pool["outer"].outer.part == 5


def test_objects_of_a_large_transaction_are_stored_as_well(pool: Pool) -> None:
    class Local(PersistentObject):
        def __init__(self, number: int) -> None:
            object.__setattr__(self, f"of_{number}", number)

    with pool.transaction():
        pool["all"] = [Local(number % 100) for number in range(3000)]
    assert [vars(one) for one in pool["all"]] == [{f"of_{n % 100}": n % 100} for n in range(3000)]


def test_what_object_setattr_sets_may_be_impossible_to_store(pool: Pool) -> None:
    with pytest.raises(TypeError, match="object"):
        pool.new(SetsItself, "bad_new", object())

    def in_a_block() -> None:
        with pool.transaction():
            pool["x"] = SetsItself("bad_block", object())

    with pytest.raises(TypeError, match="object"):
        in_a_block()
    transaction = pool.transaction()
    transaction.begin()
    pool["x"] = SetsItself("bad_begun", object())
    with pytest.raises(TypeError, match="object"):
        transaction.commit()
    assert "x" not in pool
    with undone(pool):
        stale = SetsItself("stale", 1)
    assert stale.stale == 1  # in the instance's dict, as it was when it was undone
    with pytest.raises(nvm.StaleObjectError):
        len(vars(stale))
    with pool.transaction():
        pool["x"] = SetsItself("good", 1)
    assert vars(pool["x"]) == {"good": 1}


def test_descriptors_of_the_users(pool: Pool, reopen: Reopen) -> None:
    pool.root = one = pool.new(Described)
    assert (one.doubled, one.default) == ("unset", "default")
    one.doubled = 4
    one.raised = 1
    assert (one.doubled, one.raised) == (8, 2)
    one.default = 7
    assert one.default == 7
    assert isinstance(Described.default, Default)
    del one.default
    assert one.default == "default"
    one.static = one.of_class = 5
    assert (one.static, one.of_class) == (5, 5)
    del one.static, one.of_class
    assert (one.static(), one.of_class(), Described.of_class()) == ("static", Described, Described)
    one.default = 7
    assert vars(one) == {"_doubled": 8, "_raised": 2, "default": 7}
    del one.raised, one
    pool = reopen(pool)
    assert not hasattr(pool.root, "raised")
    assert (pool.root.doubled, pool.root.default) == (8, 7)
    del pool.root.doubled
    assert pool.root.doubled == "unset"


def test_private_and_inherited_slots(pool: Pool, reopen: Reopen) -> None:
    pool.root = pool.new(PrivateDerived)
    pool.root.more = 1
    assert vars(pool.root) == {"_Private__secret": 2, "more": 1}
    pool = reopen(pool)
    assert (pool.root.secret(), pool.root.more) == (2, 1)
    assert not hasattr(pool.root, "plain")
    assert not hasattr(pool.root, "_v_fast")


def test_members_of_enums(pool: Pool, reopen: Reopen) -> None:
    pool.root = one = pool.new(Plain)
    one.color, one.permission = Color.RED, Permission.READ | Permission.WRITE
    del one
    pool = reopen(pool)
    assert pool.root.color is Color.RED
    assert pool.root.permission == Permission.READ | Permission.WRITE


def test_an_equality_and_hash_of_the_users(pool: Pool) -> None:
    one, other = pool.new(Keyed, 1), pool.new(Keyed, 1)
    assert one == other
    assert len({one, other}) == 1
    pool.root = [one, other]
    assert (pool.root.index(other), pool.root.count(one)) == (0, 2)
    pool.root.remove(other)
    assert pool.root[0] is other
    for store in (lambda: pool.__setitem__("d", {one: 1}), lambda: pool.new(PersistentSet, [one])):
        with pytest.raises(TypeError, match="has its own __eq__ or __hash__"):
            store()


def test_pickling_by_a_getstate(pool: Pool) -> None:
    pickled = pickle.dumps(pool.new(Stateful, [1, "x"]))
    with pool.transaction():
        pool.root = pickle.loads(pickled)
    assert (type(pool.root), pool.root.x) == (Stateful, [1, "x"])
    with pytest.raises(TypeError, match=r"pool\.new\(Stateful"):
        pickle.loads(pickled)
    assert copy.copy(pool.root).x is pool.root.x
    with pytest.raises(TypeError, match="cannot pickle"):
        pickle.dumps(pool.new(Plain))


def test_what_is_inspected(pool: Pool) -> None:
    assert list(inspect.signature(Keyed).parameters) == ["key"]
    one = pool.new(Keyed, 1)
    assert dict(inspect.getmembers(one))["key"] == 1
    assert "key" in dir(one)
    for refused in (
        lambda: setattr(one, "__dict__", {}),
        lambda: setattr(one, "__class__", Plain),
        lambda: vars(one).update(x=1),
    ):
        with pytest.raises((TypeError, AttributeError)):
            refused()


def test_volatile_cycles_end(pool: Pool) -> None:
    one = pool.new(Plain)
    one._v_self = one
    reference = weakref.ref(one)
    del one
    collect()
    assert reference() is None


@cpython_only("a finalizer runs when its collector does")
def test_a_finalizer_that_brings_its_object_back(pool: Pool) -> None:
    kept: list[Any] = []

    class Phoenix(PersistentObject):
        def __del__(self) -> None:
            kept.append(self)

    with pool.transaction():
        Phoenix().x = 1
    assert vars(kept[0]) == {"x": 1}
    pool.root = kept.pop()
    assert pool.root.x == 1
