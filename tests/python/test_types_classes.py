"""Registered types, pickled ones, renamed classes, and classes that are not there."""

from __future__ import annotations

import dataclasses
import enum
import gc
import sys
import types
from collections import namedtuple
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Callable

import pytest

import nvm
from interpreter import cpython_only
from nvm import _immutable
from nvm.pmemobj import PersistentDict, PersistentList, PersistentObject, PersistentObjectPool
from values_of_types import Money, Pair

if TYPE_CHECKING:
    from collections.abc import Iterator

Pool = PersistentObjectPool
Reopen = Callable[[Pool], Pool]


class Temperature:
    """An immutable class of an ordinary kind."""

    def __init__(self, kelvin: float, note: Any = None) -> None:
        self.kelvin, self.note = kelvin, note

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Temperature) and self.kelvin == other.kelvin

    def __hash__(self) -> int:
        return hash(self.kelvin)


class Warmer(Temperature):
    pass


@pytest.fixture(autouse=True)
def _forget_registrations() -> Iterator[None]:
    """What a test registers is the process's."""
    tables = [_immutable.named, _immutable.aliases, _immutable._registered]
    before = [dict(table) for table in tables]
    yield
    for table, content in zip(tables, before):
        table.clear()
        table.update(content)


def register(**options: Any) -> None:
    functions: dict[str, Any] = {
        "to_state": lambda value: (value.kelvin, value.note),
        "from_state": lambda state: Temperature(*state),
        "key": lambda value: (value.kelvin,),
    }
    functions.update(options)
    nvm.register_type(Temperature, **functions)


def run_module(name: str, code: str) -> types.ModuleType:
    """A module as if it had been imported; forget_module() undoes it."""
    module = sys.modules[name] = types.ModuleType(name)
    exec(
        "import enum, dataclasses, collections\nfrom nvm.pmemobj import PersistentObject\n" + code,
        vars(module),
    )
    return module


def forget_module(name: str) -> None:
    del sys.modules[name]
    gc.collect()


# ---- Registered types


def test_a_registered_type_is_a_value_and_key(pool: Pool, reopen: Reopen) -> None:
    register()
    pool["d"] = {Temperature(300): "warm", (1, Temperature(0.5)): "cold"}
    pool["list"] = [Temperature(1.5, "note"), (Temperature(2),)]
    pool = reopen(pool)
    first, (second,) = pool["list"]
    assert type(first) is type(second) is Temperature
    assert (first.kelvin, first.note, second.kelvin) == (1.5, "note", 2)
    assert pool["d"][Temperature(300.0)] == "warm"
    assert pool["d"][1, Temperature(0.5)] == "cold"
    assert Temperature(301) not in pool["d"]
    assert Temperature(2) in pool["list"][1]
    pool["d"][Temperature(300, "another")] = "hot"
    assert len(pool["d"]) == 2


def test_without_a_key_it_is_a_value_only(pool: Pool) -> None:
    register(key=None)
    pool.root = Temperature(300)
    assert pool.root == Temperature(300)
    with pytest.raises(TypeError, match=r"Temperature' like this cannot be a key"):
        pool["d"] = {Temperature(300): 1}
    pool["d"] = {}
    assert Temperature(300) not in pool["d"]


def test_a_subclass_is_not_meant(pool: Pool) -> None:
    register()
    with pytest.raises(TypeError, match=r"Warmer.*nvm\.register_type"):
        pool.root = Warmer(1)
    pool["d"] = {Temperature(1): 1}
    assert Warmer(1) not in pool["d"]


def test_from_state_gets_what_to_state_gave(pool: Pool) -> None:
    got: list[Any] = []

    def from_state(state: Any) -> Temperature:
        got.append(state)
        return Temperature(0)

    state = {"list": [1, [2]], "tuple": ([3], Pair([4])), "set": {5}, "other": Money(Decimal(6))}
    register(to_state=lambda value: state, from_state=from_state)
    pool.root = Temperature(0)
    pool.root, pool.root
    assert got == [state, state]
    assert type(got[0]) is dict
    assert type(got[0]["list"][1]) is type(got[0]["tuple"][0]) is list
    got[0]["list"].append(7)
    pool.root
    assert got[-1] == state


def test_registered_values_nest(pool: Pool) -> None:
    register()
    pool.root = Temperature(1, (Temperature(2, Money(Decimal(3))), [Temperature(4)]))
    inner, others = pool.root.note
    assert inner.note == Money(Decimal(3))
    assert others == [Temperature(4)]


def test_registering_explains_what_is_wrong() -> None:
    register()
    with pytest.raises(ValueError, match="'Temperature' is registered already"):
        register()
    for cls in (int, list, Decimal, PersistentList, PersistentObject, PersistentDict):
        with pytest.raises(TypeError, match="needs no registration"):
            nvm.register_type(cls, str, cls)
    with pytest.raises(TypeError, match="a class is needed, not 'int'"):
        nvm.register_type(5, str, str)  # type: ignore[arg-type]
    for arguments in ((None, str), (str, None)):
        with pytest.raises(TypeError, match="a function is needed, not 'NoneType'"):
            nvm.register_type(Warmer, *arguments)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a function is needed, not 'str'"):
        nvm.register_type(Warmer, str, Warmer, key="kelvin")  # type: ignore[arg-type]


def raising(error: Exception) -> Callable[[Any], Any]:
    def function(value: Any) -> Any:
        raise error

    return function


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"to_state": raising(ZeroDivisionError("mine"))}, ZeroDivisionError, "mine"),
        ({"key": raising(ZeroDivisionError("mine"))}, ZeroDivisionError, "mine"),
        ({"to_state": lambda value: object()}, TypeError, r"'object' objects.*\.to_state\(\)$"),
        ({"to_state": lambda value: [(1, len)]}, TypeError, r"\.to_state\(\)\[0\]\[1\]$"),
        ({"key": lambda value: value.kelvin}, TypeError, "has to be a tuple, not 'int'"),
        ({"key": lambda value: "text"}, TypeError, "has to be a tuple, not 'str'"),
        ({"key": lambda value: ([],)}, TypeError, "key of a 'Temperature': unhashable"),
        ({"key": lambda value: (1, object())}, TypeError, r"'object' objects.*\.key\(\)\[1\]$"),
        ({"to_state": lambda value: (Temperature(1),)}, TypeError, "nest too deep"),
    ],
    ids=str,
)
def test_functions_that_fail_while_storing_change_nothing(
    pool: Pool, options: dict[str, Any], error: type[Exception], match: str
) -> None:
    register(**options)
    pool["l"] = [1]
    before = pool.stats()
    for store in (
        lambda: pool["l"].append(Temperature(1)),
        lambda: pool["l"].extend([2, Temperature(1)]),
        lambda: pool.__setitem__("a", {"b": Temperature(1)}),
        lambda: setattr(pool, "root", Temperature(1)),
    ):
        with pytest.raises(error, match=match):
            store()
    assert pool["l"] == [1]
    assert pool.stats() == before


@pytest.mark.parametrize(
    ("from_state", "match"),
    [
        (raising(KeyError("lost")), "cannot be made again: KeyError: 'lost'"),
        (raising(AttributeError("lost")), "cannot be made again: AttributeError: lost"),
        (lambda state: None, "what is made is a 'NoneType'"),
        (lambda state: Warmer(1), "what is made is a 'Warmer'"),
    ],
    ids=["KeyError", "AttributeError", "None", "subclass"],
)
def test_a_from_state_that_fails_loses_nothing(pool: Pool, from_state: Any, match: str) -> None:
    class Holder(PersistentObject):
        pass

    good = {"fails": True}
    register(from_state=lambda state: from_state(state) if good["fails"] else Temperature(*state))
    pool["d"] = {"t": Temperature(300), Temperature(1): "key", "other": 5}
    pool["o"] = pool.new(Holder)
    pool["o"].t = Temperature(2)
    for read in (
        lambda: pool["d"]["t"],
        lambda: pool["d"].get("t"),
        lambda: pool["o"].t,
        lambda: getattr(pool["o"], "t", None),
        lambda: pool["d"].to_python(),
        lambda: list(pool["d"]),
    ):
        with pytest.raises(nvm.UnreadableValueError, match=match):
            read()
    assert pool["d"]["other"] == 5
    assert pool["d"][Temperature(1)] == "key"
    good["fails"] = False
    assert pool["d"]["t"] == Temperature(300)
    assert list(pool["d"]) == ["t", Temperature(1), "other"]


def test_an_error_of_nvm_in_from_state_is_raised_as_it_is(pool: Pool) -> None:
    register(from_state=lambda state: pool["other"])
    pool["t"] = Temperature(1)
    with pytest.raises(nvm.UnreadableValueError, match="KeyError: 'other'"):
        pool["t"]
    _immutable._registered.clear()
    register(from_state=lambda state: pool.close() or pool["other"])
    with pytest.raises(nvm.PoolClosedError):
        pool["t"]


def test_functions_may_use_and_change_the_pool(pool: Pool) -> None:
    pool["log"] = []

    def to_state(value: Temperature) -> Any:
        pool["log"].append("stored")
        return value.kelvin

    def from_state(state: Any) -> Temperature:
        pool["log"].append("read")
        return Temperature(state)

    register(to_state=to_state, from_state=from_state)
    pool["t"] = [Temperature(1)]
    assert pool["t"] == [Temperature(1)]
    with pool.transaction():
        assert pool["t"].pop().kelvin == 1
    assert pool["log"][0] == "stored"
    assert pool["log"].count("read") >= 2


def test_one_that_is_not_registered_here_fails_alone(pool: Pool, reopen: Reopen) -> None:
    register()
    pool["t"] = [Temperature(1), 5]
    pool["d"] = {Temperature(1): 1, "a": 2}
    _immutable._registered.clear()
    _immutable.named.clear()
    pool = reopen(pool)
    with pytest.raises(nvm.ClassNotFoundError, match=r"not registered here: call nvm\.register"):
        pool["t"][0]
    assert pool["t"][1] == 5
    assert pool["d"]["a"] == 2
    with pytest.raises(nvm.ClassNotFoundError):
        list(pool["d"])
    register()
    assert pool["t"][0] == Temperature(1)
    assert list(pool["d"]) == [Temperature(1), "a"]


def test_a_registered_local_class_is_found_after_reopening(pool: Pool, reopen: Reopen) -> None:
    class Local:
        pass

    nvm.register_type(Local, lambda value: None, lambda state: Local())
    pool.root = Local()
    assert type(reopen(pool).root) is Local


# ---- Pickled types


class Legacy:
    def __init__(self, content: Any) -> None:
        self.content = content


def test_nominated_types_are_pickled(pool: Pool, reopen: Reopen) -> None:
    with pytest.raises(TypeError, match="Don't know how to persist"):
        pool.root = Legacy(1)
    pool.persist_via_pickle(Legacy, complex)
    pool.root = [Legacy({"a": [1]}), (Legacy(2),), 1j]
    assert pool.root[0].content == {"a": [1]}
    pool = reopen(pool)
    with pytest.raises(nvm.UnreadableValueError, match=r"call pool\.persist_via_pickle\(Legacy\)"):
        pool.root[0]
    assert pool.root[2] == 1j
    pool.persist_via_pickle(Legacy)
    assert type(pool.root[0].content) is dict
    assert pool.root[1][0].content == 2


def test_pickled_values_are_never_keys(pool: Pool) -> None:
    pool.persist_via_pickle(Legacy)
    value = Legacy(1)
    with pytest.raises(TypeError, match="cannot be a key"):
        pool["d"] = {value: 1}
    pool["d"] = {}
    assert value not in pool["d"]


def test_nomination_is_the_pool_object_s(pool: Pool, folder: Any) -> None:
    pool.persist_via_pickle(Legacy)
    with nvm.open(folder / "other", size="64 MiB") as other:
        with pytest.raises(TypeError, match="Don't know how to persist"):
            other.root = Legacy(1)
    with pytest.raises(TypeError, match="a class is needed"):
        pool.persist_via_pickle(Warmer, 5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Don't know how to persist"):
        pool.root = Warmer(1)


def test_types_that_a_pool_holds_otherwise_are_not_pickled(pool: Pool) -> None:
    pool.persist_via_pickle(Decimal, Money, int, list)
    pool["d"] = {Decimal(1): [1], Money(Decimal(1)): 2}
    assert pool["d"][1] == [1]
    assert type(pool["d"][1]) is PersistentList
    assert pool["d"][Money(Decimal(1))] == 2


class Bomb:
    def __reduce__(self) -> Any:
        return (pytest.fail, ("a pickle was loaded",))


def test_no_pickle_is_loaded_unasked(pool: Pool, reopen: Reopen) -> None:
    pool.persist_via_pickle(Bomb)
    pool.root = [Bomb(), 1]
    pool = reopen(pool)
    for read in (lambda: pool.root[0], lambda: list(pool.root), lambda: pool.root.to_python()):
        with pytest.raises(nvm.UnreadableValueError, match="pickled"):
            read()
    assert pool.root[1] == 1
    assert pool.check() == []


def test_a_pickle_of_another_type_is_refused(pool: Pool) -> None:
    class Sly:
        def __reduce__(self) -> Any:
            return (Legacy, (1,))

    pool.persist_via_pickle(Sly)
    pool.root = Sly()
    with pytest.raises(nvm.UnreadableValueError, match="what is made is a 'Legacy'"):
        pool.root


# ---- Renamed classes

OLD = """
class Color(enum.IntEnum):
    RED = 1
class Shape(enum.Enum):
    ROUND = "round"
Point = collections.namedtuple("Point", "x y", module="old_module")
@dataclasses.dataclass(frozen=True)
class Money:
    amount: int
class Legacy:
    pass
class Record(PersistentObject):
    pass
class Registered:
    def __init__(self, content):
        self.content = content
    def __eq__(self, other):
        return type(other) is type(self) and other.content == self.content
    def __hash__(self):
        return hash(self.content)
"""


def register_in(module: types.ModuleType) -> None:
    nvm.register_type(
        module.Registered,
        lambda value: value.content,
        module.Registered,
        key=lambda value: (value.content,),
    )


def examples_of(module: types.ModuleType) -> list[Any]:
    return [
        *(module.Color.RED, module.Shape.ROUND, module.Point(1, 2), module.Money(3)),
        module.Registered("a"),
    ]


NAMES = ["Color", "Shape", "Point", "Money", "Registered", "Legacy", "Record"]


def renamed(pool: Pool) -> types.ModuleType:
    """Fill the pool with values of a module, which then goes by another name."""
    old = run_module("old_module", OLD)
    register_in(old)
    pool.persist_via_pickle(old.Legacy)
    pool["values"] = examples_of(old)
    pool["d"] = {value: i for i, value in enumerate(examples_of(old))}
    pool["pickled"] = old.Legacy()
    pool["object"] = pool.new(old.Record)
    _immutable._registered.clear()
    _immutable.named.clear()
    old = None  # type: ignore[assignment]
    forget_module("old_module")
    return run_module("new_module", OLD.replace("old_module", "new_module"))


@cpython_only("a class that is gone is still found there")
def test_a_renamed_class_goes_on_under_its_former_name(pool: Pool, reopen: Reopen) -> None:
    new = renamed(pool)
    pool = reopen(pool)
    try:
        for i in range(5):
            with pytest.raises(nvm.ClassNotFoundError, match="import old_module first"):
                pool["values"][i]
        register_in(new)
        for name in NAMES:
            nvm.class_alias(f"old_module:{name}", getattr(new, name))
        pool.persist_via_pickle(new.Legacy)
        assert list(pool["values"]) == examples_of(new)
        assert list(map(type, pool["values"])) == list(map(type, examples_of(new)))
        assert type(pool["pickled"]) is new.Legacy
        assert type(pool["object"]) is new.Record
        assert [pool["d"][value] for value in examples_of(new)] == list(range(5))
        for value in examples_of(new):
            pool["d"][value] = "new"
        assert len(pool["d"]) == 5
        before = pool.stats()["classes"]
        pool["more"] = examples_of(new)
        pool["d"] = dict.fromkeys(examples_of(new), 1)
        assert all(pool["d"][value] == 1 for value in examples_of(new))
        assert pool.stats()["classes"] == before
    finally:
        forget_module("new_module")


def test_in_a_new_pool_a_class_goes_by_its_own_name(pool: Pool) -> None:
    nvm.class_alias("old_module:Money", Money)
    pool["d"] = {Money(Decimal(1)): 1}
    _immutable.named.clear()
    _immutable.aliases.clear()
    assert pool["d"][Money(Decimal(1))] == 1
    assert list(pool["d"]) == [Money(Decimal(1))]


def test_an_alias_explains_what_is_wrong() -> None:
    nvm.class_alias("m:A", Money)
    nvm.class_alias("m:A", Money)
    nvm.class_alias("m:Outer.B", Money)
    assert _immutable.aliases[Money] == ("m:A", "m:Outer.B")
    with pytest.raises(ValueError, match="'m:A' is taken by 'Money'"):
        nvm.class_alias("m:A", Temperature)
    with pytest.raises(ValueError, match="is the class's name"):
        nvm.class_alias(f"{Money.__module__}:Money", Money)
    for name in ("Money", "m:", ":A", "m:a:b", ""):
        with pytest.raises(ValueError, match="form 'module:Name'"):
            nvm.class_alias(name, Money)
    with pytest.raises(TypeError, match="a class is needed"):
        nvm.class_alias("m:B", 5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a name is a str"):
        nvm.class_alias(b"m:B", Money)  # type: ignore[arg-type]


# ---- Classes that are not there, or others than they were


@cpython_only("a class that is gone is still found there")
def test_values_of_a_module_that_is_not_imported_fail_alone(pool: Pool, reopen: Reopen) -> None:
    renamed(pool)
    forget_module("new_module")
    pool = reopen(pool)
    for i in range(5):
        with pytest.raises(nvm.ClassNotFoundError, match="import old_module first") as caught:
            pool["values"][i]
        assert caught.value.name == "old_module"
    assert "old_module" not in sys.modules
    assert len(pool["values"]) == 5
    assert pool["d"][1] == 0
    assert pool["d"][1, 2] == 2
    assert pool["d"][(1.0, True + 1)] == 2
    assert pool.check() == []
    pool["values"][0] = 7
    assert pool["values"][0] == 7
    del pool["values"]
    pool["d"].clear()
    assert len(pool["d"]) == 0


CHANGED = [
    ("class Shape: pass", nvm.ClassNotFoundError, "is no enum here"),
    ("Shape = 5", nvm.ClassNotFoundError, "is no class here"),
    ("class Shape(enum.Enum):\n    SQUARE = 1", nvm.UnreadableValueError, "no member 'ROUND'"),
]


@pytest.mark.parametrize(("code", "error", "match"), CHANGED, ids=[code for code, *_ in CHANGED])
def test_an_enum_that_has_changed(
    pool: Pool, code: str, error: type[Exception], match: str
) -> None:
    old = run_module("old_module", OLD)
    try:
        pool["values"] = [old.Shape.ROUND, 1]
        run_module("old_module", code)
        with pytest.raises(error, match=match):
            pool["values"][0]
        assert pool["values"][1] == 1
    finally:
        forget_module("old_module")


def test_a_flag_that_lost_a_bit(pool: Pool) -> None:
    code = "class Flags(enum.Flag):\n    A = 1\n    B = 2"
    module = run_module("old_module", code)
    try:
        pool["f"] = module.Flags.A | module.Flags.B
        run_module("old_module", code.replace("    B = 2", ""))
        with pytest.raises(nvm.UnreadableValueError, match=r"ValueError: .*3"):
            pool["f"]
    finally:
        forget_module("old_module")


def test_a_dataclass_that_has_changed(pool: Pool) -> None:
    code = "@dataclasses.dataclass(frozen=True)\nclass Money:\n    amount: int"
    module = run_module("old_module", code)
    try:
        pool["m"] = module.Money(3)
        more = (
            code
            + "\n    unit: str = 'EUR'\n    tags: list = dataclasses.field(default_factory=list)"
        )
        module = run_module("old_module", more)
        assert pool["m"] == module.Money(3, "EUR", [])
        module = run_module("old_module", code.replace("amount", "sum"))
        assert not hasattr(pool["m"], "amount")
        run_module("old_module", code.replace("frozen=True", ""))
        with pytest.raises(nvm.ClassNotFoundError, match="is no frozen dataclass here"):
            pool["m"]
        run_module("old_module", "class Money: pass")
        with pytest.raises(nvm.ClassNotFoundError, match="is no frozen dataclass here"):
            pool["m"]
    finally:
        forget_module("old_module")


def test_a_named_tuple_that_has_changed(pool: Pool) -> None:
    code = "Point = collections.namedtuple('Point', 'x y', module='old_module')"
    module = run_module("old_module", code)
    try:
        pool["p"] = module.Point(1, 2)
        run_module("old_module", code.replace("x y", "x y z"))
        with pytest.raises(nvm.UnreadableValueError, match="it has 2 fields, its class 3"):
            pool["p"]
        run_module("old_module", "class Point(tuple): pass")
        with pytest.raises(nvm.ClassNotFoundError, match="is no named tuple here"):
            pool["p"]
    finally:
        forget_module("old_module")


def test_a_class_of_another_kind_is_never_called(pool: Pool) -> None:
    """A crafted pool names what it likes: only what is of the kind it says is made."""
    calls: list[Any] = []

    class Trap:
        def __new__(cls, *arguments: Any) -> Any:
            calls.append(arguments)
            return object.__new__(cls)

    point = namedtuple("point", "x y")

    @dataclasses.dataclass(frozen=True)
    class data:
        x: int

    class kind(enum.Enum):
        A = 1

    pool["values"] = [point(1, 2), data(1), kind.A]
    for cls in (point, data, kind):
        _immutable.named[f"{cls.__module__}:{cls.__qualname__}"] = Trap
    for i in range(3):
        with pytest.raises(nvm.ClassNotFoundError):
            pool["values"][i]
    assert not calls


def test_an_unknown_zone_fails_alone(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    import datetime
    import zoneinfo

    pool["z"] = [datetime.datetime(2024, 1, 1, tzinfo=zoneinfo.ZoneInfo("Asia/Tokyo")), 1]
    zoneinfo.ZoneInfo.clear_cache(only_keys=["Asia/Tokyo"])
    before = zoneinfo.TZPATH
    with monkeypatch.context() as without_zones:
        without_zones.setitem(sys.modules, "tzdata", None)
        zoneinfo.reset_tzpath(to=())
        try:
            with pytest.raises(nvm.UnreadableValueError, match="ZoneInfoNotFoundError"):
                pool["z"][0]
            assert pool["z"][1] == 1
        finally:
            zoneinfo.reset_tzpath(to=before)
    assert pool["z"][0].tzinfo.key == "Asia/Tokyo"


def test_aborted_first_values_of_a_class_leave_no_class(pool: Pool) -> None:
    before = pool.stats()["classes"]
    with pytest.raises(LookupError), pool.transaction():
        pool["a"] = [Money(Decimal(1)), Pair(1)]
        assert pool["a"][0] == Money(Decimal(1))
        raise LookupError
    assert pool.stats()["classes"] == before
    pool["a"] = [Pair(2), Money(Decimal(3))]
    assert pool["a"] == [Pair(2), Money(Decimal(3))]
