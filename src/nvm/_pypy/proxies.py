"""The classes that proxies are made of on PyPy, and the address of a proxy's handle.

They derive from the bindings' and hold the address in a slot, which the first call that misses it
fills. It is good as long as the proxy lives; a handle that turns stale, or whose pool is closed, is
noticed in C.
"""

from __future__ import annotations

from typing import Any, Callable

from nvm import _core
from nvm._pypy.ahead import Ahead
from nvm._pypy.core import small_int


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


def _derived(base: type, slots: str | tuple[str, ...], content: dict[str, Any]) -> Any:
    of_base = {"__slots__": slots, "__module__": base.__module__, "__doc__": base.__doc__}
    return type(base.__name__, (base,), {**of_base, **content})


PersistentList = _derived(_core.PersistentList, ("_p_handle", "_p_ahead"), _CLOSED)
PersistentDict = _derived(_core.PersistentDict, "_p_handle", _CLOSED)
PersistentDictKeys = _derived(_core.PersistentDictKeys, (), _CLOSED)
PersistentDictValues = _derived(_core.PersistentDictValues, (), _CLOSED)
PersistentDictItems = _derived(_core.PersistentDictItems, (), _CLOSED)
PersistentSet = _derived(_core.PersistentSet, "_p_handle", _CLOSED)
PersistentFrozenSet = _derived(_core.PersistentFrozenSet, "_p_handle", _CLOSED)
PersistentTuple = _derived(_core.PersistentTuple, "_p_handle", _CLOSED)
PersistentByteArray = _derived(_core.PersistentByteArray, "_p_handle", _CLOSED)
PersistentObject = _derived(_core.PersistentObject, "_p_handle", {})
# Its slot holds the place that was found last.
PersistentAttribute = _derived(_core.PersistentAttribute, "_place", {})

for _cls in (
    PersistentList,
    PersistentDict,
    PersistentDictKeys,
    PersistentDictValues,
    PersistentDictItems,
    PersistentSet,
    PersistentFrozenSet,
    PersistentTuple,
    PersistentByteArray,
    PersistentObject,
    PersistentAttribute,
):
    _core.front_use(_cls)

# The slots by their descriptors: classes of the user's may have a __getattr__ and a __setattr__.
handle_of = PersistentObject.__dict__["_p_handle"].__get__
set_place = PersistentAttribute.__dict__["_place"].__set__
_set_ahead = PersistentList.__dict__["_p_ahead"].__set__
_set_handle: dict[type, Callable[[Any, int], None]] = {
    cls: cls.__dict__["_p_handle"].__set__
    for cls in (
        PersistentList,
        PersistentDict,
        PersistentSet,
        PersistentByteArray,
        PersistentObject,
    )
}

# What the first access of a container raises, for want of the slot; and what an integer
# that C does not have raises.
UNUSUAL = (AttributeError, OverflowError)


def bind(proxy: Any) -> bool:
    """Fills the slot that holds the address of the proxy's handle, if it has one yet."""
    handle = small_int(_core.front_handle(proxy))
    if handle == 0:
        return False
    cls = type(proxy)
    _set_handle[cls if cls in _set_handle else PersistentObject](proxy, handle)
    if cls is PersistentList:
        _set_ahead(proxy, Ahead())
    return True
