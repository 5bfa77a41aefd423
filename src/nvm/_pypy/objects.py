"""Attributes of a PersistentObject for PyPy's front: see front.py."""

from __future__ import annotations

from typing import Any, Callable

from nvm import _core
from nvm._pypy.classes import lookup
from nvm._pypy.core import (
    ABSENT,
    NO,
    TEXT,
    cell_of,
    record_get,
    record_get_text,
    record_set,
    small_int,
    text_by,
    value_of,
)
from nvm._pypy.proxies import PersistentAttribute, bind, handle_of, set_place

_attribute_original_get = _core.PersistentAttribute.__get__
_attribute_original_set = _core.PersistentAttribute.__set__


def attribute_front_get(self: Any, instance: Any, owner: Any = None, /) -> Any:
    try:
        epoch, place = self._place
        cell = record_get(handle_of(instance), epoch, place)
    except _NOT_BOUND:
        return _first_get(self, instance, owner)
    if cell == TEXT:
        text = text_by(record_get_text, handle_of(instance), epoch, place)
        if text is not None:
            return text
    elif cell == ABSENT:
        return _learning_get(self, instance, owner)
    elif cell != NO:
        return value_of(cell)
    return _attribute_original_get(self, instance, owner)


# What the first use of an attribute raises, or of an instance, and the class in the place of one.
_NOT_BOUND = (AttributeError, TypeError)


def _first_get(attribute: Any, instance: Any, owner: Any) -> Any:
    if isinstance(instance, _core.PersistentObject):
        learnt = hasattr(attribute, "_place")
        get = attribute_front_get if bind(instance) and learnt else _learning_get
        return get(attribute, instance, owner)
    return _attribute_original_get(attribute, instance, owner)


def _learning_get(attribute: Any, instance: Any, owner: Any) -> Any:
    value = _attribute_original_get(attribute, instance, owner)
    place = _core.front_place(attribute)
    if place is not None:
        # One pair, so that no other thread meets half of it.
        set_place(attribute, tuple(map(small_int, place)))
    return small_int(value)


def attribute_front_set(self: Any, instance: Any, value: Any, /) -> None:
    try:
        epoch, place = self._place
        done = record_set(handle_of(instance), epoch, place, cell_of(value))
    except _NOT_BOUND:
        done = NO  # reading fills the slots
    if done != NO:
        return
    _attribute_original_set(self, instance, value)


# The attributes of each class by name, as far as they have been stored. The interpreter would find
# them itself, but that a name without one must not get into the instance's dict.
_attributes: dict[type, dict[str, Any]] = {}
_object_original_setattr: Callable[..., None] = _core.PersistentObject.__setattr__


def object_front_setattr(self: Any, name: str, value: Any, /) -> None:
    try:
        attribute = _attributes[type(self)][name]
    except (KeyError, TypeError):
        _learning_setattr(self, name, value)
    else:
        attribute_front_set(attribute, self, value)


def _learning_setattr(self: Any, name: str, value: Any) -> None:
    _object_original_setattr(self, name, value)
    cls = type(self)
    attribute = lookup(cls, name)
    if attribute and type(attribute[0]) is PersistentAttribute:
        _attributes.setdefault(cls, {})[name] = attribute[0]
