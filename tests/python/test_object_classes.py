"""PersistentObject as a base: inheritance, mix-ins, ABCs; finding classes again."""

from __future__ import annotations

import abc
import sys
import types
import weakref
from typing import Any, Callable, Generic, Protocol, TypeVar, runtime_checkable

import pytest

import nvm
from interpreter import CPYTHON, collect, cpython_only
from nvm.pmemobj import PersistentObject, PersistentObjectPool
from outcome import undone

Pool = PersistentObjectPool
Reopen = Callable[[Pool], Pool]
T = TypeVar("T")


class Base(PersistentObject):
    default = "base"

    def __init__(self, name: str) -> None:
        self.name = name

    def greet(self) -> str:
        return f"I am {self.name}"


class Derived(Base):
    def __init__(self, name: str, age: int) -> None:
        super().__init__(name)
        self.age = age

    def greet(self) -> str:
        return super().greet() + f", {self.age}"


class Mixin:
    shared = "mixin"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.mixed = True


class Mixed(Mixin, Derived):
    pass


class MixedLast(Base, Mixin):
    def __init__(self) -> None:
        Base.__init__(self, "last")


class Left(Base):
    side = "left"


class Right(Base):
    side = "right"


class Diamond(Left, Right):
    pass


class Abstract(PersistentObject, abc.ABC):
    @abc.abstractmethod
    def area(self) -> float: ...


class Square(Abstract):
    def __init__(self, side: float) -> None:
        self.side = side

    def area(self) -> float:
        return self.side**2


class Box(PersistentObject, Generic[T]):
    def __init__(self, content: T) -> None:
        self.content = content


class Greets:
    def __init__(self, *, greeting: str, **others: Any) -> None:
        super().__init__(**others)
        self.greeting = greeting


class Counts:
    def __init__(self, **others: Any) -> None:
        super().__init__(**others)
        self.count = 0


class MixedFirst(Greets, Counts, PersistentObject):
    def __init__(self, name: str, **others: Any) -> None:
        super().__init__(**others)
        self.name = name


@runtime_checkable
class Growing(Protocol):
    size: int

    def grow(self) -> int: ...


class Grows(PersistentObject, Growing):
    def __init__(self) -> None:
        self.size = 1

    def grow(self) -> int:
        self.size += 1
        return self.size


class GrowsFirst(Growing, PersistentObject):
    size: int = 5

    def grow(self) -> int:
        self.size += 1
        return self.size


class Tagged(PersistentObject):
    tags: list[tuple[str, str]] = []

    def __init_subclass__(cls, /, tag: str = "none", **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        Tagged.tags.append((cls.__name__, tag))


class WithTag(Tagged, tag="t"):
    pass


class Silent(PersistentObject):
    def __init_subclass__(cls, **_keywords: Any) -> None:
        pass  # without a super()


class OfSilent(Silent):
    pass


class Frozen(type):
    def __setattr__(cls, name: str, value: Any) -> None:
        raise AttributeError(name)


class OfFrozen(PersistentObject, metaclass=Frozen):
    pass


class Subscripted(PersistentObject):
    def __class_getitem__(cls, key: Any) -> Any:
        return cls, key


class Makes(PersistentObject):
    def __new__(cls, *arguments: Any) -> Any:
        made = super().__new__(cls)
        made.arguments = list(arguments)
        return made

    def __init__(self, *arguments: Any) -> None:
        self.count = len(arguments)


class Slotted(Base):
    __slots__ = ("_v_fast", "extra")


IMMORTAL = cpython_only("a class that its C-API has met lives for ever")


class Outer:
    class Inner(PersistentObject):
        pass


def make_local() -> Any:
    class Local(PersistentObject):
        pass

    return Local


def test_inheritance(pool: Pool, reopen: Reopen) -> None:
    pool.root = [pool.new(Base, "b"), pool.new(Derived, "d", 5), pool.new(Mixed, "m", 6)]
    pool.root.append(pool.new(MixedLast))
    pool = reopen(pool)
    base, derived, mixed, last = pool.root
    assert [type(one) for one in pool.root] == [Base, Derived, Mixed, MixedLast]
    assert (base.greet(), derived.greet(), mixed.greet()) == ("I am b", "I am d, 5", "I am m, 6")
    assert (base.default, mixed.default, mixed.shared, mixed.mixed) == (
        "base",
        "base",
        "mixin",
        True,
    )
    assert (last.name, last.shared, hasattr(last, "mixed")) == ("last", "mixin", False)
    derived.default = "own"
    assert (derived.default, base.default, Derived.default) == ("own", "base", "base")


def test_diamonds_follow_the_mro(pool: Pool, reopen: Reopen) -> None:
    pool.root = pool.new(Diamond, "d")
    right = pool.new(Right, "r")
    right.side = "stored"
    pool = reopen(pool)
    assert pool.root.side == "left"
    pool.root.side = "stored"
    assert (pool.root.side, Diamond.side, Left.side, Right.side) == (
        "stored",
        "left",
        "left",
        "right",
    )


def test_abstract_classes(pool: Pool, reopen: Reopen) -> None:
    with pytest.raises(TypeError, match="abstract"):
        pool.new(Abstract)
    pool.root = pool.new(Square, 3)
    pool = reopen(pool)
    assert pool.root.area() == 9
    assert isinstance(pool.root, Abstract)


def test_generic_classes(pool: Pool, reopen: Reopen) -> None:
    pool.root = pool.new(Box, [1])
    with pool.transaction():
        pool["box"] = Box[int](5)
    pool["new"] = pool.new(Box[str], "x")
    pool = reopen(pool)
    assert pool.root.content == [1]
    assert vars(pool["box"]) == {"content": 5}
    assert (type(pool["new"]), pool["new"].content) == (Box, "x")
    with pytest.raises(TypeError, match="new\\(\\) makes"):
        pool.new(list[int], [1])


def test_mix_ins_before_the_base(pool: Pool, reopen: Reopen) -> None:
    pool.root = pool.new(MixedFirst, "n", greeting="hi")
    pool.root.count += 1
    attributes = {"greeting": "hi", "count": 1, "name": "n"}
    if CPYTHON:  # PyPy has no way to tell vars() of it
        assert vars(pool.root) == attributes
        with pytest.raises(TypeError, match="read-only"):
            vars(pool.root)["count"] = 5
    pool = reopen(pool)
    assert {name: getattr(pool.root, name) for name in attributes} == attributes


def test_protocols(pool: Pool, reopen: Reopen) -> None:
    pool.root = [pool.new(Grows), pool.new(GrowsFirst)]
    pool = reopen(pool)
    assert [isinstance(one, Growing) for one in pool.root] == [True, True]
    assert [one.grow() for one in pool.root] == [2, 6]
    assert [one.size for one in reopen(pool).root] == [2, 6]


def test_hooks_of_class_creation(pool: Pool, reopen: Reopen) -> None:
    assert Tagged.tags == [("WithTag", "t")]
    assert Subscripted[3] == (Subscripted, 3)
    classes = [WithTag, OfSilent, OfFrozen, Subscripted]
    pool.root = [pool.new(cls) for cls in classes]
    for one in pool.root:
        one.x = 1
    pool = reopen(pool)
    assert [type(one) for one in pool.root] == classes
    assert [one.x for one in pool.root] == [1] * len(classes)


def test_a_new_of_the_users(pool: Pool, reopen: Reopen) -> None:
    pool.root = pool.new(Makes, 1, 2)
    assert vars(reopen(pool).root) == {"arguments": [1, 2], "count": 2}


def test_slots_are_persistent_but_for_volatile_ones(pool: Pool, reopen: Reopen) -> None:
    pool.root = one = pool.new(Slotted, "s")
    assert not hasattr(one, "extra")
    one.extra = [1]
    one._v_fast = object()
    one.more = 1
    assert vars(one) == {"name": "s", "extra": [1], "more": 1}
    del one
    pool = reopen(pool)
    assert vars(pool.root) == {"name": "s", "extra": [1], "more": 1}
    assert not hasattr(pool.root, "_v_fast")


def test_nested_classes(pool: Pool, reopen: Reopen) -> None:
    pool.root = pool.new(Outer.Inner)
    assert type(reopen(pool).root) is Outer.Inner


@IMMORTAL
def test_local_classes_are_known_while_they_live(pool: Pool, reopen: Reopen) -> None:
    local = make_local()
    pool.root = pool.new(local)
    pool.root.x = 1
    pool = reopen(pool)
    assert type(pool.root) is local
    assert pool.root.x == 1
    again = make_local()  # of the same name: the newest counts
    pool["again"] = pool.new(again)
    assert type(pool["again"]) is again
    pool.close()
    dead = weakref.ref(local), weakref.ref(again)
    del local, again
    collect()
    assert [reference() for reference in dead] == [None, None]


@IMMORTAL
def test_a_class_that_is_gone_gives_an_error_for_that_object_only(
    pool: Pool, reopen: Reopen
) -> None:
    pool.root = [1, pool.new(make_local()), "x"]
    pool.close()
    collect()
    pool = reopen(pool)
    name = "make_local.<locals>.Local"
    with pytest.raises(nvm.ClassNotFoundError, match=name) as caught:
        pool.root[1]
    assert caught.value.name == __name__
    assert (pool.root[0], pool.root[2], len(pool.root)) == (1, "x", 3)
    assert pool.check() == []
    del pool.root[1]
    assert pool.root == [1, "x"]


@IMMORTAL
def test_a_module_that_is_not_imported_is_named(pool: Pool, reopen: Reopen) -> None:
    module = types.ModuleType("some_module")
    sys.modules["some_module"] = module
    try:
        exec(
            "from nvm.pmemobj import PersistentObject\nclass A(PersistentObject): pass",
            vars(module),
        )
        pool.root = pool.new(module.A)
        pool.root.x = 1
        pool.close()
        kept = module.A
        del module.A, kept
        collect()
        pool = reopen(pool)
        with pytest.raises(nvm.ClassNotFoundError, match="module some_module does not have it"):
            pool.root
        module.A = 5
        with pytest.raises(nvm.ClassNotFoundError, match="not a subclass of PersistentObject"):
            pool.root
        del sys.modules["some_module"]
        with pytest.raises(ImportError, match="import some_module first") as caught:
            pool.root
        assert caught.value.name == "some_module"
        assert "some_module" not in sys.modules
        module.A = type("A", (PersistentObject,), {"__module__": "some_module"})
        sys.modules["some_module"] = module
        assert pool.root.x == 1
    finally:
        sys.modules.pop("some_module", None)


def test_a_class_of_an_undone_transaction_gets_its_number_again(pool: Pool, reopen: Reopen) -> None:
    class First(PersistentObject):
        pass

    class Second(PersistentObject):
        pass

    with undone(pool):
        stale = pool.new(First)
        stale.x = 1
    pool.root = pool.new(Second)
    pool.root.y = 1
    assert type(pool.root) is Second
    pool["first"] = pool.new(First)
    del stale
    pool = reopen(pool)
    assert (type(pool.root), type(pool["first"])) == (Second, First)
    assert vars(pool.root) == {"y": 1}
