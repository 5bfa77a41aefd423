"""PersistentDict, and iterators over dicts and sets, for PyPy's front: see front.py."""

from __future__ import annotations

from typing import Any, Callable

from nvm import _core
from nvm._pypy.core import (
    ABSENT,
    NO,
    NO_ENTRY,
    TEXT,
    cell_of,
    dict_get,
    dict_get_at,
    dict_get_at_text,
    dict_get_text,
    dict_has,
    dict_has_at,
    dict_set,
    dict_set_at,
    dict_size,
    entry_by,
    text_by,
    value_of,
)
from nvm._pypy.proxies import UNUSUAL, bind

_dict_original_getitem = _core.PersistentDict.__getitem__
_dict_original_setitem = _core.PersistentDict.__setitem__
_dict_original_contains = _core.PersistentDict.__contains__
_dict_original_len = _core.PersistentDict.__len__
_dict_original_get = _core.PersistentDict.get


# What _dict_found gives for a value: the bindings must look; it is not there.
_UNKNOWN = object()
_GONE = object()


def _dict_found(self: Any, key: Any) -> Any:
    kind = type(key)
    try:
        if kind is str and key.isascii():
            units = key.encode()
            cell = dict_get(self._p_handle, units, len(units))
            if cell == TEXT:
                text = text_by(dict_get_text, self._p_handle, units, len(units))
                return _UNKNOWN if text is None else text
        elif kind is int:
            cell = dict_get_at(self._p_handle, key)
            if cell == TEXT:
                text = text_by(dict_get_at_text, self._p_handle, key)
                return _UNKNOWN if text is None else text
        else:
            return _UNKNOWN
    except UNUSUAL:
        bind(self)
        return _UNKNOWN
    if cell == ABSENT:
        return _GONE
    return _UNKNOWN if cell == NO else value_of(cell)


def dict_front_getitem(self: Any, key: Any, /) -> Any:
    value = _dict_found(self, key)
    if value is not _UNKNOWN and value is not _GONE:
        return value
    return _dict_original_getitem(self, key)


def dict_front_get(self: Any, key: Any, default: Any = None, /) -> Any:
    value = _dict_found(self, key)
    if value is _GONE:
        return default
    if value is not _UNKNOWN:
        return value
    return _dict_original_get(self, key, default)


def dict_front_contains(self: Any, key: Any, /) -> bool:
    kind = type(key)
    try:
        if kind is str and key.isascii():
            answer = dict_has(self._p_handle, key.encode(), len(key))
        elif kind is int:
            answer = dict_has_at(self._p_handle, key)
        else:
            return _dict_original_contains(self, key)
    except UNUSUAL:
        bind(self)
    else:
        if answer != NO:
            return bool(answer != ABSENT)
    return _dict_original_contains(self, key)


def dict_front_setitem(self: Any, key: Any, value: Any, /) -> None:
    kind = type(key)
    try:
        if kind is str and key.isascii():
            if dict_set(self._p_handle, key.encode(), len(key), cell_of(value)) != NO:
                return
        elif kind is int and dict_set_at(self._p_handle, key, cell_of(value)) != NO:
            return
    except UNUSUAL:
        bind(self)
    _dict_original_setitem(self, key, value)


def dict_front_len(self: Any, /) -> int:
    try:
        size: int = dict_size(self._p_handle)
    except AttributeError:
        bind(self)
    else:
        if size >= 0:
            return size
    return _dict_original_len(self)


# ---- Iteration


class _Iterator:
    """As the bindings', which does all but the plain steps."""

    __slots__ = ("_cursor", "_dict", "_original", "_parts")
    _original: Any
    _dict: Any  # None: no plain steps
    _cursor: int  # part of the original
    _parts: int

    def __new__(cls, *_arguments: Any) -> _Iterator:
        raise TypeError(f"cannot create '{cls.__module__}.{cls.__name__}' instances")

    def __iter__(self) -> _Iterator:
        return self

    def __next__(self) -> Any:
        owner = self._dict
        if owner is not None:
            try:
                found = entry_by(owner._p_handle, self._cursor, self._parts)
            except AttributeError:
                bind(owner)
                found = NO_ENTRY
            if found is not NO_ENTRY:
                return found
        return self._slow_next()

    def _slow_next(self) -> Any:
        try:
            return next(self._original)
        except BaseException:
            self._dict = None  # the end, and a dict that has changed, are for good
            raise

    def __length_hint__(self) -> int:
        hint: int = self._original.__length_hint__()
        return hint

    def __reduce__(self) -> tuple[Any, ...]:
        reduced: tuple[Any, ...] = self._original.__reduce__()
        return reduced


class PersistentDictIterator(_Iterator):
    __slots__ = ()


class PersistentSetIterator(_Iterator):
    __slots__ = ()


PersistentDictIterator.__module__ = PersistentSetIterator.__module__ = "nvm._core"


def _front_iter(original: Callable[[Any], Any], cls: type) -> Callable[[Any], Any]:
    def front_iter(self: Any, /) -> Any:
        steps = original(self)
        iterator: Any = object.__new__(cls)
        iterator._original = steps
        place = _core.front_cursor(steps)
        assert place is not None  # it is new
        iterator._dict, iterator._cursor, iterator._parts = place
        return iterator

    return front_iter


dict_front_iter = _front_iter(_core.PersistentDict.__iter__, PersistentDictIterator)
keys_front_iter = _front_iter(_core.PersistentDictKeys.__iter__, PersistentDictIterator)
values_front_iter = _front_iter(_core.PersistentDictValues.__iter__, PersistentDictIterator)
items_front_iter = _front_iter(_core.PersistentDictItems.__iter__, PersistentDictIterator)
set_front_iter = _front_iter(_core.PersistentSet.__iter__, PersistentSetIterator)
