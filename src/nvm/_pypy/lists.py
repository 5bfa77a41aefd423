"""PersistentList for PyPy's front: see front.py."""

from __future__ import annotations

from typing import Any, Callable

from nvm import _core
from nvm._pypy.ahead import Ahead, cell_at
from nvm._pypy.core import (
    ABSENT,
    MOST_CELLS,
    NO,
    TEXT,
    TO_THE_END,
    address_of,
    cell_of,
    encode,
    give_cells_back,
    list_append,
    list_get_text,
    list_pop,
    list_replace,
    list_set,
    list_size,
    list_slice,
    list_splice,
    take_cells,
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
_list_original_extend = _core.PersistentList.extend
_list_original_iadd = _core.PersistentList.__iadd__
_list_original_pop = _core.PersistentList.pop
_list_original_sort = _core.PersistentList.sort


def list_front_getitem(self: Any, index: Any, /) -> Any:
    if type(index) is int:
        try:
            cell = cell_at(self, index, self._p_ahead)
        except AttributeError:
            if bind(self):
                return list_front_getitem(self, index)
        except OverflowError:
            pass
        else:
            if cell == TEXT:
                text = text_by(list_get_text, self._p_handle, index)
                if text is not None:
                    return text
            elif cell != NO:
                return value_of(cell)
    elif type(index) is slice:
        values = _plain_slice(self, index)
        if values is not None:
            return values
    return _list_original_getitem(self, index)


def _plain_slice(items: Any, index: slice) -> list[Any] | None:
    """None if the bindings have to look."""
    bounds = plain_bounds(index)
    if bounds is None:
        return None
    try:
        values = values_by(MOST_CELLS, list_slice, items._p_handle, *bounds)
        if values is None:
            count = len(range(*slice(*bounds).indices(max(list_size(items._p_handle), 0))))
            if count > MOST_CELLS:
                return values_by(count, list_slice, items._p_handle, *bounds)
        return values
    except AttributeError:
        return _plain_slice(items, index) if bind(items) else None
    except OverflowError:
        return None


def plain_bounds(index: slice) -> tuple[int, int] | None:
    """Start and stop of a slice that goes step by step; None for any other."""
    start, stop, step = index.start, index.stop, index.step
    if step is not None and (type(step) is not int or step != 1):
        return None
    start = 0 if start is None else start
    stop = TO_THE_END if stop is None else stop
    if type(start) is not int or type(stop) is not int:
        return None
    return start, stop


def _spliced(items: Any, start: int, stop: int, values: list[Any]) -> bool:
    cells = take_cells(len(values))
    try:
        return (
            encode(values, cells)
            and list_splice(items._p_handle, start, stop, len(values), cells) != NO
        )
    except UNUSUAL:
        bind(items)
        return False
    finally:
        give_cells_back(cells)


# What is read without the user's code having a say.
_PLAIN = (list, tuple)


def list_front_setitem(self: Any, index: Any, value: Any, /) -> None:
    if type(index) is int:
        try:
            if list_set(self._p_handle, index, cell_of(value)) != NO:
                return
        except UNUSUAL:
            bind(self)
    elif type(index) is slice and type(value) in _PLAIN:
        bounds = plain_bounds(index)
        if bounds is not None and _spliced(self, *bounds, list(value)):
            return
    _list_original_setitem(self, index, value)


def list_front_append(self: Any, value: Any, /) -> None:
    try:
        if list_append(self._p_handle, cell_of(value)) != NO:
            return
    except AttributeError:
        bind(self)
    _list_original_append(self, value)


def list_front_extend(self: Any, iterable: Any, /) -> None:
    if type(iterable) in _PLAIN and _spliced(self, TO_THE_END, TO_THE_END, list(iterable)):
        return
    _list_original_extend(self, iterable)


def list_front_iadd(self: Any, other: Any, /) -> Any:
    if type(other) in _PLAIN and _spliced(self, TO_THE_END, TO_THE_END, list(other)):
        return self
    return _list_original_iadd(self, other)


def list_front_pop(self: Any, index: Any = -1, /) -> Any:
    if type(index) is int:
        try:
            cell = list_pop(self._p_handle, index)
        except UNUSUAL:
            bind(self)
        else:
            if cell != NO:
                return value_of(cell)
    return _list_original_pop(self, index)


def list_front_sort(self: Any, /, *arguments: Any, **keywords: Any) -> None:
    key, reverse = keywords.get("key"), keywords.get("reverse", False)
    known = keywords.keys() <= {"key", "reverse"}
    if arguments or not known or type(reverse) is not bool or not _sorted(self, key, reverse):
        _list_original_sort(self, *arguments, **keywords)


def _sorted(items: Any, key: Any, reverse: bool) -> bool:
    """False, and nothing has been called, if the bindings must sort."""
    size = list_front_len(items)
    before, after = take_cells(size), take_cells(size)
    try:
        values = _plain_items(items, size, before)
        if values is None or not encode(values, after):
            return False
        values.sort(key=key, reverse=reverse)
        encode(values, after)
        answer = list_replace(items._p_handle, size, before, after)
        if answer == NO:
            answer = _core.front_replace(items, size, address_of(before), address_of(after))
        if answer == ABSENT:
            raise ValueError("list modified during sort")
        return True
    finally:
        give_cells_back(before)
        give_cells_back(after)


def _plain_items(items: Any, size: int, cells: Any) -> list[Any] | None:
    """So many items, which are all, from one moment; None if C does not give them."""
    try:
        count = list_slice(items._p_handle, 0, TO_THE_END, size, cells)
    except AttributeError:
        bind(items)
        return None
    return [value_of(cells[i]) for i in range(count)] if count == size else None


def list_front_len(self: Any, /) -> int:
    try:
        size: int = list_size(self._p_handle)
    except AttributeError:
        if bind(self):
            return list_front_len(self)
    else:
        if size >= 0:
            return size
    return _list_original_len(self)


def list_front_iter(self: Any, /) -> PersistentListIterator:
    list_front_len(self)  # a closed pool is an error here, not at the first step
    iterator = object.__new__(PersistentListIterator)
    iterator._list, iterator._index, iterator._ahead = self, 0, Ahead()
    return iterator


class PersistentListIterator:
    """As the bindings', which does all but the steps."""

    __slots__ = ("_ahead", "_index", "_list")
    _list: Any  # None: at the end
    _index: int
    _ahead: Ahead

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
            cell = cell_at(items, index, self._ahead)
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
        if index >= len(items):
            self._list = None
            raise StopIteration
        try:
            value = _list_original_getitem(items, index)
        except IndexError:
            if index < len(items):  # raised by what came out of the pool
                raise
            self._list = None  # another thread has shortened it
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
