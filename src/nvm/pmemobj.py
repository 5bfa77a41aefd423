"""Persistent Python objects in a pool file, through libpmemobj."""

from nvm._core import (
    MIN_POOL_SIZE,
    PersistentObjectPool,
    Reading,
    Transaction,
)
from nvm._core import pmemobj_create as create
from nvm._core import pmemobj_open as open
from nvm._types import PersistentDict, PersistentList, PersistentObject, PersistentSet

__all__ = [
    "MIN_POOL_SIZE",
    "PersistentDict",
    "PersistentList",
    "PersistentObject",
    "PersistentObjectPool",
    "PersistentSet",
    "Reading",
    "Transaction",
    "create",
    "open",
]
