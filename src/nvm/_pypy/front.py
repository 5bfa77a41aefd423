"""The hot methods of the persistent types, for PyPy.

Its JIT compiles a loop over ``list[i]`` down to a C call when that goes through cffi: some ten
nanoseconds, against hundreds through an extension module. So each method of `OVERRIDES` asks the C
interface of the core first (src/core/capi/front.h). It answers the plain cases and says "no" to
all others; the method that the bindings define is called then, so that waiting, growing, errors
and every other type of key and value have one implementation.

How it works
  - The front's classes derive from the bindings' and are put in their place: the bindings make
    proxies of them from then on. They hold the address of the proxy's handle in a slot, filled by
    the first call that misses it; it is good as long as the proxy lives, and a handle that turns
    stale, or whose pool is closed, is noticed in C.
  - The proxy is needed after each call (for the case of a "no"), so that it, and with it the
    handle, outlives the call, in compiled code too.
"""

from __future__ import annotations

from typing import Any, Callable

from nvm import _core
from nvm._pypy.classes import lookup
from nvm._pypy.core import (
    ABSENT,
    NO,
    cell_of,
    dict_get_integer,
    dict_get_text,
    dict_has_integer,
    dict_has_text,
    dict_set_integer,
    dict_set_text,
    dict_size,
    list_append,
    list_get,
    list_set,
    list_size,
    record_get,
    record_set,
    value_of,
)

# ---- What the methods share


def _bind(proxy: Any) -> None:
    """Fills the slot that holds the address of the proxy's handle, if it has one yet."""
    handle = _core.front_handle(proxy)
    if handle != 0:
        cls = type(proxy)
        _set_handle[cls if cls in _set_handle else PersistentObject](proxy, handle)


# What the first access of a proxy raises, for want of the slot; and what an integer that C does
# not have raises.
_UNUSUAL = (AttributeError, OverflowError)

# ---- PersistentList

_List = _core.PersistentList
_list_original_getitem = _List.__getitem__
_list_original_setitem = _List.__setitem__
_list_original_len = _List.__len__
_list_original_iter: Callable[..., Any] = _List.__iter__
_list_original_append = _List.append


def _list_front_getitem(self: Any, index: Any, /) -> Any:
    if type(index) is int:
        try:
            cell = list_get(self._p_handle, index)
        except _UNUSUAL:
            _bind(self)
        else:
            if cell != NO:
                return value_of(cell)
    return _list_original_getitem(self, index)


def _list_front_setitem(self: Any, index: Any, value: Any, /) -> None:
    if type(index) is int:
        try:
            if list_set(self._p_handle, index, cell_of(value)) != NO:
                return
        except _UNUSUAL:
            _bind(self)
    _list_original_setitem(self, index, value)


def _list_front_append(self: Any, value: Any, /) -> None:
    try:
        if list_append(self._p_handle, cell_of(value)) != NO:
            return
    except AttributeError:
        _bind(self)
    _list_original_append(self, value)


def _list_front_len(self: Any, /) -> int:
    try:
        size: int = list_size(self._p_handle)
    except AttributeError:
        _bind(self)
    else:
        if size >= 0:
            return size
    return _list_original_len(self)


def _list_front_iter(self: Any, /) -> PersistentListIterator:
    _list_front_len(self)  # a closed pool is an error here, not at the first step
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
            _bind(items)
            cell = NO
        if cell != NO:
            self._index = index + 1
            return value_of(cell)
        return self._slow_next(items, index)

    def _slow_next(self, items: Any, index: int) -> Any:
        if index >= len(items):
            self._list = None
            raise StopIteration
        value = _list_original_getitem(items, index)
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

# ---- PersistentDict

_Dict = _core.PersistentDict
_dict_original_getitem = _Dict.__getitem__
_dict_original_setitem = _Dict.__setitem__
_dict_original_contains = _Dict.__contains__
_dict_original_len = _Dict.__len__
_dict_original_get = _Dict.get


def _dict_front_getitem(self: Any, key: Any, /) -> Any:
    kind = type(key)
    try:
        if kind is str and key.isascii():
            cell = dict_get_text(self._p_handle, key.encode(), len(key))
        elif kind is int:
            cell = dict_get_integer(self._p_handle, key)
        else:
            return _dict_original_getitem(self, key)
    except _UNUSUAL:
        _bind(self)
    else:
        if cell != NO and cell != ABSENT:
            return value_of(cell)
    return _dict_original_getitem(self, key)


def _dict_front_get(self: Any, key: Any, default: Any = None, /) -> Any:
    kind = type(key)
    try:
        if kind is str and key.isascii():
            cell = dict_get_text(self._p_handle, key.encode(), len(key))
        elif kind is int:
            cell = dict_get_integer(self._p_handle, key)
        else:
            return _dict_original_get(self, key, default)
    except _UNUSUAL:
        _bind(self)
    else:
        if cell == ABSENT:
            return default
        if cell != NO:
            return value_of(cell)
    return _dict_original_get(self, key, default)


def _dict_front_contains(self: Any, key: Any, /) -> bool:
    kind = type(key)
    try:
        if kind is str and key.isascii():
            answer = dict_has_text(self._p_handle, key.encode(), len(key))
        elif kind is int:
            answer = dict_has_integer(self._p_handle, key)
        else:
            return _dict_original_contains(self, key)
    except _UNUSUAL:
        _bind(self)
    else:
        if answer != NO:
            return bool(answer != ABSENT)
    return _dict_original_contains(self, key)


def _dict_front_setitem(self: Any, key: Any, value: Any, /) -> None:
    kind = type(key)
    try:
        if kind is str and key.isascii():
            if dict_set_text(self._p_handle, key.encode(), len(key), cell_of(value)) != NO:
                return
        elif kind is int and dict_set_integer(self._p_handle, key, cell_of(value)) != NO:
            return
    except _UNUSUAL:
        _bind(self)
    _dict_original_setitem(self, key, value)


def _dict_front_len(self: Any, /) -> int:
    try:
        size: int = dict_size(self._p_handle)
    except AttributeError:
        _bind(self)
    else:
        if size >= 0:
            return size
    return _dict_original_len(self)


# ---- Attributes of a PersistentObject

_Attribute = _core.PersistentAttribute
_attribute_original_get = _Attribute.__get__
_attribute_original_set = _Attribute.__set__


# The slots are read by their descriptors: classes of the user's may have a __getattr__.


def _attribute_front_get(self: Any, instance: Any, owner: Any = None, /) -> Any:
    try:
        epoch, place = self._place
        cell = record_get(_handle_of(instance), epoch, place)
    except _NOT_BOUND:
        return _first_get(self, instance, owner)
    if cell == NO:
        return _attribute_original_get(self, instance, owner)
    if cell == ABSENT:
        return _learning_get(self, instance, owner)
    return value_of(cell)


# What the first use of an attribute raises, or of an instance, and the class in the place of one.
_NOT_BOUND = (AttributeError, TypeError)


def _first_get(attribute: Any, instance: Any, owner: Any) -> Any:
    if isinstance(instance, _core.PersistentObject):
        _bind(instance)
        return _learning_get(attribute, instance, owner)
    return _attribute_original_get(attribute, instance, owner)


def _learning_get(attribute: Any, instance: Any, owner: Any) -> Any:
    value = _attribute_original_get(attribute, instance, owner)
    place = _core.front_place(attribute)
    if place is not None:
        # One pair, so that no other thread meets half of it.
        _set_place(attribute, place)
    return value


def _attribute_front_set(self: Any, instance: Any, value: Any, /) -> None:
    try:
        epoch, place = self._place
        done = record_set(_handle_of(instance), epoch, place, cell_of(value))
    except _NOT_BOUND:
        done = NO  # reading fills the slots
    if done != NO:
        return
    _attribute_original_set(self, instance, value)


# The attributes of each class by name, as far as they have been stored. The interpreter would find
# them itself, but that a name without one must not get into the instance's dict.
_attributes: dict[type, dict[str, Any]] = {}
_object_original_setattr: Callable[..., None] = _core.PersistentObject.__setattr__


def _object_front_setattr(self: Any, name: str, value: Any, /) -> None:
    try:
        attribute = _attributes[type(self)][name]
    except (KeyError, TypeError):
        _learning_setattr(self, name, value)
    else:
        _attribute_front_set(attribute, self, value)


def _learning_setattr(self: Any, name: str, value: Any) -> None:
    _object_original_setattr(self, name, value)
    cls = type(self)
    attribute = lookup(cls, name)
    if attribute and type(attribute[0]) is PersistentAttribute:
        _attributes.setdefault(cls, {})[name] = attribute[0]


# ---- The classes

Overrides = dict[type, dict[str, Callable[..., Any]]]

# All that is overridden.
OVERRIDES: Overrides = {
    _List: {
        "__getitem__": _list_front_getitem,
        "__setitem__": _list_front_setitem,
        "__len__": _list_front_len,
        "__iter__": _list_front_iter,
        "append": _list_front_append,
    },
    _Dict: {
        "__getitem__": _dict_front_getitem,
        "__setitem__": _dict_front_setitem,
        "__contains__": _dict_front_contains,
        "__len__": _dict_front_len,
        "get": _dict_front_get,
    },
    _core.PersistentObject: {"__setattr__": _object_front_setattr},
    _Attribute: {"__get__": _attribute_front_get, "__set__": _attribute_front_set},
}


def _no_subclass(cls: Any, /, **_keywords: Any) -> None:
    base = cls.__mro__[1]
    raise TypeError(f"type '{base.__module__}.{base.__name__}' is not an acceptable base type")


def _no_attribute(self: Any, name: str, _value: Any = None, /) -> None:
    if hasattr(type(self), name):
        raise AttributeError(f"'{type(self).__name__}' object attribute '{name}' is read-only")
    raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")


# PyPy lets a class of C be derived from, and gives its instances a dict, whatever the class says.
_CLOSED: dict[str, Any] = {
    "__init_subclass__": classmethod(_no_subclass),
    "__setattr__": _no_attribute,
    "__delattr__": _no_attribute,
}


def _front_of(base: type, slot: str, further: dict[str, Any]) -> Any:
    methods = OVERRIDES.get(base, {})
    for name, method in methods.items():
        original = getattr(base, name)
        method.__name__ = name
        method.__qualname__ = f"{base.__name__}.{name}"
        method.__doc__ = original.__doc__
    namespace = {"__slots__": (slot,), "__module__": base.__module__, "__doc__": base.__doc__}
    return type(base.__name__, (base,), {**namespace, **methods, **further})


PersistentList = _front_of(_List, "_p_handle", _CLOSED)
PersistentDict = _front_of(_Dict, "_p_handle", _CLOSED)
PersistentSet = _front_of(_core.PersistentSet, "_p_handle", _CLOSED)
PersistentFrozenSet = _front_of(_core.PersistentFrozenSet, "_p_handle", _CLOSED)
PersistentTuple = _front_of(_core.PersistentTuple, "_p_handle", _CLOSED)
PersistentByteArray = _front_of(_core.PersistentByteArray, "_p_handle", _CLOSED)
PersistentObject = _front_of(_core.PersistentObject, "_p_handle", {})
PersistentAttribute = _front_of(_Attribute, "_place", {})

for _cls in (
    PersistentList,
    PersistentDict,
    PersistentSet,
    PersistentFrozenSet,
    PersistentTuple,
    PersistentByteArray,
    PersistentObject,
    PersistentAttribute,
):
    _core.front_use(_cls)

_set_place = PersistentAttribute.__dict__["_place"].__set__
_handle_of = PersistentObject.__dict__["_p_handle"].__get__
# The setters of the slot, past the classes' own __setattr__.
_set_handle = {
    cls: cls.__dict__["_p_handle"].__set__
    for cls in (PersistentList, PersistentDict, PersistentObject)
}
