"""The C interface of the core (src/core/capi/front.h), and its cells, for the front.

cffi's backend is used as it is: importing the C parser in front of it takes a second.
"""

from __future__ import annotations

from typing import Any, Callable

import _cffi_backend

from nvm import _core

_INT = _cffi_backend.new_primitive_type("int64_t")
_TYPES = {
    "i": _INT,
    "a": _cffi_backend.new_pointer_type(_INT),
    "d": _cffi_backend.new_primitive_type("double"),
    "s": _cffi_backend.new_pointer_type(_cffi_backend.new_primitive_type("char")),
}


def _c_function(signature: str, address: int) -> Callable[..., Any]:
    result, *parameters = (_TYPES[letter] for letter in signature)
    kind = _cffi_backend.new_function_type(tuple(parameters), result)
    function: Callable[..., Any] = _cffi_backend.cast(kind, address)
    return function


_c = {name: _c_function(signature, address) for name, signature, address in _core.front_functions()}
list_size, list_append, list_pop = _c["list_size"], _c["list_append"], _c["list_pop"]
list_get, list_get_text, list_set = _c["list_get"], _c["list_get_text"], _c["list_set"]
list_get_ahead = _c["list_get_ahead"]
list_slice, list_splice, list_replace = _c["list_slice"], _c["list_splice"], _c["list_replace"]
dict_size = _c["dict_size"]
dict_get, dict_get_text = _c["dict_get"], _c["dict_get_text"]
dict_get_at, dict_get_at_text = _c["dict_get_at"], _c["dict_get_at_text"]
dict_has, dict_has_at = _c["dict_has"], _c["dict_has_at"]
dict_set, dict_set_at = _c["dict_set"], _c["dict_set_at"]
dict_delete, dict_delete_at = _c["dict_delete"], _c["dict_delete_at"]
dict_update, dict_next, dict_keys = _c["dict_update"], _c["dict_next"], _c["dict_keys"]
bytes_size, bytes_get, bytes_set = _c["bytes_size"], _c["bytes_get"], _c["bytes_set"]
bytes_append, bytes_pop = _c["bytes_append"], _c["bytes_pop"]
bytes_slice, bytes_splice = _c["bytes_slice"], _c["bytes_splice"]
record_get, record_get_text, record_set = _c["record_get"], _c["record_get_text"], _c["record_set"]
cell_of_real, real_of_cell = _c["cell_of_real"], _c["real_of_cell"]

NO = 0
ABSENT = 6 << 48
TEXT = 7 << 48
_TEXT_TAG = 7
_MOST_TEXT = 1024

# ---- Cells (src/core/object/value/cell.h)

_INTEGER, _STR, _BYTES = 1, 2, 3
_TEXTS = (_STR, _BYTES)
_TAG_SHIFT, _LENGTH_SHIFT = 48, 40
_PAYLOAD = (1 << 48) - 1
_SIGN = 1 << 47
_CONSTANTS = (None, None, False, True, ...)
_TEXT_CAPACITY = 5

# Short texts that have been met: making one anew takes longer than finding it.
_texts: dict[int, str | bytes] = {}
_MOST_TEXTS = 1 << 14


def value_of(cell: int) -> Any:
    """The value that a cell tells by itself."""
    tag = cell >> _TAG_SHIFT
    if tag == _INTEGER:
        payload = cell & _PAYLOAD
        return payload - ((payload & _SIGN) << 1)
    if tag in _TEXTS:
        return _text_of(cell)
    if 0 < cell < len(_CONSTANTS):
        return _CONSTANTS[cell]
    return real_of_cell(cell)


def _text_of(cell: int) -> str | bytes:
    try:
        return _texts[cell]
    except KeyError:
        pass
    length = (cell >> _LENGTH_SHIFT) & 0xFF
    units = (cell & _PAYLOAD).to_bytes(_TEXT_CAPACITY + 1, "little")[:length]
    text = units.decode("latin-1") if cell >> _TAG_SHIFT == _STR else units
    if len(_texts) >= _MOST_TEXTS:
        _texts.clear()
    _texts[cell] = text
    return text


def cell_of(value: Any) -> int:
    """The value's cell, or NO for one that the bindings have to encode."""
    kind = type(value)
    if kind is int:
        if -_SIGN <= value < _SIGN:
            return int((_INTEGER << _TAG_SHIFT) | (value & _PAYLOAD))
        return NO
    if kind is float:
        cell: int = cell_of_real(value)
        return cell
    if value is None:
        return 1
    if kind is bool:
        return 3 if value else 2
    return NO


# ---- Buffers


class _Spare:
    """Buffers that are not in use. Each call takes one of its own, and gives it back.

    A finalizer may do the same in between.
    """

    __slots__ = ("_make", "_unused")

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._unused: list[Any] = []

    def take(self) -> Any:
        try:
            return self._unused.pop()
        except IndexError:
            return self._make()

    def give_back(self, buffer: Any) -> None:
        self._unused.append(buffer)


def _array_of(letter: str, length: int | None) -> Any:
    return _cffi_backend.new_array_type(_TYPES[letter], length)


def _maker(letter: str, length: int) -> Callable[[], Any]:
    kind = _array_of(letter, length)
    return lambda: _cffi_backend.newp(kind)


def small_int(value: Any) -> Any:
    """The same, but an int of 64 bits as PyPy makes them itself.

    What its C-API makes is slow ever after, and so is what is computed from it.
    """
    if type(value) is int and -_LIMIT <= value < _LIMIT:
        return int(_cffi_backend.cast(_INT, value))
    return value


_LIMIT = 1 << 63


def pointer(address: int) -> Any:
    """To the integers there."""
    return _cffi_backend.cast(_TYPES["a"], address)


def address_of(memory: Any) -> int:
    """The address of what cffi has allocated, or can look into."""
    return int(_cffi_backend.cast(_INT, memory))


# ---- Many cells

TO_THE_END = (1 << 63) - 1
MOST_CELLS = 4096
_cells = _Spare(_maker("a", MOST_CELLS))
INTEGERS = _array_of("a", None)


def take_cells(count: int) -> Any:
    """Room for so many of them."""
    return _cells.take() if count <= MOST_CELLS else _cffi_backend.newp(INTEGERS, count)


def give_cells_back(cells: Any) -> None:
    if len(cells) == MOST_CELLS:
        _cells.give_back(cells)


def values_by(most: int, function: Callable[..., int], *arguments: Any) -> list[Any] | None:
    """What the function gives many of; None if it does not."""
    cells = take_cells(most)
    count = function(*arguments, most, cells)
    values = None if count < 0 else [value_of(cells[i]) for i in range(count)]
    give_cells_back(cells)
    return values


def encode(values: list[Any], cells: Any) -> bool:
    """Whether all of them have cells, which are put there."""
    for place in range(len(values)):
        cell = cell_of(values[place])
        if cell == NO:
            return False
        cells[place] = cell
    return True


# ---- Texts that a cell refers to

_texts_room = _Spare(_maker("s", _MOST_TEXT))


def text_by(function: Callable[..., int], *arguments: Any) -> str | None:
    """What the function copies out; None if it is no such text any more."""
    buffer = _texts_room.take()
    length = function(*arguments, buffer)
    text = None
    if length >= 0:
        text = _cffi_backend.unpack(buffer, length).decode("latin-1")
    _texts_room.give_back(buffer)
    return text


# ---- Entries of a dict

KEYS, VALUES = 1, 2
_entry_kinds = (_array_of("a", 4), _array_of("s", _MOST_TEXT), _array_of("s", _MOST_TEXT))
_entries = _Spare(lambda: tuple(_cffi_backend.newp(kind) for kind in _entry_kinds))


def _given(cell: int, length: int, text: Any) -> Any:
    if cell == TEXT:
        return _cffi_backend.unpack(text, length).decode("latin-1")
    return value_of(cell)


def entry_by(handle: int, cursor: int, parts: int) -> Any:
    """The next key, value or pair of both, by its parts; NO_ENTRY if C does not give it."""
    buffers = _entries.take()
    entry, key, value = buffers
    found = NO_ENTRY
    if dict_next(handle, cursor, parts, entry, key, value) != NO:
        if parts == KEYS:
            found = _given(entry[0], entry[1], key)
        elif parts == VALUES:
            found = _given(entry[2], entry[3], value)
        else:
            found = _given(entry[0], entry[1], key), _given(entry[2], entry[3], value)
    _entries.give_back(buffers)
    return found


NO_ENTRY = object()

_Chars = _array_of("s", None)
_COMMON_LENGTH = 24  # of keys, for a guess


def keys_in(handle: int, size: int) -> list[Any] | None:
    """All keys of a dict or set of this size, from one moment; None if C does not give them."""
    cells = take_cells(size + 1)
    try:
        texts = _texts_room.take()
        count = dict_keys(handle, size, cells, _MOST_TEXT, texts)
        if count >= 0:
            keys = _keys_of(cells, count, texts)
            _texts_room.give_back(texts)
            return keys
        _texts_room.give_back(texts)
        room = _MOST_TEXT + _COMMON_LENGTH * size
        texts = _cffi_backend.newp(_Chars, room)
        count = dict_keys(handle, size, cells, room, texts)
        return None if count < 0 else _keys_of(cells, count, texts)
    finally:
        give_cells_back(cells)


def _keys_of(cells: Any, count: int, texts: Any) -> list[Any]:
    all_texts = _cffi_backend.unpack(texts, cells[count]).decode("latin-1")
    keys = []
    begin = 0
    for place in range(count):
        cell = cells[place]
        if cell >> _TAG_SHIFT == _TEXT_TAG:
            end = begin + (cell & _PAYLOAD)
            keys.append(all_texts[begin:end])
            begin = end
        else:
            keys.append(value_of(cell))
    return keys


# ---- Bytes

_MOST_BYTES = 4096
_bytes_room = _Spare(_maker("s", _MOST_BYTES))
_Bytes = _array_of("s", None)


def bytes_in(handle: int, start: int, stop: int) -> bytes | None:
    """A copy of a byte array's slice; None if C does not give it."""
    most = _MOST_BYTES
    room = _bytes_room.take()
    count = bytes_slice(handle, start, stop, most, room)
    if count >= 0:
        content: bytes = _cffi_backend.unpack(room, count)
        _bytes_room.give_back(room)
        return content
    _bytes_room.give_back(room)
    most = len(range(*slice(start, stop).indices(max(bytes_size(handle), 0))))
    if most <= _MOST_BYTES:
        return None
    room = _cffi_backend.newp(_Bytes, most)
    count = bytes_slice(handle, start, stop, most, room)
    return None if count < 0 else _cffi_backend.unpack(room, count)
