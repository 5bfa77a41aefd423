"""PersistentDict, PersistentSet and iterators over both, for PyPy's front: see front.py."""

from __future__ import annotations

import operator
from typing import Any, Callable

from nvm import _core
from nvm._pypy.core import (
    ABSENT,
    NO,
    NO_ENTRY,
    TEXT,
    cell_of,
    dict_delete,
    dict_delete_at,
    dict_get,
    dict_get_at,
    dict_get_at_text,
    dict_get_text,
    dict_has,
    dict_has_at,
    dict_set,
    dict_set_at,
    dict_size,
    dict_update,
    entry_by,
    give_cells_back,
    keys_in,
    take_cells,
    text_by,
    value_of,
)
from nvm._pypy.proxies import UNUSUAL, PersistentSet, bind

_dict_original_getitem = _core.PersistentDict.__getitem__
_dict_original_setitem = _core.PersistentDict.__setitem__
_dict_original_delitem = _core.PersistentDict.__delitem__
_dict_original_get = _core.PersistentDict.get
_dict_original_update = _core.PersistentDict.update
_set_original_add = _core.PersistentSet.add
_set_original_discard = _core.PersistentSet.discard
_set_original_update = _core.PersistentSet.update


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
    except AttributeError:
        return _dict_found(self, key) if bind(self) else _UNKNOWN
    except OverflowError:
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


# The three that follow choose by the key's type alike. One helper that is given the functions of C
# makes storing and deleting by text a quarter to a third slower under the JIT.


def _front_contains(original: Callable[[Any, Any], Any]) -> Callable[[Any, Any], bool]:
    def front_contains(self: Any, key: Any, /) -> bool:
        kind = type(key)
        answer = NO
        try:
            if kind is str and key.isascii():
                answer = dict_has(self._p_handle, key.encode(), len(key))
            elif kind is int:
                answer = dict_has_at(self._p_handle, key)
        except UNUSUAL:
            bind(self)
        else:
            if answer != NO:
                return bool(answer != ABSENT)
        return original(self, key)  # type: ignore[no-any-return]

    return front_contains


dict_front_contains = _front_contains(_core.PersistentDict.__contains__)
set_front_contains = _front_contains(_core.PersistentSet.__contains__)


def _stored(self: Any, key: Any, cell: int) -> bool:
    kind = type(key)
    try:
        if kind is str and key.isascii():
            return bool(dict_set(self._p_handle, key.encode(), len(key), cell) != NO)
        return kind is int and bool(dict_set_at(self._p_handle, key, cell) != NO)
    except UNUSUAL:
        bind(self)
        return False


def _deleted(self: Any, key: Any) -> int:
    """1: done; ABSENT: the key is not there; NO: the bindings must look."""
    kind = type(key)
    answer: int = NO
    try:
        if kind is str and key.isascii():
            answer = dict_delete(self._p_handle, key.encode(), len(key))
        elif kind is int:
            answer = dict_delete_at(self._p_handle, key)
    except UNUSUAL:
        bind(self)
    return answer


def dict_front_setitem(self: Any, key: Any, value: Any, /) -> None:
    if not _stored(self, key, cell_of(value)):
        _dict_original_setitem(self, key, value)


def dict_front_delitem(self: Any, key: Any, /) -> None:
    if _deleted(self, key) in (NO, ABSENT):
        _dict_original_delitem(self, key)


def set_front_add(self: Any, object: Any, /) -> None:
    if not _stored(self, object, _NONE):
        _set_original_add(self, object)


def set_front_discard(self: Any, object: Any, /) -> None:
    if _deleted(self, object) == NO:
        _set_original_discard(self, object)


_NONE = cell_of(None)
_NUMBERS = 3  # of an entry


def _entries(pairs: list[tuple[Any, Any]], numbers: Any) -> bytes | None:
    """Puts their numbers there; the texts of their keys, or None if the bindings must look."""
    texts = []
    place = 0
    for key, value in pairs:
        cell = cell_of(value)
        if cell == NO:
            return None
        if type(key) is str:
            if not key.isascii():
                return None
            texts.append(key)
            numbers[place] = len(key)
        elif type(key) is int:
            numbers[place] = -1
            numbers[place + 1] = key
        else:
            return None
        numbers[place + 2] = cell
        place += _NUMBERS
    return "".join(texts).encode()


def _updated(self: Any, pairs: list[tuple[Any, Any]]) -> bool:
    numbers = take_cells(_NUMBERS * len(pairs))
    try:
        texts = _entries(pairs, numbers)
        return texts is not None and bool(
            dict_update(self._p_handle, len(pairs), numbers, texts) != NO
        )
    except UNUSUAL:
        bind(self)
        return False
    finally:
        give_cells_back(numbers)


def dict_front_update(self: Any, /, *arguments: Any, **keywords: Any) -> None:
    plain = len(arguments) == 1 and not keywords and type(arguments[0]) is dict
    if not plain or not _updated(self, list(arguments[0].items())):
        _dict_original_update(self, *arguments, **keywords)


# What is read without the user's code having a say.
_PLAIN = (list, tuple, set, frozenset, dict)


def set_front_update(self: Any, /, *others: Any) -> None:
    plain = len(others) == 1 and type(others[0]) in _PLAIN
    if not plain or not _updated(self, [(element, None) for element in others[0]]):
        _set_original_update(self, *others)


# ---- Operators of sets


def _plain_set(operand: Any) -> Any:
    """An ordinary set for an operand; None if the bindings must look."""
    if type(operand) in (set, frozenset):
        return operand
    if type(operand) is not PersistentSet:
        return None
    size = set_front_len(operand)
    keys = keys_in(operand._p_handle, size)
    return None if keys is None else set(keys)


def _operator(name: str, operation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    original = getattr(_core.PersistentSet, name)

    def front_operator(self: Any, other: Any, /) -> Any:
        theirs = _plain_set(other)
        mine = None if theirs is None else _plain_set(self)
        return original(self, other) if mine is None else operation(mine, theirs)

    return front_operator


_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "and": operator.and_,
    "or": operator.or_,
    "sub": operator.sub,
    "xor": operator.xor,
}


def _swapped(do: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda mine, theirs: do(theirs, mine)


SET_OPERATORS = {
    **{f"__{name}__": _operator(f"__{name}__", do) for name, do in _OPERATORS.items()},
    **{f"__r{name}__": _operator(f"__r{name}__", _swapped(do)) for name, do in _OPERATORS.items()},
}


def _front_len(original: Callable[[Any], int]) -> Callable[[Any], int]:
    def front_len(self: Any, /) -> int:
        try:
            size: int = dict_size(self._p_handle)
        except AttributeError:
            bind(self)
        else:
            if size >= 0:
                return size
        return original(self)

    return front_len


dict_front_len = _front_len(_core.PersistentDict.__len__)
set_front_len = _front_len(_core.PersistentSet.__len__)


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
