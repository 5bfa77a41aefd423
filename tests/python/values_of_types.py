"""Values of the immutable types that a pool holds, and the classes they are of."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import functools
import ipaddress
import pathlib
import uuid
from collections import namedtuple
from decimal import Decimal
from fractions import Fraction
from typing import Any, ClassVar, NamedTuple
from zoneinfo import ZoneInfo

UTC = datetime.timezone.utc
EAST = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
NAMED = datetime.timezone(datetime.timedelta(hours=-3), "some zone")
ODD = datetime.timezone(datetime.timedelta(microseconds=-1))
PARIS = ZoneInfo("Europe/Paris")

DATES = [datetime.date.min, datetime.date.max, datetime.date(2024, 2, 29)]
TIMES = [
    datetime.time.min,
    datetime.time.max,
    datetime.time(1, 2, 3, 4, fold=1),
    datetime.time(1, 2, tzinfo=UTC),
    datetime.time(1, 2, tzinfo=EAST, fold=1),
    datetime.time(1, 2, tzinfo=PARIS),
]
DATETIMES = [
    datetime.datetime.min,
    datetime.datetime.max,
    datetime.datetime(2024, 2, 29, 12, 30, 1, 999_999, fold=1),
    datetime.datetime.min.replace(tzinfo=EAST),
    datetime.datetime.max.replace(tzinfo=NAMED),
    datetime.datetime(2024, 1, 1, tzinfo=UTC),
    datetime.datetime(2024, 1, 1, 5, 30, tzinfo=EAST),
    datetime.datetime(2024, 1, 1, tzinfo=NAMED),
    datetime.datetime(2024, 1, 1, tzinfo=ODD, fold=1),
    datetime.datetime(2024, 1, 1, tzinfo=ZoneInfo("UTC")),
    datetime.datetime(2024, 10, 27, 2, 30, tzinfo=PARIS, fold=0),
    datetime.datetime(2024, 10, 27, 2, 30, tzinfo=PARIS, fold=1),
]
TIMEDELTAS = [
    datetime.timedelta.min,
    datetime.timedelta.max,
    datetime.timedelta.resolution,
    datetime.timedelta(0),
    datetime.timedelta(days=-1, microseconds=1),
]
TIMEZONES = [UTC, EAST, NAMED, ODD, datetime.timezone.min, datetime.timezone.max]
DECIMALS = [
    Decimal(text)
    for text in (
        *("0", "-0", "0.00", "-0E+5", "0E-1999999999999999997", "1", "1.0", "1.00", "10E-1"),
        *("-1.5", "0.1", "123456789.123456789", "1E+20", "1E-20", "1E+400", "9" * 4000),
        *("1E+10000", "10E+9999", "1E+10001", "10E+10000", "1.000E-10000", "1E-10001"),
        *("1E+999999999999999999", "-1E-999999999999999999", "Infinity", "-Infinity"),
        *("NaN", "-NaN", "NaN123", "sNaN", "-sNaN456"),
    )
]
FRACTIONS = [Fraction(0), Fraction(3), Fraction(-1, 2), Fraction(1, 3), Fraction(10**50, 7)]
UUIDS = [
    uuid.UUID(int=0),
    uuid.UUID(int=2**128 - 1),
    uuid.UUID("12345678-1234-5678-1234-567812345678"),
    uuid.UUID(int=1, is_safe=uuid.SafeUUID.safe),
    uuid.UUID(int=1, is_safe=uuid.SafeUUID.unsafe),
]
RANGES = [
    *(range(0), range(5, 1), range(5), range(0, 5, 1), range(1, 2, 100), range(1, 3, 10)),
    *(range(0, 10, 3), range(0, 12, 3), range(10, 0, -3), range(-(10**30), 10**30, 7)),
]
SLICES = [slice(None), slice(1), slice(1, -2), slice(None, None, -1), slice("a", (1, 2))]
PATHS: list[pathlib.PurePath] = [
    *(
        pathlib.Path(),
        pathlib.Path("a/b"),
        pathlib.Path("/"),
        pathlib.Path("//a"),
        pathlib.Path("é"),
    ),
    *(pathlib.PurePosixPath("a//b/"), pathlib.PurePosixPath("A/b"), pathlib.PurePosixPath("..")),
    *(pathlib.PureWindowsPath("C:\\A"), pathlib.PureWindowsPath("c:/a"), pathlib.PureWindowsPath()),
    *(pathlib.PureWindowsPath("//server/share/x"), pathlib.PurePosixPath("bad \udc80 name")),
]
ADDRESSES = [
    *map(ipaddress.ip_address, ("0.0.0.0", "255.255.255.255", "::", "::1", "::ffff:1.2.3.4")),
    *map(ipaddress.ip_address, ("fe80::1%eth0", "fe80::1%1", "fe80::1")),
    *map(ipaddress.ip_interface, ("1.2.3.4/24", "1.2.3.4", "fe80::1/64", "fe80::1%eth0/64")),
    *map(ipaddress.ip_network, ("10.0.0.0/8", "0.0.0.0/0", "1.2.3.4", "fe80::/10", "::1")),
]


class Number(enum.IntEnum):
    ONE = 1
    TWO = 2
    UNO = 1


class Text(str, enum.Enum):
    ALPHA = "alpha"
    LONGER = "a text that fits no entry of a dict"


class Share(float, enum.Enum):
    HALF = 0.5


class Plain(enum.Enum):
    ONE = 1
    LIST = (1, [2])


class Other(enum.Enum):
    ONE = 1


class Permission(enum.Flag):
    READ = 1
    WRITE = 2


class Bits(enum.IntFlag):
    A = 1
    B = 2


class OddEnum(enum.Enum):
    ONE = 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OddEnum)

    def __hash__(self) -> int:
        return 1


class Coordinates(tuple, enum.Enum):
    ORIGIN = (0, 0)


class Outer:
    class Inner(enum.Enum):
        DEEP = "deep"


ENUMS = [
    *(
        *Number,
        *Text,
        *Share,
        *Plain,
        *Other,
        *Permission,
        *Bits,
        *OddEnum,
        *Coordinates,
        *Outer.Inner,
    ),
    *(Permission.READ | Permission.WRITE, Permission(0), Bits(3), Bits(8), Bits(0)),
]

Point = namedtuple("Point", "x y")


class Pair(NamedTuple):
    first: Any
    second: Any = None


class Vector(namedtuple("Vector", "x y")):
    def length(self) -> float:
        return float((self.x**2 + self.y**2) ** 0.5)


NAMED_TUPLES = [Point(1, 2), Pair("a"), Vector(3, 4), Pair(Point(1, 2), (Pair(None),))]


@dataclasses.dataclass(frozen=True)
class Money:
    amount: Decimal
    currency: str = "EUR"
    kind: ClassVar[int] = 1


@dataclasses.dataclass(frozen=True)
class Labelled:
    value: Any
    label: str = dataclasses.field(default="", compare=False)
    computed: Any = dataclasses.field(init=False, default=None)

    def __post_init__(self) -> None:
        object.__setattr__(self, "computed", (self.value, "computed"))

    @functools.cached_property
    def cached(self) -> int:
        return 1


@dataclasses.dataclass(frozen=True, order=True)
class Derived(Money):
    more: Any = ()


@dataclasses.dataclass(frozen=True, eq=False)
class ByIdentity:
    value: int


class Slotted:
    """As dataclass(slots=True) makes it, which is newer than some interpreters."""

    __slots__ = ("a", "b")

    a: int
    b: Any


Slotted = dataclasses.dataclass(frozen=True)(Slotted)  # type: ignore[misc]

DATACLASSES = [
    *(Money(Decimal("1.50")), Money(Decimal(2), "USD"), Labelled(1, "one"), Labelled((1, 2))),
    *(Derived(Decimal(1), more=Money(Decimal(0))), Slotted(1, "x" * 50), Labelled(Labelled(None))),
]

VALUES: dict[str, list[Any]] = {
    "date": DATES,
    "time": TIMES,
    "datetime": DATETIMES,
    "timedelta": TIMEDELTAS,
    "timezone": TIMEZONES,
    "zoneinfo": [PARIS, ZoneInfo("UTC")],
    "decimal": DECIMALS,
    "fraction": FRACTIONS,
    "uuid": UUIDS,
    "range": RANGES,
    "slice": SLICES,
    "path": PATHS,
    "address": ADDRESSES,
    "enum": ENUMS,
    "named tuple": NAMED_TUPLES,
    "dataclass": DATACLASSES,
}
ALL = [value for values in VALUES.values() for value in values]


def parts_of(value: Any) -> Any:
    """What tells values apart that are equal, all the way down."""
    if isinstance(value, (datetime.time, datetime.datetime)):
        return type(value), repr(value), value.fold, parts_of(value.tzinfo)
    if isinstance(value, (Decimal, datetime.timezone, ZoneInfo, pathlib.PurePath)):
        return type(value), repr(value), str(value)
    if isinstance(value, uuid.UUID):
        return type(value), value, value.is_safe
    if isinstance(value, (range, slice)):
        return type(value), value.start, value.stop, value.step
    if isinstance(value, tuple):
        return type(value), [parts_of(part) for part in value]
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        return type(value), [(name, parts_of(getattr(value, name))) for name in names]
    return type(value), value


def same(value: Any, other: Any) -> bool:
    return bool(parts_of(value) == parts_of(other))


def hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


VALUES_ONLY = [
    value
    for value in ALL
    if isinstance(value, (ZoneInfo, OddEnum, Coordinates))
    or (isinstance(value, (datetime.time, datetime.datetime)) and value.tzinfo is PARIS)
]
"""What Python takes for keys, and a pool does not."""

KEYS = [value for value in ALL if hashable(value) and not any(value is v for v in VALUES_ONLY)]

MORE_KEYS = [
    *(1, 1.0, True, 1 + 0j, 0, 2, 3, 1.5, 0.5, -0.5, 10**20, 10**400, float("inf"), 8, "alpha"),
    *("Alpha", ("a",), (1, 2), ("a", None), ("date", 1), frozenset({1, "alpha"}), None, ...),
    *((datetime.date(2024, 1, 1), Decimal("1.50")), frozenset({Decimal(1), Plain.ONE})),
    *(datetime.datetime(2024, 1, 1, tzinfo=EAST), Decimal("0.1"), Fraction(1, 10), Fraction(3, 2)),
]
# A plain dict finds a NaN by its identity alone.
# Slices can be hashed from Python 3.12 on.
MODEL_KEYS = [
    key
    for key in [*KEYS, *MORE_KEYS]
    if type(key) is not slice and not (type(key) is Decimal and key.is_nan())
]
