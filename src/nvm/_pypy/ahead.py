"""Items of a list that are read before they are asked for.

A call of C takes longer than all else that reading an item does. So where items are read one after
the other, a call copies those that follow, too. They are given as long as a call would give the
same at once: the pool is open, and nothing has been changed and no transaction begun since. Two
loads tell that. (A file that was cut short since is found out by the next call.)
"""

from __future__ import annotations

from typing import Any

import _cffi_backend

from nvm._pypy.core import INTEGERS, list_get, list_get_ahead, pointer

# What C fills: the cells are behind these (Ahead in src/core/capi/front.h).
_COUNT, _WORDS, _TIMES_LOCKED, _STATE, _HEAD = range(5)

# A loop that is left early has not read many in vain.
_FEWEST, _MOST = 4, 64
# How many items in a row are read one by one before others are read ahead with them: where the pool
# changes from item to item, or nothing could be read ahead; and where they are read in no order.
_AFTER_CHANGES, _IN_NO_ORDER = 64, 2


class Window:
    """Items from `begin` up to `end`, as they were at one moment. It never changes.

    Threads may share it with the proxy that it belongs to, which keeps the pool's words in place.
    """

    __slots__ = ("begin", "cells", "end", "shift", "state", "times_locked", "words")

    def __init__(self, begin: int, cells: Any) -> None:
        self.begin, self.end = begin, begin + cells[_COUNT]
        self.cells, self.shift = cells, begin - _HEAD
        self.words, self.state = pointer(cells[_WORDS]), cells[_STATE]
        self.times_locked = cells[_TIMES_LOCKED]

    def stands(self) -> bool:
        """REQUIRES: it is not empty."""
        words = self.words
        unchanged: bool = words[0] == self.times_locked
        return unchanged and words[self.state] == 0


_EMPTY = Window(1 << 62, _cffi_backend.newp(INTEGERS, _HEAD))  # no list is so long


class Ahead:
    """What has been read ahead for one who reads items.

    Threads that share it may spoil each other's guesses; what they are given is right.
    """

    __slots__ = ("next", "patience", "window")

    def __init__(self) -> None:
        self.window = _EMPTY
        self.next = 0  # the index after that of the item which was read last by itself
        self.patience = _IN_NO_ORDER  # how many more of those before items are read ahead


def cell_at(items: Any, index: int, ahead: Ahead) -> int:
    """The item's cell, as list_get gives it."""
    window = ahead.window
    if window.begin <= index < window.end and window.stands():
        cell: int = window.cells[index - window.shift]
    else:
        cell = _cell_by_a_call(items, index, ahead)
    return cell


def _cell_by_a_call(items: Any, index: int, ahead: Ahead) -> Any:
    window = ahead.window
    if index == window.end:
        return _read_ahead(items, index, ahead, min(4 * (index - window.begin), _MOST))
    if window.begin <= index < window.end:  # it does not stand
        ahead.window = _EMPTY
        ahead.patience = _AFTER_CHANGES
    elif index == ahead.next:
        if ahead.patience <= 0:
            return _read_ahead(items, index, ahead, _FEWEST)
        ahead.patience -= 1
    elif index != ahead.next - 1:  # nor the last one again
        ahead.patience = _IN_NO_ORDER
    ahead.next = index + 1
    return list_get(items._p_handle, index)


def _read_ahead(items: Any, index: int, ahead: Ahead, most: int) -> int:
    cells = _cffi_backend.newp(INTEGERS, _HEAD + most)
    cell: int = list_get_ahead(items._p_handle, index, most, cells)
    if cells[_COUNT] != 0:
        ahead.window = Window(index, cells)
    else:
        ahead.window = _EMPTY
        ahead.patience = _AFTER_CHANGES
    ahead.next = index + 1
    return cell
