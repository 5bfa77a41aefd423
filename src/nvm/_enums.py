"""Members of enums: what a pool holds of them."""

from __future__ import annotations

import enum
from typing import Any, Callable

from nvm._converter import ENUMERATION, Converter, no_key, same_equality

# What members that compare as such a value are equal to; the methods of the base, as those of the
# class may be others.
_PLAIN: dict[type, Callable[[Any], object]] = {
    int: lambda member: int.__add__(member, 0),
    str: str.__str__,
    float: float.__pos__,
    bytes: lambda member: bytes.__getitem__(member, slice(None)),
    complex: complex.__pos__,
}


def _name(member: Any) -> str:
    cls: Any = type(member)
    name: str = member._name_
    if cls._member_map_.get(name) is not member:
        raise TypeError(f"{member!r} is no member of {cls.__qualname__} and cannot be stored")
    return name


def _value(member: Any) -> object:
    return member._value_


def _member(cls: Any, state: object) -> object:
    if not isinstance(cls, enum.EnumMeta):
        raise TypeError(f"{cls.__qualname__} is no enum")
    members: dict[object, object] = cls.__members__  # type: ignore[assignment]
    if issubclass(cls, enum.Flag):
        flags: Any = cls(state)
        if flags._value_ != state:  # bits that the class has no longer, left out by its boundary
            raise ValueError(f"{state!r} is not a valid {cls.__qualname__}")
        return flags
    member = members.get(state)
    if member is None:
        raise ValueError(f"{cls.__qualname__} has no member {state!r}")
    return member


def _own_key(to_state: Callable[[Any], object]) -> Callable[[Any, str], object]:
    return lambda member, name: ("enum", name, to_state(member))


def _plain_key(plain: Callable[[Any], object]) -> Callable[[Any, str], object]:
    return lambda member, name: plain(member)


def converter_of(cls: Any) -> Converter:
    """Return how members of an enum are stored."""
    to_state: Callable[[Any], object] = _value if issubclass(cls, enum.Flag) else _name
    key: Callable[[Any, str], object] = no_key
    if cls.__eq__ is object.__eq__ and cls.__hash__ is enum.Enum.__hash__:
        key = _own_key(to_state)
    for base, plain in _PLAIN.items():
        if issubclass(cls, base) and same_equality(cls, base):
            key = _plain_key(plain)
    return Converter(ENUMERATION, to_state, key, _member)
