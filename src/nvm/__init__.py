"""Persistent memory for Python: objects that live in a mapped file and survive a crash."""

from nvm import pmemobj
from nvm._core import libraries, open
from nvm._errors import (
    ClassNotFoundError,
    Error,
    LayoutError,
    PoolClosedError,
    PoolCorruptError,
    PoolForkedError,
    PoolFullError,
    PoolLockedError,
    ReadOnlyError,
    StaleObjectError,
    TransactionError,
    TransactionTimeoutError,
    UnreadableValueError,
)
from nvm._immutable import class_alias, register_type
from nvm._version import __version__

__all__ = [
    "ClassNotFoundError",
    "Error",
    "LayoutError",
    "PoolClosedError",
    "PoolCorruptError",
    "PoolForkedError",
    "PoolFullError",
    "PoolLockedError",
    "ReadOnlyError",
    "StaleObjectError",
    "TransactionError",
    "TransactionTimeoutError",
    "UnreadableValueError",
    "__version__",
    "class_alias",
    "libraries",
    "open",
    "pmemobj",
    "register_type",
]
