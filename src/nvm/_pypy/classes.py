"""Lookups on classes, for the bindings.

PyPy's C-API crashes when it hands out one of the interpreter's own getset descriptors (such as
``__dict__``). Here they are looked up in Python, and such a descriptor is replaced by a property
that does the same.
"""

from __future__ import annotations

from types import GetSetDescriptorType
from typing import Any

_mro_of = type.__dict__["__mro__"].__get__
_dict_of = type.__dict__["__dict__"].__get__


def own_value(cls: type, name: str) -> tuple[Any, ...]:
    """What is under the name in the class's own dict: a tuple of one or no item."""
    try:
        return (_presentable(_dict_of(cls)[name]),)
    except KeyError:
        return ()


def lookup(cls: type, name: str) -> tuple[Any, ...]:
    """What a lookup on the class finds: a tuple of one or no item."""
    for base in _mro_of(cls):
        found = own_value(base, name)
        if found:
            return found
    return ()


def is_data_descriptor(class_attribute: Any) -> bool:
    """Whether it has a say when its name is assigned on an instance."""
    cls = type(class_attribute)
    return bool(lookup(cls, "__set__") or lookup(cls, "__delete__"))


def put_on_class(cls: type, name: str, value: Any) -> None:
    """Assign to an attribute of the class, whatever its metaclass would do."""
    type.__setattr__(cls, name, value)


def inherits_comparison(cls: type, base: type) -> bool:
    """Whether the class compares and hashes as its base does."""
    return all(
        lookup(cls, name)[0] is lookup(base, name)[0] for name in ("__eq__", "__ne__", "__hash__")
    )


def _presentable(value: Any) -> Any:
    if type(value) is GetSetDescriptorType:
        return property(value.__get__, value.__set__, value.__delete__)
    return value
