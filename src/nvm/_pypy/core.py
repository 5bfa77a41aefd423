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
list_size, list_append = _c["list_size"], _c["list_append"]
list_get, list_get_text, list_set = _c["list_get"], _c["list_get_text"], _c["list_set"]
list_slice = _c["list_slice"]
dict_size = _c["dict_size"]
dict_get, dict_get_text = _c["dict_get"], _c["dict_get_text"]
dict_get_at, dict_get_at_text = _c["dict_get_at"], _c["dict_get_at_text"]
dict_has, dict_has_at = _c["dict_has"], _c["dict_has_at"]
dict_set, dict_set_at = _c["dict_set"], _c["dict_set_at"]
dict_next = _c["dict_next"]
record_get, record_get_text, record_set = _c["record_get"], _c["record_get_text"], _c["record_set"]
cell_of_real, real_of_cell = _c["cell_of_real"], _c["real_of_cell"]

NO = 0
ABSENT = 6 << 48
TEXT = 7 << 48
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


# ---- Many cells

MOST_CELLS = 4096
_Cells = _cffi_backend.new_array_type(_TYPES["a"], MOST_CELLS)
_cells: list[Any] = []  # as _buffers


def values_by(function: Callable[..., int], *arguments: Any) -> list[Any] | None:
    """What the function gives many of; None if it does not."""
    try:
        cells = _cells.pop()
    except IndexError:
        cells = _cffi_backend.newp(_Cells)
    count = function(*arguments, MOST_CELLS, cells)
    values = None if count < 0 else [value_of(cells[i]) for i in range(count)]
    _cells.append(cells)
    return values


# ---- Texts that a cell refers to

_Text = _cffi_backend.new_array_type(_TYPES["s"], _MOST_TEXT)
# Not in use. Each call takes one of its own: a finalizer may read another text in between.
_buffers: list[Any] = []


def text_by(function: Callable[..., int], *arguments: Any) -> str | None:
    """What the function copies out; None if it is no such text any more."""
    try:
        buffer = _buffers.pop()
    except IndexError:
        buffer = _cffi_backend.newp(_Text)
    length = function(*arguments, buffer)
    text = None
    if length >= 0:
        text = _cffi_backend.unpack(buffer, length).decode("latin-1")
    _buffers.append(buffer)
    return text


# ---- Entries of a dict

KEYS, VALUES = 1, 2
_Entry = _cffi_backend.new_array_type(_TYPES["a"], 4)
_entries: list[Any] = []  # as _buffers


def _given(cell: int, length: int, text: Any) -> Any:
    if cell == TEXT:
        return _cffi_backend.unpack(text, length).decode("latin-1")
    return value_of(cell)


def entry_by(handle: int, cursor: int, parts: int) -> Any:
    """The next key, value or pair of both, by its parts; NO_ENTRY if C does not give it."""
    try:
        buffers = _entries.pop()
    except IndexError:
        buffers = tuple(_cffi_backend.newp(kind) for kind in (_Entry, _Text, _Text))
    entry, key, value = buffers
    found = NO_ENTRY
    if dict_next(handle, cursor, parts, entry, key, value) != NO:
        if parts == KEYS:
            found = _given(entry[0], entry[1], key)
        elif parts == VALUES:
            found = _given(entry[2], entry[3], value)
        else:
            found = _given(entry[0], entry[1], key), _given(entry[2], entry[3], value)
    _entries.append(buffers)
    return found


NO_ENTRY = object()
