"""Keys of the immutable types meet as in a plain dict, in every process and interpreter."""

from __future__ import annotations

import dataclasses
import datetime
import os
import pickle
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nvm.pmemobj import PersistentObject, PersistentObjectPool
from values_of_types import (
    ALL,
    EAST,
    MODEL_KEYS,
    NAMED,
    UTC,
    VALUES_ONLY,
    Bits,
    Labelled,
    Money,
    Number,
    Other,
    Pair,
    Permission,
    Plain,
    Point,
    Share,
    Text,
    hashable,
    same,
)

Pool = PersistentObjectPool
Reopen = Callable[[Pool], Pool]


def test_a_dict_answers_as_a_plain_one(pool: Pool, reopen: Reopen) -> None:
    pool["d"] = {}
    stored: Any = pool["d"]
    model: dict[Any, int] = {}
    for i, key in enumerate(MODEL_KEYS):
        assert (key in stored) == (key in model), ascii(key)
        stored[key] = model[key] = i
        assert len(stored) == len(model), ascii(key)
    stored = reopen(pool)["d"]
    for key in MODEL_KEYS:
        assert stored[key] == model[key], ascii(key)
    assert all(same(*pair) for pair in zip(stored, model))
    assert stored == model
    for key in MODEL_KEYS[::2]:
        assert stored.pop(key, None) == model.pop(key, None)
    assert all(same(*pair) for pair in zip(stored, model))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Decimal("1.50"), Fraction(3, 2)),
        (Decimal("1E+2"), 100),
        (Decimal("-0"), 0),
        (Decimal("Infinity"), float("inf")),
        (Decimal("10E+10000"), Decimal("1E+10001")),
        (Decimal("1E+400"), 10**400),
        (Number.ONE, True),
        (Number.TWO, Decimal(2)),
        (Text.ALPHA, "alpha"),
        (Text.LONGER, Text.LONGER.value),
        (Share.HALF, Fraction(1, 2)),
        (Bits.A | Bits.B, 3),
        (Point(1, 2), (1, 2)),
        (Point(1, 2), Pair(1.0, Number.TWO)),
        (Path("a/b"), PurePosixPath("a/b")),
        (PureWindowsPath("C:/A"), PureWindowsPath("c:\\a")),
        (
            datetime.datetime(2024, 1, 1, tzinfo=UTC),
            datetime.datetime(2024, 1, 1, 5, 30, tzinfo=EAST),
        ),
        (datetime.datetime(2024, 1, 1, fold=1), datetime.datetime(2024, 1, 1)),
        (datetime.time(1, tzinfo=UTC), datetime.time(6, 30, tzinfo=EAST)),
        (NAMED, datetime.timezone(datetime.timedelta(hours=-3))),
        (range(0), range(7, 3)),
        (range(0, 10, 3), range(0, 12, 3)),
        (Labelled(1, "one"), Labelled(1.0, "two")),
        (frozenset({Decimal(1), Text.ALPHA}), frozenset({1, "alpha"})),
        ((Money(Decimal(1)), Plain.ONE), (Money(Decimal("1.0")), Plain.ONE)),
    ],
    ids=ascii,
)
def test_equal_keys_of_other_types_meet(pool: Pool, one: Any, other: Any) -> None:
    if isinstance(one, Labelled):  # the computed field is compared, too
        object.__setattr__(other, "computed", one.computed)
    assert one == other
    for first, second in ((one, other), (other, one)):
        pool["d"] = {first: "first"}
        stored = pool["d"]
        assert second in stored
        assert stored[second] == "first"
        stored[second] = "second"
        assert len(stored) == 1
        assert stored[first] == "second"
        assert same(next(iter(stored)), first)
        del stored[second]
        assert not stored


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Plain.ONE, Other.ONE),
        (Plain.ONE, 1),
        (Permission.READ, 1),
        (datetime.date(2024, 1, 1), datetime.datetime(2024, 1, 1)),
        (datetime.datetime(2024, 1, 1), datetime.datetime(2024, 1, 1, tzinfo=UTC)),
        (PurePosixPath("a"), PureWindowsPath("a")),
        (PurePosixPath("a"), "a"),
        (PurePosixPath("a"), ("posix", "a")),
        (Money(Decimal(1)), ("data", Decimal(1), "EUR")),
        (Point(1, 2), [1, 2]),
    ],
    ids=ascii,
)
def test_others_do_not(pool: Pool, one: Any, other: Any) -> None:
    pool["d"] = {one: 1}
    if hashable(other):
        assert other not in pool["d"]
        pool["d"][other] = 2
        assert len(pool["d"]) == 2
        assert pool["d"][one] == 1


def test_decimal_nans_are_keys_by_their_content(pool: Pool) -> None:
    nans = [Decimal("NaN"), Decimal("-NaN"), Decimal("NaN1")]
    pool["d"] = {nan: i for i, nan in enumerate(nans)}
    assert [pool["d"][Decimal(str(nan))] for nan in nans] == [0, 1, 2]
    assert Decimal("NaN2") not in pool["d"]


@pytest.mark.parametrize("value", VALUES_ONLY, ids=ascii)
def test_values_only_are_refused_as_keys_and_absent(pool: Pool, value: Any) -> None:
    pool["d"] = {"a": 1}
    for key in (value, (1, value), frozenset({value}), Labelled(value)):
        for store in (
            lambda key=key: pool["d"].__setitem__(key, 1),
            lambda key=key: pool.__setitem__("nested", [{key: 1}]),
            lambda key=key: pool["d"].update({"b": 2, key: 1}),
        ):
            with pytest.raises(TypeError, match=r"cannot be a key"):
                store()
        assert key not in pool["d"]
        assert pool["d"].get(key) is None
    assert pool["d"] == {"a": 1}
    assert "nested" not in pool


def test_what_python_cannot_hash_is_no_key(pool: Pool) -> None:
    pool["d"] = {"a": 1}
    for value in ALL:
        if hashable(value):
            continue
        with pytest.raises(TypeError) as theirs:
            {value: 1}
        for operation in (
            lambda value=value: pool["d"].__setitem__(value, 1),
            lambda value=value: value in pool["d"],
        ):
            with pytest.raises(TypeError) as ours:
                operation()
            assert str(ours.value) == str(theirs.value)


class ByValue(PersistentObject):
    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByValue)

    def __hash__(self) -> int:
        return 1


class ByIdentity(PersistentObject):
    pass


def test_persistent_objects_in_keys_compare_by_identity_or_not_at_all(pool: Pool) -> None:
    one, other = pool.new(ByIdentity), pool.new(ByIdentity)
    pool["d"] = {Labelled(one): 1, Point(one, 1): 2}
    assert pool["d"][Labelled(one)] == 1
    assert pool["d"][one, 1] == 2
    assert Labelled(other) not in pool["d"]
    odd = pool.new(ByValue)
    for key in (Labelled(odd), Point(odd, 1), Pair(Labelled(odd))):
        with pytest.raises(TypeError, match=r"cannot be a? ?key"):
            pool["d"][key] = 1
        assert key not in pool["d"]
    pool.root = [Labelled(odd), Point(odd, 1)]
    assert pool.root[0].value is odd


class Amount(Decimal):
    pass


class Moment(datetime.datetime):
    pass


class OddMoment(datetime.datetime):
    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return 1


def test_a_subclass_without_an_equality_of_its_own_is_looked_up_as_its_base(pool: Pool) -> None:
    pool["d"] = {Decimal("1.5"): 1, datetime.datetime(2024, 1, 1): 2, datetime.date(2024, 1, 1): 3}
    assert pool["d"][Amount("1.50")] == 1
    assert pool["d"][Moment(2024, 1, 1)] == 2
    assert OddMoment(2024, 1, 1) not in pool["d"]
    with pytest.raises(TypeError, match="register"):
        pool["d"][Amount("1.5")] = 1


def test_a_key_that_changes_type_with_an_abort(pool: Pool) -> None:
    pool["d"] = {1: "int"}
    with pytest.raises(LookupError), pool.transaction():
        del pool["d"][1]
        pool["d"][Number.ONE] = "enum"
        pool["d"][Plain.ONE] = "plain"
        raise LookupError
    assert [(type(key), value) for key, value in pool["d"].items()] == [(int, "int")]
    assert pool["d"][Number.ONE] == "int"
    assert Plain.ONE not in pool["d"]


def test_dataclass_keys_with_unhashable_fields_are_values(pool: Pool) -> None:
    @dataclasses.dataclass(frozen=True)
    class Cached:
        content: Any = dataclasses.field(hash=False)
        name: str = ""

    value = Cached([1], "a")
    hash(value)
    pool.root = value
    assert pool.root.content == [1]
    with pytest.raises(TypeError, match="cannot be a key"):
        pool["d"] = {value: 1}


NUMBERS = st.one_of(
    st.integers(-10, 10),
    st.floats(allow_nan=False),
    st.booleans(),
    st.decimals(allow_nan=False, allow_infinity=True),
    st.decimals(min_value=-10, max_value=10, places=1),
    st.fractions(min_value=-10, max_value=10, max_denominator=8),
    st.fractions(),
    st.sampled_from([*Number, *Share, Bits(3)]),
)


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(keys=st.lists(st.one_of(NUMBERS, st.tuples(NUMBERS), st.frozensets(NUMBERS)), max_size=20))
def test_numbers_of_all_types_meet_as_in_a_plain_dict(pool: Pool, keys: list[Any]) -> None:
    model = {key: i for i, key in enumerate(keys)}
    pool["d"] = {}
    for i, key in enumerate(keys):
        pool["d"][key] = i
    assert len(pool["d"]) == len(model)
    assert all(pool["d"][key] == value for key, value in model.items())


# ---- Another process

CHILD = """
import pickle, sys
sys.path[:0] = sys.argv[1:2]
import nvm
from values_of_types import *
with nvm.open(sys.argv[2], "w", backend="memory") as pool:
    assert pool.check() == []
    stored, order = pool["d"], list(pool["d"])
    missing = [key for key in MODEL_KEYS if stored.get(key) is None]
    assert not missing, missing
    values = pickle.load(open(sys.argv[3], "rb"))
    assert [stored[key] for key in MODEL_KEYS] == values
    for key in MODEL_KEYS:
        stored[key] = -1
    assert len(stored) == len(order), (len(stored), len(order))
    for key in order:
        del stored[key]
    assert not stored
    for i, key in enumerate(MODEL_KEYS):
        pool["d2"][key] = i
"""


def other_interpreters() -> list[str]:
    root = Path(__file__).parents[2]
    found = sorted({str(path) for path in root.glob(".venv*/bin/python")})
    return [python for python in found if Path(python).parent.parent != Path(sys.prefix)]


def has_package(python: str) -> bool:
    check = "import nvm; nvm.register_type"
    return subprocess.run([python, "-c", check], capture_output=True).returncode == 0


@pytest.mark.parametrize("python", [sys.executable, *other_interpreters()], ids=str)
def test_another_process_with_other_hashes_finds_every_key(
    pool: Pool, open_pool: Any, path: Path, folder: Path, python: str
) -> None:
    if python != sys.executable and not has_package(python):
        pytest.skip("the package is not built for it")
    pool["d"], pool["d2"] = {}, {}
    for i, key in enumerate(MODEL_KEYS):
        pool["d"][key] = i
    expected = [pool["d"][key] for key in MODEL_KEYS]
    pool.close()
    answers = folder / "answers"
    answers.write_bytes(pickle.dumps(expected))
    child = folder / "child.py"
    child.write_text(CHILD)
    result = subprocess.run(
        [python, str(child), str(Path(__file__).parent), str(path), str(answers)],
        env={**os.environ, "PYTHONHASHSEED": "12345", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    pool = open_pool("w")
    assert not pool["d"]
    assert [pool["d2"][key] for key in MODEL_KEYS] == expected
    assert all(same(*pair) for pair in zip(pool["d2"], dict.fromkeys(MODEL_KEYS)))
