"""PersistentByteArray for PyPy's front: see front.py."""

from __future__ import annotations

from typing import Any, Callable

from nvm import _core
from nvm._pypy.core import (
    NO,
    TO_THE_END,
    bytes_append,
    bytes_get,
    bytes_in,
    bytes_pop,
    bytes_set,
    bytes_size,
    bytes_splice,
)
from nvm._pypy.lists import plain_bounds
from nvm._pypy.proxies import UNUSUAL, bind
from nvm._pypy.views import view_of

_array_original_getitem = _core.PersistentByteArray.__getitem__
_array_original_setitem = _core.PersistentByteArray.__setitem__
_array_original_contains = _core.PersistentByteArray.__contains__
_array_original_len = _core.PersistentByteArray.__len__
_array_original_add = _core.PersistentByteArray.__add__
_array_original_iadd = _core.PersistentByteArray.__iadd__
_array_original_append = _core.PersistentByteArray.append
_array_original_extend = _core.PersistentByteArray.extend
_array_original_pop = _core.PersistentByteArray.pop

# What is read without the user's code having a say.
_PLAIN = (bytes, bytearray)


def _copy(array: Any, start: int, stop: int) -> bytes | None:
    try:
        return bytes_in(array._p_handle, start, stop)
    except UNUSUAL:
        bind(array)
        return None


def _spliced(array: Any, start: int, stop: int, content: Any) -> bool:
    content = bytes(content)
    try:
        return bool(bytes_splice(array._p_handle, start, stop, content, len(content)) != NO)
    except UNUSUAL:
        bind(array)
        return False


def array_front_getitem(self: Any, index: Any, /) -> Any:
    if type(index) is int:
        try:
            byte = bytes_get(self._p_handle, index)
        except UNUSUAL:
            bind(self)
        else:
            if byte >= 0:
                return byte
    elif type(index) is slice:
        bounds = plain_bounds(index)
        if bounds is not None:
            content = _copy(self, *bounds)
            if content is not None:
                return bytearray(content)
    return _array_original_getitem(self, index)


def array_front_setitem(self: Any, index: Any, value: Any, /) -> None:
    if type(index) is int:
        if type(value) is int:
            try:
                if bytes_set(self._p_handle, index, value) != NO:
                    return
            except UNUSUAL:
                bind(self)
    elif type(index) is slice and type(value) in _PLAIN:
        bounds = plain_bounds(index)
        if bounds is not None and _spliced(self, *bounds, value):
            return
    _array_original_setitem(self, index, value)


def array_front_len(self: Any, /) -> int:
    try:
        size: int = bytes_size(self._p_handle)
    except AttributeError:
        bind(self)
    else:
        if size >= 0:
            return size
    return _array_original_len(self)


def array_front_append(self: Any, item: Any, /) -> None:
    if type(item) is int:
        try:
            if bytes_append(self._p_handle, item) != NO:
                return
        except UNUSUAL:
            bind(self)
    _array_original_append(self, item)


def array_front_extend(self: Any, iterable_of_ints: Any, /) -> None:
    if type(iterable_of_ints) in _PLAIN and _spliced(
        self, TO_THE_END, TO_THE_END, iterable_of_ints
    ):
        return
    _array_original_extend(self, iterable_of_ints)


def array_front_iadd(self: Any, other: Any, /) -> Any:
    if type(other) in _PLAIN and _spliced(self, TO_THE_END, TO_THE_END, other):
        return self
    return _array_original_iadd(self, other)


def array_front_pop(self: Any, index: Any = -1, /) -> int:
    if type(index) is int:
        try:
            byte: int = bytes_pop(self._p_handle, index)
        except UNUSUAL:
            bind(self)
        else:
            if byte >= 0:
                return byte
    return _array_original_pop(self, index)


# ---- What only reads: the built-in does it, on a copy

_WRITABLE, _FULL = 0x1, 0x11C  # PyBUF_WRITABLE, and what PyPy's memoryview() asks for


def array_buffer(self: Any, flags: int, /) -> memoryview:
    """What memoryview() gives; for who only reads it at once, a copy.

    PyPy calls it where CPython looks for a buffer.
    """
    if flags & _WRITABLE or flags == _FULL:
        return view_of(self)
    return memoryview(array_bytes(self))


def array_bytes(self: Any, /) -> bytes:
    """For bytes(), which would ask for a view."""
    content = _copy(self, 0, TO_THE_END)
    return bytes(_array_original_getitem(self, _ALL)) if content is None else content


_ALL = slice(None)


def array_front_contains(self: Any, item: Any, /) -> bool:
    if type(item) in (int, bytes, bytearray):
        content = _copy(self, 0, TO_THE_END)
        if content is not None:
            return item in bytearray(content)
    return _array_original_contains(self, item)


def array_front_add(self: Any, other: Any, /) -> Any:
    if type(other) in _PLAIN:
        content = _copy(self, 0, TO_THE_END)
        if content is not None:
            return bytearray(content) + other
    return _array_original_add(self, other)


def _comparing(name: str) -> Callable[..., Any]:
    original = getattr(_core.PersistentByteArray, name)
    compare = getattr(bytes, name)

    def front_compare(self: Any, other: Any, /) -> Any:
        if type(other) in _PLAIN:
            content = _copy(self, 0, TO_THE_END)
            if content is not None:
                return compare(content, bytes(other))
        return original(self, other)

    return front_compare


def _reading(name: str) -> Callable[..., Any]:
    original = getattr(_core.PersistentByteArray, name)
    method = getattr(bytearray, name)

    def front_read(self: Any, /, *arguments: Any, **keywords: Any) -> Any:
        content = _copy(self, 0, TO_THE_END)
        if content is None:
            return original(self, *arguments, **keywords)
        return method(bytearray(content), *arguments, **keywords)

    return front_read


_COMPARING = ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__")
# Those whose time would be that of the way there.
_READING = (
    *("count", "decode", "endswith", "find", "hex", "index", "partition", "rfind", "rindex"),
    *("rpartition", "split", "startswith", "strip"),
)
READING_METHODS = {
    **{name: _comparing(name) for name in _COMPARING},
    **{name: _reading(name) for name in _READING},
}
