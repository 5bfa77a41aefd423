"""What a call gives: for comparing ours with the built-in's."""

from __future__ import annotations

import contextlib
import re
from typing import Any, Callable

from interpreter import CPYTHON
from nvm.pmemobj import (
    PersistentByteArray,
    PersistentDict,
    PersistentFrozenSet,
    PersistentList,
    PersistentSet,
    PersistentTuple,
)

PERSISTENT = (
    PersistentList,
    PersistentDict,
    PersistentSet,
    PersistentTuple,
    PersistentFrozenSet,
    PersistentByteArray,
)
OURS = {
    "PersistentListIterator": "list_iterator",
    "PersistentList": "list",
    "PersistentDictKeys": "dict_keys",
    "PersistentDictValues": "dict_values",
    "PersistentDictItems": "dict_items",
    "PersistentDict": "dict",
    "PersistentFrozenSet": "frozenset",
    "PersistentByteArray": "bytearray",
    "PersistentSet": "set",
    "PersistentTuple": "tuple",
}


def plain(value: Any) -> Any:
    """The value with built-ins in the place of persistent containers."""
    if isinstance(value, PERSISTENT):
        return value.to_python()
    if type(value) in (list, tuple, set):
        return type(value)(plain(part) for part in value)
    if type(value) is dict:
        return {key: plain(part) for key, part in value.items()}
    return value


def in_the_built_in_s_words(message: str) -> str:
    message = message.replace("nvm.pmemobj.", "").replace("nvm._core.", "")
    for ours, theirs in OURS.items():
        message = message.replace(ours, theirs)
    return re.sub(r"0x[0-9a-f]+", "0x...", message)


def outcome(function: Callable[..., Any], *arguments: Any) -> tuple[str, Any, Any]:
    """Its result and the result's type, or its exception's type and message."""
    try:
        result = plain(function(*arguments))
    except Exception as error:
        # PyPy's built-ins have words of their own.
        message = in_the_built_in_s_words(str(error)) if CPYTHON else ""
        return "raised", type(error), message
    return "returned", type(result), result


@contextlib.contextmanager
def undone(pool: Any) -> Any:
    """Runs its block in a transaction that is then undone."""
    with contextlib.suppress(LookupError), pool.transaction():
        yield
        raise LookupError
