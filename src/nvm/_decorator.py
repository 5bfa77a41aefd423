"""What ``@pool.transaction()`` makes of a function."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, Callable, TypeVar

if TYPE_CHECKING:
    from nvm._core import Transaction

_Result = TypeVar("_Result")


def in_transaction(
    transaction: Transaction, function: Callable[..., _Result]
) -> Callable[..., _Result]:
    """Return a function that runs each call of ``function`` in the transaction.

    Raises:
        TypeError: A coroutine function, generator function or no function: its body would run
            after the transaction has ended.
    """
    if not callable(function):
        raise TypeError(f"a function is needed, not '{type(function).__name__}'")
    if (
        inspect.iscoroutinefunction(function)
        or inspect.isgeneratorfunction(function)
        or inspect.isasyncgenfunction(function)
    ):
        raise TypeError(
            "a transaction cannot stay open while a coroutine or generator is suspended: "
            "use 'with' around what does not wait"
        )

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> _Result:
        with transaction:
            return function(*args, **kwargs)

    return run
