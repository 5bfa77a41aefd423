"""How values of a class are taken apart for a pool, and made again."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

# The forms, as in src/core/object/boxed/boxed.h; a named tuple is stored as a tuple.
NAMED_TUPLE = 0
STANDARD = 1
ENUMERATION = 2
DATACLASS = 3
REGISTERED = 4
PICKLED = 5


class Converter(NamedTuple):
    """How values of a class are stored.

    Attributes:
        form: One of the numbers above.
        to_state: What is stored of a value: any value that can be stored.
        key: Of a value and its class's name in the pool, what it is equal by. A tuple, whose first
            element says what equality it is: the value is equal to those with an equal key. Any
            other key, a number, str or bytes: the value is equal to that. None: it cannot be a
            key.
        from_state: Makes a value again, of its class and its state.
        name: The class's name in pools; empty: its module and qualified name.
    """

    form: int
    to_state: Callable[[Any], object]
    key: Callable[[Any, str], object]
    from_state: Callable[[Any, Any], object]
    name: str = ""


def no_key(value: object, name: str) -> None:
    """For values that cannot be keys."""


def name_of(cls: type) -> str:
    """Return the name by which a pool knows a class."""
    return f"{cls.__module__}:{cls.__qualname__}"


def same_equality(cls: type, base: type) -> bool:
    """Whether instances of ``cls`` compare and hash as those of ``base``."""
    return cls.__eq__ is base.__eq__ and cls.__hash__ is base.__hash__
