"""Immutable values of the library's and the user's classes come out exactly as they went in."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import decimal
import enum
import sys
from decimal import Decimal
from fractions import Fraction
from typing import Any, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nvm
from interpreter import collect
from nvm import _immutable
from nvm.pmemobj import PersistentList, PersistentObject, PersistentObjectPool, PersistentTuple
from values_of_types import (
    ALL,
    EAST,
    PARIS,
    VALUES,
    VALUES_ONLY,
    ByIdentity,
    Labelled,
    Money,
    Number,
    Outer,
    Pair,
    Plain,
    Point,
    Slotted,
    Vector,
    hashable,
    same,
)

Pool = PersistentObjectPool
Reopen = Callable[[Pool], Pool]


@pytest.mark.parametrize("values", VALUES.values(), ids=list(VALUES))
def test_values_come_out_as_they_went_in(pool: Pool, reopen: Reopen, values: list[Any]) -> None:
    class Holder(PersistentObject):
        pass

    pool["list"] = values
    pool["dict"] = dict(enumerate(values))
    pool["tuple"] = (tuple(values), [1])
    pool["nested"] = {"a": [(value, Pair(value)) for value in values]}
    pool["object"] = pool.new(Holder)
    for i, value in enumerate(values):
        setattr(pool["object"], f"a{i}", value)
    for turn in range(2):
        pool = reopen(pool) if turn else pool
        found, from_tuple = pool["object"], pool["tuple"][0]
        for i, value in enumerate(values):
            assert same(pool["list"][i], value)
            assert same(pool["dict"][i], value)
            assert same(from_tuple[i], value)
            assert same(pool["nested"]["a"][i], (value, Pair(value)))
            assert same(getattr(found, f"a{i}"), value)


@pytest.mark.parametrize("values", VALUES.values(), ids=list(VALUES))
def test_each_way_to_store_takes_them(pool: Pool, values: list[Any]) -> None:
    pool["l"], pool["d"] = [], {}
    stored, mapping = pool["l"], pool["d"]
    for value in values:
        stored.append(value)
        stored.insert(0, value)
        stored += [value]
        stored[0:0] = [value, value]
        mapping.update(key=value)
        assert same(mapping["key"], value)
        assert same(mapping.setdefault("key", None), value)
        assert same(mapping.pop("key"), value)
        pool.root = value
        assert same(pool.root, value)
        assert all(same(item, value) for item in (*stored[:3], *stored[-2:]))
        assert same(stored.pop(), value)
        stored.clear()


@pytest.mark.parametrize("value", [value for value in ALL if hashable(value)], ids=ascii)
def test_frozensets_hold_what_can_be_a_key(pool: Pool, value: Any) -> None:
    if any(value is other for other in VALUES_ONLY) or isinstance(value, ByIdentity):
        with pytest.raises(TypeError, match="cannot be a key"):
            pool.root = frozenset({value, "other"})
        return
    pool.root = frozenset({value, "other"})
    assert type(pool.root) is frozenset
    assert any(same(element, value) for element in pool.root)


def test_an_abort_brings_the_old_values_back(pool: Pool) -> None:
    pool.root = [Decimal("1.50"), Point(1, 2)]
    with pytest.raises(LookupError), pool.transaction():
        pool.root[0] = datetime.date(2024, 1, 1)
        pool.root[1] = Plain.ONE
        pool.root.append(Money(Decimal(1)))
        raise LookupError
    assert [same(*pair) for pair in zip(pool.root, [Decimal("1.50"), Point(1, 2)])] == [True] * 2
    with pool.transaction():
        pool.root[0] = Plain.ONE
        assert pool.root[0] is Plain.ONE
    assert pool.root[0] is Plain.ONE


def test_enum_members_are_themselves(pool: Pool) -> None:
    pool.root = [*Number, *Plain, *Outer.Inner]
    for stored, member in zip(pool.root, [*Number, *Plain, *Outer.Inner]):
        assert stored is member


def test_an_instance_is_stored_once_for_one_store(pool: Pool) -> None:
    value = Money(Decimal("12345678901234567890.5"), "x" * 1000)
    pool.root = [value] * 100
    types = pool.stats()["types"]
    assert types["values_of_types:Money"]["count"] == types["decimal:Decimal"]["count"] == 1
    assert pool.root[0] == pool.root[99] == value
    before = pool.stats()["blobs"]
    pool.root = None
    collect()
    pool.sync()
    assert pool.stats()["blobs"] < before


def test_mutable_parts_are_persistent(pool: Pool) -> None:
    pool.root = [Pair([1], {}), Labelled([1, [2]])]
    pair, labelled = pool.root
    assert type(pair.first) is PersistentList
    pair.first.append(2)
    labelled.value[1].append(3)
    assert pool.root[0] == ([1, 2], {})
    assert pool.root[1].value == [1, [2, 3]]


def test_to_python_leaves_values_and_copies_what_named_tuples_hold(pool: Pool) -> None:
    pool.root = [*ALL, Pair([1], (Pair([2]),)), {"key": Point([], 0)}]
    plain = pool.root.to_python()
    assert all(same(value, other) for value, other in zip(plain, ALL))
    for last in (plain[-2:], copy.deepcopy(pool.root[-2:])):
        assert same(last[0], Pair([1], (Pair([2]),)))
        assert same(last[1]["key"], Point([], 0))
    assert type(plain[-2].second[0].first) is list


def test_a_dataclass_is_made_without_its_init(pool: Pool) -> None:
    value = Labelled(1)
    object.__setattr__(value, "computed", "changed later")
    pool.root = value
    assert pool.root.computed == "changed later"
    assert pool.root.cached == 1
    assert value.cached == 1
    pool.root = value  # what cached_property has stored is left out
    assert "cached" not in vars(pool.root)


def test_what_is_no_field_is_not_lost_silently(pool: Pool) -> None:
    value = Labelled(1)
    object.__setattr__(value, "extra", 1)
    with pytest.raises(TypeError, match="'extra' that is no field"):
        pool.root = [value]
    vector = Vector(1, 2)
    pool.root = [vector]
    assert type(pool.root[0]) is Vector
    assert pool.root[0].length() == vector.length()
    vector.extra = 1
    with pytest.raises(TypeError, match="attributes beside its fields"):
        pool.root = [vector]


def test_a_field_without_a_value_keeps_having_none(pool: Pool) -> None:
    value = object.__new__(Slotted)
    object.__setattr__(value, "b", 2)
    pool.root = value
    assert pool.root.b == 2
    assert not hasattr(pool.root, "a")


@pytest.mark.skipif(sys.version_info < (3, 10), reason="slots=True is newer")
def test_dataclasses_with_slots(pool: Pool) -> None:
    cls = dataclasses.make_dataclass("cls", ["a", "b"], frozen=True, slots=True)
    pool.root = cls(1, "two")
    assert pool.root == cls(1, "two")
    assert not hasattr(pool.root, "__dict__")


@dataclasses.dataclass(frozen=True, eq=False)
class OnlyAValue:
    value: Any


def test_deep_chains_of_values_need_no_recursion(pool: Pool) -> None:
    depth = 5_000
    chain: Any = Pair(0)
    for i in range(depth):
        chain = Pair(i, chain) if i % 2 else OnlyAValue(chain)
    pool.root = chain
    stored = pool.root
    for i in reversed(range(depth)):
        stored = stored.second if i % 2 else stored.value
    assert same(stored, Pair(0))


# ---- What is refused


class Amount(Decimal):
    pass


class Moment(datetime.datetime):
    pass


class Zone(datetime.tzinfo):
    def utcoffset(self, moment: Any) -> datetime.timedelta:
        return datetime.timedelta(0)


@dataclasses.dataclass
class Mutable:
    value: int


class NotADataclass(Money):
    pass


class Comparing(Point):
    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return 1


@dataclasses.dataclass(frozen=True)
class Failure(Exception):
    code: int


@pytest.mark.parametrize(
    "value",
    [
        *(Amount(1), Moment(2024, 1, 1), Zone(), Mutable(1), NotADataclass(Decimal(1))),
        *(Comparing(1, 2), Failure(1)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_classes_are_refused_and_told_how_to_register(pool: Pool, value: Any) -> None:
    pool.root = [1]
    with pytest.raises(TypeError, match=r"register.*nvm\.register_type"):
        pool.root.append(value)
    with pytest.raises(TypeError, match=type(value).__name__):
        pool["key"] = {"a": value}
    assert pool.root == [1]


class Unhashable(type):
    def __eq__(cls, other: object) -> bool:
        return cls is other

    __hash__ = None  # type: ignore[assignment]


def test_a_class_without_a_hash_is_refused_and_absent(pool: Pool) -> None:
    value = Unhashable("Odd", (), {})()
    pool["d"] = {"a": 1}
    assert value not in pool["d"]
    with pytest.raises(TypeError, match=r"Odd.*nvm\.register_type"):
        pool.root = value


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (datetime.datetime(2024, 1, 1, tzinfo=Zone()), "value[1]"),
        (Money(object()), "value.amount"),
        (Pair(1, [object()]), "value[1][0]"),
        (Labelled(Pair(1, Money(1, object()))), "value.value[1].currency"),
        (slice(object()), "value[1]"),
    ],
    ids=ascii,
)
def test_the_message_says_which_part_is_refused(pool: Pool, value: Any, place: str) -> None:
    with pytest.raises(TypeError, match="Don't know how to persist") as caught:
        pool.root = value
    assert str(caught.value).endswith("at " + place)


def test_a_member_that_its_enum_does_not_know_is_refused(pool: Pool) -> None:
    class Sparse(enum.Enum):
        ONE = 1

        @classmethod
        def _missing_(cls, value: object) -> Any:
            member = object.__new__(cls)
            member._name_, member._value_ = "UNKNOWN", value
            return member

    with pytest.raises(TypeError, match=r"is no member of .*Sparse"):
        pool.root = Sparse(5)
    pool.root = Sparse(1)
    assert pool.root is Sparse.ONE


def test_a_zone_from_a_file_is_refused(pool: Pool) -> None:
    with open("/usr/share/zoneinfo/Europe/Paris", "rb") as file:
        zone = type(PARIS).from_file(file)
    with pytest.raises(TypeError, match="ZoneInfo without a key"):
        pool.root = datetime.datetime(2024, 1, 1, tzinfo=zone)


def test_a_frozen_dataclass_compared_by_identity_is_a_value(pool: Pool) -> None:
    value = ByIdentity(1)
    pool.root = [value]
    assert type(pool.root[0]) is ByIdentity
    assert pool.root[0].value == 1
    with pytest.raises(TypeError, match="cannot be a key"):
        pool["d"] = {value: 1}


@pytest.mark.parametrize("exponent", [0, -6000, 3])
def test_a_decimal_may_have_more_digits_than_an_int_is_read_from(pool: Pool, exponent: int) -> None:
    value = Decimal((1, (1, *(0, 3) * 2500), exponent))
    pool.root = [value]
    assert same(pool.root[0], value)


def test_the_decimal_context_has_no_say(pool: Pool) -> None:
    values = [Decimal("1." + "1" * 50), Decimal("1E+999999"), Decimal("NaN1")]
    context = decimal.Context(prec=3, Emax=10, Emin=-10, capitals=0)
    for signal in context.traps:
        context.traps[signal] = True
    with decimal.localcontext(context):
        pool.root = values
        pool["d"] = {values[0]: 1, values[1]: 2}
        found = list(pool.root)
        assert pool["d"][values[0]] == 1
    assert all(same(*pair) for pair in zip(found, values))


# ---- Any value of a type

ZONES = st.one_of(
    st.none(),
    st.just(datetime.timezone.utc),
    st.builds(
        datetime.timezone,
        st.timedeltas(
            datetime.timedelta(hours=-23, minutes=-59), datetime.timedelta(hours=23, minutes=59)
        ),
        st.text(),
    ),
    st.timezones(),
)
ANY_VALUE = st.one_of(
    st.dates(),
    st.builds(lambda time, fold: time.replace(fold=fold), st.times(), st.integers(0, 1)),
    st.builds(
        lambda moment, zone, fold: moment.replace(tzinfo=zone, fold=fold),
        st.datetimes(),
        ZONES,
        st.integers(0, 1),
    ),
    st.timedeltas(),
    st.decimals(),
    st.decimals(allow_nan=False, places=3),
    st.fractions(),
    st.uuids(),
    st.ip_addresses(),
    st.builds(range, st.integers(), st.integers(), st.integers().filter(bool)),
    st.builds(slice, st.integers(), st.none(), st.integers()),
)


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(values=st.lists(ANY_VALUE, max_size=5))
def test_any_value_of_the_standard_types_comes_back(pool: Pool, values: list[Any]) -> None:
    pool.root = values
    pool["t"] = tuple(values)
    assert all(same(*pair) for pair in zip(pool.root, values))
    assert same(pool["t"], tuple(values))


def test_lists_find_what_the_built_in_finds(pool: Pool) -> None:
    items: list[Any] = [value for value in ALL if not (type(value) is Decimal and value.is_nan())]
    items = [*items[::3], Plain.ONE, EAST, 1, "alpha", (1, 2), Fraction(1, 7)]
    pool.root = items
    for sought in [*items, 1.5, 0.5, Decimal("0.1"), 3, None, "beta", 10**400, True]:
        assert (sought in pool.root) == (sought in items)
        assert pool.root.count(sought) == items.count(sought)
        if sought in items:
            assert pool.root.index(sought) == items.index(sought)
    pool.root.remove(Plain.ONE)
    items.remove(Plain.ONE)
    assert len(pool.root) == len(items)
    assert EAST in pool.root


def test_a_decimal_nan_is_found_where_it_was_put(pool: Pool) -> None:
    pool["list"] = [1, Decimal("nan"), Decimal("NaN123"), Decimal("2.50")]
    pool["tuple"] = pool.new(PersistentTuple, pool["list"])
    pool["dict"] = {Decimal("nan"): "found"}
    for kind in ("list", "tuple"):
        assert pool[kind].index(Decimal("nan")) == 1
        assert pool[kind].count(Decimal("NaN123")) == 1
        assert Decimal("-NaN") not in pool[kind]
        assert Decimal("2.5") in pool[kind]
        assert pool[kind] == pool[kind]
    assert pool["dict"][Decimal("nan")] == "found"
    pool["list"].remove(Decimal("nan"))
    assert len(pool["list"]) == 3


def test_standard_values_are_sought_without_making_those_that_are_stored(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [datetime.date(2020, 1, 1) + datetime.timedelta(days=number) for number in range(50)]
    pool["days"] = [*days, 5, "x", (1,), [2], Fraction(1, 3)]
    made: list[object] = []
    restore = _immutable.restore
    monkeypatch.setattr(
        _immutable, "restore", lambda *arguments: made.append(arguments) or restore(*arguments)
    )
    assert days[40] in pool["days"]
    assert pool["days"].index(days[49]) == 49
    assert pool["days"].count(Decimal("0.5")) == 0
    assert Fraction(1, 3) in pool["days"]
    assert datetime.datetime(2020, 1, 1) not in pool["days"]  # equal to no date
    assert made == []

    class Equal:
        def __eq__(self, other: object) -> bool:
            return other == days[3]

        __hash__ = None  # type: ignore[assignment]

    assert pool["days"].index(Equal()) == 3
    assert len(made) == 4


def test_reading_is_possible_in_a_pool_for_reading(
    pool: Pool, open_pool: Callable[..., Pool]
) -> None:
    pool.root = ALL
    pool.close()
    reader = open_pool("r")
    assert all(same(*pair) for pair in zip(reader.root, ALL))
    reader.close()
    assert nvm.UnreadableValueError.__mro__[1] is nvm.Error
