"""The persistent types: the bindings' own, or on PyPy the front's (nvm._pypy.front)."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING or sys.implementation.name != "pypy":
    from nvm._core import PersistentDict, PersistentList, PersistentObject, PersistentSet
else:
    from nvm._pypy.front import PersistentDict, PersistentList, PersistentObject, PersistentSet

__all__ = ["PersistentDict", "PersistentList", "PersistentObject", "PersistentSet"]
