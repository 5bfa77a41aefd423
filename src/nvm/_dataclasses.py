"""Instances of frozen dataclasses: what a pool holds of them."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Callable

from nvm._converter import DATACLASS, Converter, no_key

_MISSING = object()


def is_frozen(cls: type) -> bool:
    """Whether the class itself, not only a base of it, is a frozen dataclass."""
    parameters = cls.__dict__.get("__dataclass_params__")
    return parameters is not None and bool(parameters.frozen)


def _is_generated(cls: type, name: str) -> bool:
    """Whether a method is the dataclass decorator's, not the user's."""
    code = getattr(cls.__dict__.get(name), "__code__", None)
    return code is not None and code.co_filename == "<string>"


def _refuse_what_is_no_field(instance: Any, names: set[str]) -> None:
    for name in getattr(instance, "__dict__", ()):
        cached = isinstance(getattr(type(instance), name, None), functools.cached_property)
        if name not in names and not cached:
            raise TypeError(
                f"a '{type(instance).__qualname__}' with an attribute {name!r} that is no field "
                "cannot be stored"
            )


def _state(instance: Any) -> tuple[object, ...]:
    names = [field.name for field in dataclasses.fields(instance)]
    _refuse_what_is_no_field(instance, set(names))
    state: list[object] = []
    for name in names:
        try:
            state += name, object.__getattribute__(instance, name)
        except AttributeError:  # a field without a value, which it is to keep being
            continue
    return tuple(state)


def _instance(cls: Any, state: tuple[Any, ...]) -> object:
    if not is_frozen(cls):
        raise TypeError(f"{cls.__qualname__} is no frozen dataclass")
    values = dict(zip(state[::2], state[1::2]))
    instance = object.__new__(cls)
    for field in dataclasses.fields(cls):
        value = values.get(field.name, _MISSING)
        if value is _MISSING:  # a field that is newer than the value
            value = _default(field)
        if value is not _MISSING:
            object.__setattr__(instance, field.name, value)
    return instance


def _default(field: dataclasses.Field[Any]) -> object:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return _MISSING


def _key_of(names: list[str]) -> Callable[[Any, str], object]:
    """As the generated __eq__ compares: the class, and the fields that are to be compared."""

    def key(instance: Any, name: str) -> object:
        try:
            values = tuple(object.__getattribute__(instance, each) for each in names)
            hash(values)
        except (AttributeError, TypeError):  # a field without a value, or one that is unhashable
            return None
        return "data", name, *values

    return key


def converter_of(cls: type) -> Converter | None:
    """Return how instances of a frozen dataclass are stored; None: they cannot be."""
    if not is_frozen(cls):
        return None
    try:
        object.__new__(cls)
    except TypeError:  # a base is made in another way
        return None
    key: Callable[[Any, str], object] = no_key
    if _is_generated(cls, "__eq__") and _is_generated(cls, "__hash__"):
        key = _key_of([field.name for field in dataclasses.fields(cls) if field.compare])
    return Converter(DATACLASS, _state, key, _instance)
