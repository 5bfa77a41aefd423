"""Writable views of a pool's bytes, for PyPy.

PyPy tells an exporter neither that a view is released nor that it is gone, and what `re` and
`struct.iter_unpack` make of a view keeps its memory only, not the view. Both keep the memory of an
`mmap` mapped, though. So a view is one of a `_Room`, an mmap that the bytes are shown in
(heap/exports.h):

- As long as a view lives, it keeps its room. A weak reference tells when that is gone: the export
  ends then. Who is in need of that at once (a byte array is to be resized) has the collector look.
- The memory stays mapped as long as anything refers to it, be it only a match; it holds what was
  there when the export ended. The keeper, which refers to nothing else, keeps it until then: the
  core must not find others' memory there.
"""

from __future__ import annotations

import gc
import mmap
import struct
import weakref
from functools import partial
from typing import Any, Callable, NamedTuple, NoReturn

import _cffi_backend

from nvm import _core
from nvm._pypy.core import address_of

_FLAGS = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000  # MAP_NORESERVE
_ACCESS = mmap.PROT_READ | mmap.PROT_WRITE


def _refuse(*_arguments: Any) -> NoReturn:
    raise BufferError("cannot close exported pointers exist")


class _Room(mmap.mmap):
    close = resize = __exit__ = _refuse


class _Shown(NamedTuple):
    room: weakref.ref[_Room]
    keeper: Any
    exporter: Any


_shown: dict[int, _Shown] = {}  # by the addresses of the rooms

_keeper_of: Callable[[Any], Any] = struct.Struct("B").iter_unpack
_CHARS = _cffi_backend.new_array_type(
    _cffi_backend.new_pointer_type(_cffi_backend.new_primitive_type("char")), None
)


def view_of(exporter: Any) -> memoryview:
    """A view of all bytes of a byte array or block, writable if the pool is."""
    _make_way()
    needed = mmap.PAGESIZE
    while True:
        room = _Room(-1, needed, flags=_FLAGS, prot=_ACCESS)
        address = address_of(_cffi_backend.from_buffer(_CHARS, room))
        reference = weakref.ref(room, partial(_end, address))
        _shown[address] = _Shown(reference, _keeper_of(room), exporter)
        try:
            opened = _core.front_open_view(exporter, address, needed)
            if not isinstance(opened, int):
                begin, size, read_only = opened
                view = memoryview(room)[begin : begin + size]
                return view.toreadonly() if read_only else view
        except BaseException:
            _end(address, reference)
            raise
        _end(address, reference)
        needed = opened


def _end(address: int, reference: weakref.ref[_Room]) -> None:
    shown = _shown.get(address)
    if shown is not None and shown.room is reference:
        _core.front_end_view(shown.exporter, address)
        _shown.pop(address, None)


# ---- Views that are dead

# Each takes a file descriptor as long as the export lasts, and address space, of which the system
# gives a process some 65,000 pieces, until the collector has met it. So it has to look after so
# many that there are, and after so many that have been made.
_SOME, _MANY = 256, 4096
_most = _SOME
_made = 0


def end_dead_views() -> bool:
    """End the exports whose views are gone. False if there are none."""
    return _ended_by(gc.collect_step) or _ended_by(gc.collect)  # type: ignore[attr-defined]


def _ended_by(collect: Callable[[], Any]) -> bool:
    before = list(_shown)
    collect()
    for address, shown in list(_shown.items()):
        if shown.room() is None:
            _end(address, shown.room)
    return any(address not in _shown for address in before)


def _make_way() -> None:
    global _made, _most
    _made += 1
    if len(_shown) >= _most:
        _ended_by(gc.collect_step)  # type: ignore[attr-defined]
        if len(_shown) >= _most // 2:
            _ended_by(gc.collect)
        _most = max(_SOME, 2 * len(_shown))
    elif _made % _MANY == 0:
        _ended_by(gc.collect)


_core.front_use_views(end_dead_views)
_core.MemoryBlock.__buffer__ = lambda self, _flags: view_of(self)  # type: ignore[attr-defined]
