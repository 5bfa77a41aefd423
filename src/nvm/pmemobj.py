"""Persistent Python objects in a pool file, through libpmemobj."""

from nvm._core import (
    MIN_POOL_SIZE,
    PersistentObjectPool,
    Reading,
    Transaction,
)
from nvm._core import pmemobj_create as create
from nvm._core import pmemobj_open as open
from nvm._memory import OID_NULL, MemoryManager, Oid
from nvm._types import (
    PersistentByteArray,
    PersistentDict,
    PersistentFrozenSet,
    PersistentList,
    PersistentObject,
    PersistentSet,
    PersistentTuple,
)

__all__ = [
    "MIN_POOL_SIZE",
    "OID_NULL",
    "MemoryManager",
    "Oid",
    "PersistentByteArray",
    "PersistentDict",
    "PersistentFrozenSet",
    "PersistentList",
    "PersistentObject",
    "PersistentObjectPool",
    "PersistentSet",
    "PersistentTuple",
    "Reading",
    "Transaction",
    "create",
    "open",
]
