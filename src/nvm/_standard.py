"""The immutable types of Python's library: what a pool holds of each.

Keys are equal where Python takes the values for equal, and do not depend on the interpreter, its
version or its hash seed. docs/types.md lists them for users, docs/format.md for readers of files.
"""

from __future__ import annotations

import datetime
import decimal
import fractions
import ipaddress
import math
import pathlib
import uuid
import zoneinfo
from typing import Any, Callable, Optional, Union

from nvm._converter import STANDARD, Converter, no_key

_Zone = Optional[datetime.tzinfo]
_Stamp = Union[int, "tuple[int, _Zone]"]

_MICROSECOND = datetime.timedelta(microseconds=1)
_DAY = 86_400 * 1_000_000  # microseconds
# Decimals with a place beyond the point, or before it, that is further away than this are equal to
# Decimals alone: as a fraction they could fill the memory.
_FAR = 10_000
_DIGITS_AT_ONCE = 1000

# ---- Dates and times: microseconds since the day before 0001-01-01, fold in the lowest bit


def _clock(time: datetime.time | datetime.datetime) -> int:
    seconds = time.hour * 3600 + time.minute * 60 + time.second
    return seconds * 1_000_000 + time.microsecond


def _time(clock: int, zone: _Zone, fold: int) -> datetime.time:
    seconds, microsecond = divmod(clock, 1_000_000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return datetime.time(hour, minute, second, microsecond, zone, fold=fold)


def _moment(value: datetime.datetime) -> int:
    return value.toordinal() * _DAY + _clock(value)


def _packed(count: int, value: datetime.time | datetime.datetime) -> _Stamp:
    """Pack a count of microseconds with fold and zone: None is UTC, no zone at all is naive."""
    packed = count * 2 + value.fold
    if value.tzinfo is None:
        return packed
    return packed, None if value.tzinfo is datetime.timezone.utc else value.tzinfo


def _unpacked(state: _Stamp) -> tuple[int, _Zone, int]:
    if isinstance(state, int):
        return state >> 1, None, state & 1
    packed, zone = state
    return packed >> 1, datetime.timezone.utc if zone is None else zone, packed & 1


def _fixed_offset(zone: datetime.tzinfo) -> int | None:
    """Return the offset from UTC in microseconds if it never changes, else None."""
    if type(zone) is datetime.timezone:
        return zone.utcoffset(None) // _MICROSECOND
    if type(zone) is zoneinfo.ZoneInfo and zone.key == "UTC":
        return 0
    return None


def _instant(
    count: int, value: datetime.time | datetime.datetime, naive: str, aware: str
) -> tuple[str, int] | None:
    if value.tzinfo is None:
        return naive, count
    offset = _fixed_offset(value.tzinfo)
    return None if offset is None else (aware, count - offset)


def _datetime_from(cls: object, state: _Stamp) -> datetime.datetime:
    moment, zone, fold = _unpacked(state)
    day, clock = divmod(moment, _DAY)
    return datetime.datetime.combine(datetime.date.fromordinal(day), _time(clock, zone, fold))


def _timezone_state(zone: datetime.timezone) -> object:
    offset, *name = zone.__getinitargs__()  # type: ignore[attr-defined]
    return (offset // _MICROSECOND, *name) if name else offset // _MICROSECOND


def _timezone_from(cls: object, state: Any) -> datetime.timezone:
    offset, *name = state if isinstance(state, tuple) else (state,)
    return datetime.timezone(offset * _MICROSECOND, *name)


def _zone_name(zone: zoneinfo.ZoneInfo) -> str:
    if zone.key is None:
        raise TypeError("a ZoneInfo without a key cannot be stored")
    return zone.key


# ---- Numbers


def _rational(numerator: int, denominator: int) -> object:
    """Return the int or float that this is equal to, or its own key."""
    common = math.gcd(numerator, denominator)
    numerator, denominator = numerator // common, denominator // common
    if denominator == 1:
        return numerator
    if denominator & (denominator - 1) == 0:
        try:
            value = numerator / denominator
        except OverflowError:
            value = 0.0
        if value.as_integer_ratio() == (numerator, denominator):
            return value
    return "ratio", numerator, denominator


def _integer(digits: str) -> int:
    """Return the int of any number of digits: int() has a limit, which some Decimals share."""
    result = 0
    for begin in range(0, len(digits), _DIGITS_AT_ONCE):
        part = digits[begin : begin + _DIGITS_AT_ONCE]
        result = result * 10 ** len(part) + int(part)
    return result


def _decimal_from(cls: object, text: str) -> decimal.Decimal:
    try:
        return decimal.Decimal(text)
    except ValueError:  # too many digits at once
        digits, _, exponent = text.partition("E")
        whole, _, places = digits.lstrip("-").partition(".")
        lowest = int(exponent or 0) - len(places)
        return decimal.Decimal((text[0] == "-", tuple(map(int, whole + places)), lowest))


def _decimal_key(value: decimal.Decimal, name: str) -> object:
    if value.is_nan():
        return "nan", str(value)
    if value.is_infinite():
        return float(value)
    if not value:
        return 0
    highest = value.adjusted()
    sign, digits, lowest = value.as_tuple()
    assert isinstance(lowest, int)
    if lowest < -_FAR or abs(highest) > _FAR:
        text = "".join(map(str, digits))
        significant = text.rstrip("0")
        lowest += len(text) - len(significant)
        if lowest < -_FAR or abs(highest) > _FAR:
            return "far", sign, significant, lowest
    coefficient = _integer("".join(map(str, digits))) * (-1 if sign else 1)
    return _rational(coefficient * 10 ** max(lowest, 0), 10 ** max(-lowest, 0))


def _uuid_state(value: uuid.UUID) -> object:
    unknown = value.is_safe is uuid.SafeUUID.unknown
    return value.bytes if unknown else (value.bytes, value.is_safe.value)


def _uuid_from(cls: object, state: Any) -> uuid.UUID:
    if isinstance(state, bytes):
        return uuid.UUID(bytes=state)
    content, safe = state
    return uuid.UUID(bytes=content, is_safe=uuid.SafeUUID(safe))


# ---- Ranges and slices


def _range_key(value: range, name: str) -> object:
    """As ranges are equal: by the numbers in them."""
    start, stop, step = value.start, value.stop, value.step
    distance = stop - start if step > 0 else start - stop
    length = max(0, (distance + abs(step) - 1) // abs(step))
    return "range", length, start if length else None, step if length > 1 else None


def _slice_state(value: slice) -> tuple[object, object, object]:
    return value.start, value.stop, value.step


def _slice_key(value: slice, name: str) -> object:
    key = ("slice", *_slice_state(value))
    try:
        hash(key)
    except TypeError:
        return None
    return key


# ---- Addresses


def _address6_state(value: ipaddress.IPv6Address) -> object:
    return int(value) if value.scope_id is None else str(value)


def _network6_key(value: ipaddress.IPv6Network, name: str) -> object:
    address = value.network_address
    return "net6", int(address), address.scope_id, value.prefixlen


# ---- The table


def _paths(scope: str, fold: Callable[[str], str]) -> Callable[[pathlib.PurePath, str], object]:
    return lambda value, name: (scope, fold(str(value)))


_posix_key = _paths("posix", str)
_windows_key = _paths("win", str.lower)


def _row(
    cls: type,
    to_state: Callable[[Any], object],
    key: Callable[[Any, str], object],
    from_state: Callable[[Any, Any], object],
    module: str | None = None,
) -> tuple[type, Converter]:
    name = f"{module or cls.__module__}:{cls.__qualname__}"
    return cls, Converter(STANDARD, to_state, key, from_state, name)


def _made_of(cls: type) -> Callable[[Any, Any], object]:
    return lambda _, state: cls(state)


def _path_row(cls: type[pathlib.PurePath], key: Callable[[Any, str], object]) -> Any:
    return _row(cls, str, key, _made_of(cls), "pathlib")  # a private module in some versions


CONVERTERS: dict[type, Converter] = dict(
    [
        _row(
            datetime.date,
            datetime.date.toordinal,
            lambda value, name: ("date", value.toordinal()),
            lambda _, state: datetime.date.fromordinal(state),
        ),
        _row(
            datetime.time,
            lambda value: _packed(_clock(value), value),
            lambda value, name: _instant(_clock(value), value, "time", "atime"),
            lambda _, state: _time(*_unpacked(state)),
        ),
        _row(
            datetime.datetime,
            lambda value: _packed(_moment(value), value),
            lambda value, name: _instant(_moment(value), value, "naive", "aware"),
            _datetime_from,
        ),
        _row(
            datetime.timedelta,
            lambda value: value // _MICROSECOND,
            lambda value, name: ("delta", value // _MICROSECOND),
            lambda _, state: datetime.timedelta(microseconds=state),
        ),
        _row(
            datetime.timezone,
            _timezone_state,
            lambda value, name: ("zone", value.utcoffset(None) // _MICROSECOND),
            _timezone_from,
        ),
        _row(zoneinfo.ZoneInfo, _zone_name, no_key, _made_of(zoneinfo.ZoneInfo)),
        _row(decimal.Decimal, str, _decimal_key, _decimal_from, "decimal"),
        _row(
            fractions.Fraction,
            lambda value: (value.numerator, value.denominator),
            lambda value, name: _rational(value.numerator, value.denominator),
            lambda _, state: fractions.Fraction(*state),
        ),
        _row(uuid.UUID, _uuid_state, lambda value, name: ("uuid", value.int), _uuid_from),
        _row(
            range,
            lambda value: (value.start, value.stop, value.step),
            _range_key,
            lambda _, state: range(*state),
        ),
        _row(slice, _slice_state, _slice_key, lambda _, state: slice(*state)),
        _path_row(pathlib.PurePosixPath, _posix_key),
        _path_row(pathlib.PosixPath, _posix_key),
        _path_row(pathlib.PureWindowsPath, _windows_key),
        _path_row(pathlib.WindowsPath, _windows_key),
        _row(
            ipaddress.IPv4Address,
            int,
            lambda value, name: ("ip4", int(value)),
            _made_of(ipaddress.IPv4Address),
        ),
        _row(
            ipaddress.IPv6Address,
            _address6_state,
            lambda value, name: ("ip6", int(value), value.scope_id),
            _made_of(ipaddress.IPv6Address),
        ),
        _row(
            ipaddress.IPv4Interface,
            str,
            lambda value, name: ("if4", int(value), value.network.prefixlen),
            _made_of(ipaddress.IPv4Interface),
        ),
        _row(
            ipaddress.IPv6Interface,
            str,
            lambda value, name: ("if6", int(value), value.scope_id, value.network.prefixlen),
            _made_of(ipaddress.IPv6Interface),
        ),
        _row(
            ipaddress.IPv4Network,
            str,
            lambda value, name: ("net4", int(value.network_address), value.prefixlen),
            _made_of(ipaddress.IPv4Network),
        ),
        _row(ipaddress.IPv6Network, str, _network6_key, _made_of(ipaddress.IPv6Network)),
    ]
)

CLASSES: dict[str, type] = {converter.name: cls for cls, converter in CONVERTERS.items()}
