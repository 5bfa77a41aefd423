"""PersistentList for PyPy's front: see front.py."""

from __future__ import annotations

from typing import Any, Callable

from nvm import _core
from nvm._pypy.core import (
    NO,
    TEXT,
    cell_of,
    list_append,
    list_get,
    list_get_text,
    list_set,
    list_size,
    list_slice,
    text_by,
    value_of,
    values_by,
)
from nvm._pypy.proxies import UNUSUAL, bind

_list_original_getitem = _core.PersistentList.__getitem__
_list_original_setitem = _core.PersistentList.__setitem__
_list_original_len = _core.PersistentList.__len__
_list_original_iter: Callable[..., Any] = _core.PersistentList.__iter__
_list_original_append = _core.PersistentList.append


def list_front_getitem(self: Any, index: Any, /) -> Any:
    if type(index) is int:
        try:
            cell = list_get(self._p_handle, index)
        except UNUSUAL:
            bind(self)
        else:
            if cell == TEXT:
                text = text_by(list_get_text, self._p_handle, index)
                if text is not None:
                    return text
            elif cell != NO:
                return value_of(cell)
    elif type(index) is slice and (index.step is None or index.step == 1):
        values = _sliced(self, index.start, index.stop)
        if values is not None:
            return values
    return _list_original_getitem(self, index)


_TO_THE_END = (1 << 63) - 1


def _sliced(items: Any, start: Any, stop: Any) -> list[Any] | None:
    start = 0 if start is None else start
    stop = _TO_THE_END if stop is None else stop
    if type(start) is not int or type(stop) is not int:
        return None
    try:
        return values_by(list_slice, items._p_handle, start, stop)
    except UNUSUAL:
        bind(items)
        return None


def list_front_setitem(self: Any, index: Any, value: Any, /) -> None:
    if type(index) is int:
        try:
            if list_set(self._p_handle, index, cell_of(value)) != NO:
                return
        except UNUSUAL:
            bind(self)
    _list_original_setitem(self, index, value)


def list_front_append(self: Any, value: Any, /) -> None:
    try:
        if list_append(self._p_handle, cell_of(value)) != NO:
            return
    except AttributeError:
        bind(self)
    _list_original_append(self, value)


def list_front_len(self: Any, /) -> int:
    try:
        size: int = list_size(self._p_handle)
    except AttributeError:
        bind(self)
    else:
        if size >= 0:
            return size
    return _list_original_len(self)


def list_front_iter(self: Any, /) -> PersistentListIterator:
    list_front_len(self)  # a closed pool is an error here, not at the first step
    iterator = object.__new__(PersistentListIterator)
    iterator._list, iterator._index = self, 0
    return iterator


class PersistentListIterator:
    """As the bindings', which does all but the steps."""

    __slots__ = ("_index", "_list")
    _list: Any  # None: at the end
    _index: int

    def __new__(cls, *_arguments: Any) -> PersistentListIterator:
        raise TypeError(f"cannot create '{cls.__module__}.{cls.__name__}' instances")

    def __iter__(self) -> PersistentListIterator:
        return self

    def __next__(self) -> Any:
        items = self._list
        if items is None:
            raise StopIteration
        index = self._index
        try:
            cell = list_get(items._p_handle, index)
        except AttributeError:
            bind(items)
            cell = NO
        if cell == TEXT:
            value: Any = text_by(list_get_text, items._p_handle, index)
            if value is None:
                return self._slow_next(items, index)
        elif cell != NO:
            value = value_of(cell)
        else:
            return self._slow_next(items, index)
        self._index = index + 1
        return value

    def _slow_next(self, items: Any, index: int) -> Any:
        size = len(items)  # another thread may change it before or after the item is looked for
        try:
            value = _list_original_getitem(items, index)
        except IndexError:
            if index < size and index < len(items):  # raised by what came out of the pool
                raise
            self._list = None
            raise StopIteration from None
        self._index = index + 1
        return value

    def _of_the_bindings(self) -> Any:
        """The bindings' iterator in the same state."""
        if self._list is None:
            return iter(())
        iterator = _list_original_iter(self._list)
        iterator.__setstate__(self._index)
        return iterator

    def __length_hint__(self) -> int:
        hint: int = self._of_the_bindings().__length_hint__()
        return hint

    def __reduce__(self) -> tuple[Any, ...]:
        if self._list is None:
            return iter, ([],)
        reduced: tuple[Any, ...] = self._of_the_bindings().__reduce__()
        return reduced

    def __setstate__(self, state: Any) -> None:
        iterator = self._of_the_bindings()
        iterator.__setstate__(state)
        if self._list is not None:
            self._index = iterator.__reduce__()[2]


PersistentListIterator.__module__ = "nvm._core"
