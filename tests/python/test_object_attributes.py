"""Attributes of PersistentObject: what is stored, what the class gives, what the names mean."""

from __future__ import annotations

import functools
import operator
from typing import Any, Callable

import pytest

import nvm
from nvm.pmemobj import PersistentObject, PersistentObjectPool
from outcome import undone

Pool = PersistentObjectPool
Reopen = Callable[[Pool], Pool]


class Empty(PersistentObject):
    pass


class Point(PersistentObject):
    dimensions = 2
    color = "black"

    def __init__(self, x: float, y: float) -> None:
        self.x = x
        self.y = y

    def norm(self) -> float:
        return self.x**2 + self.y**2

    @property
    def total(self) -> float:
        return self.x + self.y

    @total.setter
    def total(self, value: float) -> None:
        self.x = value - self.y

    @classmethod
    def name(cls) -> str:
        return cls.__name__

    @staticmethod
    def zero() -> int:
        return 0

    @functools.cached_property
    def expensive(self) -> list[float]:
        return [self.x, self.y]


def test_attributes_come_back_with_value_and_type(pool: Pool, reopen: Reopen) -> None:
    values = {
        "integer": 1,
        "huge": 2**100,
        "text": "x" * 100,
        "short": "é",
        "real": -0.0,
        "data": b"\0" * 50,
        "nothing": None,
        "yes": True,
        "pair": (1, "two"),
        "items": [1, [2]],
        "mapping": {"k": {}},
        "ärger": 1,
        "\ud800 odd name": 2,
        "": 3,
    }
    pool.root = pool.new(Empty)
    for name, value in values.items():
        setattr(pool.root, name, value)
    pool = reopen(pool)
    for name, value in values.items():
        stored = getattr(pool.root, name)
        assert stored == value
        assert repr(stored).replace("PersistentList", "").replace("PersistentDict", "").replace(
            "(", ""
        ).replace(")", "") == repr(value).replace("(", "").replace(")", "")
    assert vars(pool.root) == values
    assert list(vars(pool.root)) == list(values)


def test_what_the_class_has_is_as_usual(pool: Pool, reopen: Reopen) -> None:
    pool.root = pool.new(Point, 3, 4)
    pool = reopen(pool)
    point = pool.root
    assert (point.x, point.y, point.norm(), point.total) == (3, 4, 25, 7)
    assert (point.name(), Point.name(), point.zero(), point.dimensions) == ("Point", "Point", 0, 2)
    point.total = 10
    assert point.x == 6
    assert set(vars(point)) == {"x", "y"}
    with pytest.raises(AttributeError):
        del point.total


def test_a_class_attribute_is_the_default(pool: Pool) -> None:
    one, other = pool.new(Point, 1, 2), pool.new(Point, 3, 4)
    one.color = "red"
    assert (one.color, other.color, Point.color) == ("red", "black", "black")
    del one.color
    assert one.color == "black"
    with pytest.raises(AttributeError, match="'Point' object has no attribute 'color'"):
        del one.color
    one.norm = 5
    assert one.norm == 5
    assert other.norm() == 25
    assert Point.norm(other) == 25
    del one.norm
    assert one.norm() == 5


def test_attributes_that_are_not_there(pool: Pool) -> None:
    one, other = pool.new(Empty), pool.new(Empty)
    one.name = 1
    for missing in ("name", "never"):
        message = f"'Empty' object has no attribute '{missing}'"
        with pytest.raises(AttributeError, match=message):
            getattr(other, missing)
        with pytest.raises(AttributeError):
            delattr(other, missing)
        assert not hasattr(other, missing)
        assert getattr(other, missing, 5) == 5
        with pytest.raises(AttributeError, match="type object 'Empty' has no attribute"):
            getattr(Empty, missing)
        assert not hasattr(Empty, missing)
    with pytest.raises(TypeError, match="attribute name must be string"):
        setattr(one, 5, 5)  # type: ignore[call-overload]


def test_assigning_is_in_place_and_keeps_identity(pool: Pool) -> None:
    one = pool.new(Empty)
    one.items = [1]
    same = one.items
    one.items.append(2)
    one.items += [3]
    assert one.items is same
    assert same == [1, 2, 3]
    one.myself = one
    assert one.myself is one
    assert one.myself.myself.items is same
    del one.myself


def test_what_cannot_be_stored_changes_nothing(pool: Pool) -> None:
    one = pool.new(Empty)
    one.value = 1
    with pytest.raises(TypeError, match="Don't know how to persist 'object' objects"):
        one.value = object()
    with pytest.raises(TypeError, match=r"at value\[0\]\[\"k\"\]"):
        one.value = [{"k": object()}]
    assert one.value == 1


def test_volatile_attributes_are_not_stored(pool: Pool, reopen: Reopen) -> None:
    class Volatile:
        pass

    pool.root = one = pool.new(Empty)
    marker = one._v_marker = Volatile()
    one.kept = 1
    assert pool.root._v_marker is marker
    assert vars(one) == {"kept": 1}
    assert "_v_marker" in dir(one)
    del one._v_marker
    assert not hasattr(one, "_v_marker")
    one._v_marker = 1
    pool = reopen(pool)
    assert not hasattr(pool.root, "_v_marker")


def test_reserved_names_are_refused(pool: Pool) -> None:
    one = pool.new(Empty)
    for name in ("_p_new", "_p_oid", "_p_pool", "__dict__"):
        with pytest.raises(AttributeError):
            setattr(one, name, 1)
    with pytest.raises(TypeError, match="__class__ of a persistent object"):
        one.__class__ = Point


def test_vars_is_a_live_read_only_view(pool: Pool) -> None:
    one = pool.new(Point, 1, 2)
    view = vars(one)
    assert view == {"x": 1, "y": 2}
    assert {"x": 1, "y": 2} == view
    assert view == vars(one)
    assert view != {"x": 1}
    one.z = [3]
    assert view["z"] is one.z
    assert (len(view), "z" in view, "q" in view, 5 in view) == (3, True, False, False)
    assert list(view) == list(view.keys()) == ["x", "y", "z"]
    assert list(view.values()) == [1, 2, [3]]
    assert dict(view) == dict(view.items()) == view.copy() == {"x": 1, "y": 2, "z": [3]}
    assert (view.get("x"), view.get("q"), view.get("q", 5)) == (1, None, 5)
    assert repr(view) == "{'x': 1, 'y': 2, 'z': PersistentList([3])}"
    with pytest.raises(KeyError, match="q"):
        view["q"]
    for change in (
        lambda: operator.setitem(view, "x", 5),
        lambda: operator.delitem(view, "x"),
        lambda: operator.setitem(one.__dict__, "new", 5),
    ):
        with pytest.raises(TypeError, match="read-only"):
            change()
    with pytest.raises(AttributeError):
        view.update({"x": 5})
    assert one.x == 1


def test_dir_lists_what_the_object_has(pool: Pool) -> None:
    one, other = pool.new(Point, 1, 2), pool.new(Point, 1, 2)
    one.only_here = 1
    assert {"x", "only_here", "norm", "total", "dimensions", "__init__"} <= set(dir(one))
    assert "only_here" not in dir(other)
    assert "x" in dir(other)


def test_a_cached_property_is_volatile(pool: Pool, reopen: Reopen) -> None:
    pool.root = point = pool.new(Point, 1, 2)
    first = point.expensive
    assert type(first) is list
    assert point.expensive is first
    assert "expensive" not in list(vars(point))
    del point.expensive
    assert point.expensive == first
    assert point.expensive is not first
    point.expensive = [5]
    assert point.expensive == [5]
    del point
    pool = reopen(pool)
    assert pool.root.expensive == [1, 2]


def test_many_attributes(pool: Pool, reopen: Reopen) -> None:
    pool.root = [pool.new(Empty), pool.new(Empty)]
    for i in range(300):
        setattr(pool.root[0], f"a{i}", i if i % 2 else [i])
        setattr(pool.root[1], f"a{299 - i}", str(i))
    for i in range(0, 300, 3):
        delattr(pool.root[0], f"a{i}")
    pool = reopen(pool)
    one, other = pool.root
    assert len(vars(one)) == 200
    assert all(getattr(one, f"a{i}") == (i if i % 2 else [i]) for i in range(300) if i % 3)
    assert not any(hasattr(one, f"a{i}") for i in range(0, 300, 3))
    assert all(getattr(other, f"a{299 - i}") == str(i) for i in range(300))


def test_instances_with_attributes_in_other_orders(pool: Pool) -> None:
    objects = []
    for order in ("abc", "cab", "b", "", "cba", "ac"):
        one = pool.new(Empty)
        for name in order:
            setattr(one, name, order + name)
        objects.append((order, one))
    for _ in range(2):
        for order, one in objects:
            for name in "abc":
                assert getattr(one, name, None) == (order + name if name in order else None)
            assert list(vars(one)) == list(order)


def test_users_attribute_methods_are_called(pool: Pool, reopen: Reopen) -> None:
    pool.root = pool.new(Custom)
    pool.root.x = 1
    assert pool.root.x == 2
    assert pool.root.missing == "no missing"
    del pool.root.x
    assert pool.root.x == "no x"
    assert vars(pool.root) == {"log": ["set x", "del x"]}
    pool = reopen(pool)
    assert pool.root.log == ["set x", "del x"]


class Custom(PersistentObject):
    def __init__(self) -> None:
        super().__setattr__("log", [])

    def __setattr__(self, name: str, value: Any) -> None:
        self.log.append(f"set {name}")
        super().__setattr__(name, value + 1)

    def __delattr__(self, name: str) -> None:
        self.log.append(f"del {name}")
        super().__delattr__(name)

    def __getattr__(self, name: str) -> str:
        return f"no {name}"


def test_attributes_in_transactions(pool: Pool) -> None:
    pool.root = one = pool.new(Point, 1, [2])
    items = one.y
    with undone(pool):
        one.x = 5
        one.y = "other"
        one.z = "new" * 10
        assert (one.x, one.y, one.z) == (5, "other", "new" * 10)
        del one.x
    assert (one.x, one.y) == (1, [2])
    assert one.y is items
    assert not hasattr(one, "z")
    with pool.transaction():
        one.w = 1
    assert vars(one) == {"x": 1, "y": [2], "w": 1}


def test_names_of_an_undone_transaction_do_not_come_back(pool: Pool) -> None:
    one, other = pool.new(Empty), pool.new(Empty)
    for i in range(20):
        with undone(pool):
            setattr(one, f"undone{i}", i)
            one.last = i
        setattr(other, f"kept{i}", i)
        assert vars(one) == {}
        assert not hasattr(one, f"undone{i}")
        assert not hasattr(other, "last")
        assert getattr(other, f"kept{i}") == i
    assert vars(other) == {f"kept{i}": i for i in range(20)}


def test_use_after_close(pool: Pool) -> None:
    one = pool.new(Point, 1, 2)
    view = vars(one)
    pool.close()
    calls: list[Callable[[], Any]] = [
        lambda: one.x,
        lambda: setattr(one, "x", 2),
        lambda: setattr(one, "new", 2),
        lambda: delattr(one, "x"),
        lambda: one.norm(),
        lambda: view["x"],
        lambda: len(view),
        lambda: list(view),
        lambda: dir(one),
        lambda: one._p_oid,
    ]
    for call in calls:
        with pytest.raises(nvm.PoolClosedError):
            call()
    assert "Point persistent object" in repr(one)
    assert one == one
    assert isinstance(hash(one), int)
