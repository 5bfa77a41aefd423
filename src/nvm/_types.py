"""The persistent types: the bindings' own, or on PyPy the front's (nvm._pypy.front)."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING or sys.implementation.name != "pypy":
    from nvm._core import (
        PersistentByteArray,
        PersistentDict,
        PersistentFrozenSet,
        PersistentList,
        PersistentObject,
        PersistentSet,
        PersistentTuple,
    )
else:
    from nvm._pypy.front import (
        PersistentByteArray,
        PersistentDict,
        PersistentFrozenSet,
        PersistentList,
        PersistentObject,
        PersistentSet,
        PersistentTuple,
    )

__all__ = [
    "PersistentByteArray",
    "PersistentDict",
    "PersistentFrozenSet",
    "PersistentList",
    "PersistentObject",
    "PersistentSet",
    "PersistentTuple",
]
