"""The user's own ``__setattr__``, where it may leave attributes outside the pool.

``object.__setattr__`` puts a name that has not been stored before into the instance's dict, which
is for volatile attributes. What stands on the class instead stores it from there.
"""

from __future__ import annotations

import functools
import types
import weakref
from typing import Any, Callable

from nvm import _core

Setter = Callable[[Any, str, Any], None]

_FUNCTIONS = (types.FunctionType, types.WrapperDescriptorType)
_made: weakref.WeakSet[Setter] = weakref.WeakSet()


def storing(setter: Setter) -> Setter:
    """Return the method with that added, or itself if it has been or is no function."""
    if type(setter) not in _FUNCTIONS or setter in _made:
        return setter

    @functools.wraps(setter)
    def store_too(self: Any, name: str, value: Any) -> None:
        setter(self, name, value)
        _core.store_strays(self)

    _made.add(store_too)
    return store_too
