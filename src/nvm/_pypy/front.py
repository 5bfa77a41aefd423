"""The hot methods of the persistent types, for PyPy.

Its JIT compiles a loop over ``list[i]`` down to a C call when that goes through cffi: some ten
nanoseconds, against hundreds through an extension module. So each method of `OVERRIDES` asks the C
interface of the core first (src/core/capi/front.h). It answers the plain cases and says "no" to
all others; the method that the bindings define is called then, so that waiting, growing, errors
and every other type of key and value have one implementation.

The proxy is needed after each call (for the case of a "no"), so that it, and with it the handle
whose address is passed, outlives the call, in compiled code too.
"""

from __future__ import annotations

from typing import Any, Callable

from nvm._pypy import arrays, dicts, lists, objects
from nvm._pypy.proxies import (
    PersistentAttribute,
    PersistentByteArray,
    PersistentDict,
    PersistentDictItems,
    PersistentDictKeys,
    PersistentDictValues,
    PersistentFrozenSet,
    PersistentList,
    PersistentObject,
    PersistentSet,
    PersistentTuple,
)

__all__ = [
    "OVERRIDES",
    "PersistentByteArray",
    "PersistentDict",
    "PersistentFrozenSet",
    "PersistentList",
    "PersistentObject",
    "PersistentSet",
    "PersistentTuple",
]

Overrides = dict[type, dict[str, Callable[..., Any]]]

# All that is overridden.
OVERRIDES: Overrides = {
    PersistentList: {
        "__getitem__": lists.list_front_getitem,
        "__setitem__": lists.list_front_setitem,
        "__len__": lists.list_front_len,
        "__iter__": lists.list_front_iter,
        "__iadd__": lists.list_front_iadd,
        "append": lists.list_front_append,
        "extend": lists.list_front_extend,
        "pop": lists.list_front_pop,
        "sort": lists.list_front_sort,
    },
    PersistentDict: {
        "__getitem__": dicts.dict_front_getitem,
        "__setitem__": dicts.dict_front_setitem,
        "__delitem__": dicts.dict_front_delitem,
        "__contains__": dicts.dict_front_contains,
        "__iter__": dicts.dict_front_iter,
        "__len__": dicts.dict_front_len,
        "get": dicts.dict_front_get,
        "update": dicts.dict_front_update,
    },
    PersistentDictKeys: {"__iter__": dicts.keys_front_iter},
    PersistentDictValues: {"__iter__": dicts.values_front_iter},
    PersistentDictItems: {"__iter__": dicts.items_front_iter},
    PersistentSet: {
        "__contains__": dicts.set_front_contains,
        "__iter__": dicts.set_front_iter,
        "__len__": dicts.set_front_len,
        "add": dicts.set_front_add,
        "discard": dicts.set_front_discard,
        "update": dicts.set_front_update,
        **dicts.SET_OPERATORS,
    },
    PersistentByteArray: {
        "__getitem__": arrays.array_front_getitem,
        "__setitem__": arrays.array_front_setitem,
        "__contains__": arrays.array_front_contains,
        "__len__": arrays.array_front_len,
        "__add__": arrays.array_front_add,
        "__iadd__": arrays.array_front_iadd,
        "append": arrays.array_front_append,
        "extend": arrays.array_front_extend,
        "pop": arrays.array_front_pop,
        **arrays.READING_METHODS,
    },
    PersistentObject: {"__setattr__": objects.object_front_setattr},
    PersistentAttribute: {
        "__get__": objects.attribute_front_get,
        "__set__": objects.attribute_front_set,
    },
}


def _override(cls: type, methods: dict[str, Callable[..., Any]]) -> None:
    for name, method in methods.items():
        method.__name__ = name
        method.__qualname__ = f"{cls.__name__}.{name}"
        method.__doc__ = getattr(cls, name).__doc__
        setattr(cls, name, method)


for _cls, _methods in OVERRIDES.items():
    _override(_cls, _methods)
PersistentByteArray.__buffer__ = arrays.array_buffer
PersistentByteArray.__bytes__ = arrays.array_bytes
