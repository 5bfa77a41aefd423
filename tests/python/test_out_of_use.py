"""What a pool gave is out of use once it is closed, and in a forked child: all of it, as found."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import pytest

import nvm
from nvm import _core
from test_fork import in_child
from things import ARGUMENTS, answers, more_arguments, names_of, things_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from nvm.pmemobj import PersistentObjectPool

    Pool = PersistentObjectPool

# What may be used all the same, and why. Of any thing:
OF_ANY = {
    **dict.fromkeys(["__repr__", "__str__"], "say that the pool is closed, or raise"),
    **dict.fromkeys(["__new__", "__init__", "__del__"], "Python calls them at begin and end"),
    **dict.fromkeys(["__module__", "__doc__", "__annotations__", "__parameters__"], "the type's"),
    **dict.fromkeys(["__orig_bases__", "__abstractmethods__", "__slots__"], "the type's"),
    **dict.fromkeys(["__weaklistoffset__", "__dictoffset__", "__class__"], "the type's"),
    **dict.fromkeys(["__firstlineno__", "__static_attributes__"], "the type's"),
    "__release_buffer__": "takes back what __buffer__ gave, and nothing else",
    **dict.fromkeys(["__class_getitem__", "__init_subclass__"], "knows no instance"),
    **dict.fromkeys(["fromkeys", "fromhex", "maketrans"], "knows no instance"),
    "__hash__": "identity, or None for what cannot be hashed",
    "__getattribute__": "finds methods; all here goes through it",
    "__dict__": "of a class in Python; or a view, which is among the things",
    "__weakref__": "Python's own",
    "_p_handle": "what PyPy's front asks the core with, which says no",
    "_p_ahead": "what PyPy's front has read ahead, and gives no more",
    "_p_pool": "the pool, which is among the things",
    "_p_mm": "the manager, which is among the things",
    "_v__init__": "the user's; does nothing here",
}
ORDER = ["__lt__", "__le__", "__gt__", "__ge__"]
COPYING = ["__reduce__", "__reduce_ex__"]
AN_ITERATOR = {
    "__iter__": "an iterator is its own",
    **dict.fromkeys([*COPYING, "__setstate__"], "names the sequence and an index"),
}
# The elements of what never changes have been copied out.
A_COPY = {**AN_ITERATOR, **dict.fromkeys(["__next__", "__length_hint__"], "are copies already")}
VIEWS = ["pool's keys", "pool's values", "pool's items", "keys", "values", "items"]
HARMLESS: dict[str, dict[str, str]] = {
    "pool": {
        **dict.fromkeys(["__bool__", "__eq__", "__ne__"], "a pool is true, and equal to itself"),
        **dict.fromkeys(["close", "__exit__"], "twice is fine"),
        **dict.fromkeys(["closed", "filename", "flag", "debug"], "as it was opened"),
        **dict.fromkeys(COPYING, "refused always"),
    },
    "transaction": {
        "pool": "the pool, which is among the things",
        "__call__": "decorates: the call raises",
        "__exit__": "ends a block that the close has ended",
    },
    "reading": {"__exit__": "ends a block that the close has ended"},
    "manager": {"pool": "the pool, which is among the things"},
    "dict": dict.fromkeys(ORDER, "a dict has none"),
    "object": dict.fromkeys(COPYING, "refused always"),
    "attributes": dict.fromkeys(["__setitem__", "__delitem__"], "refused always"),
    "attribute": {"__get__": "without an instance: itself", "__name__": "a text"},
    "list's method": {
        **dict.fromkeys([*ORDER, *COPYING, "__eq__", "__ne__"], "Python's own"),
        **dict.fromkeys(["__name__", "__qualname__", "__self__", "__objclass__"], "Python's own"),
        **dict.fromkeys(["__text_signature__", "__func__", "__code__"], "Python's own"),
        "__get__": "Python's own",
    },
    **{view: {"mapping": "the dict, which is among the things"} for view in VIEWS},
    **{
        f"{kind} iterator": AN_ITERATOR
        for kind in (
            *("pool's", "list's", "list's reverse", "keys'", "values'", "items' reverse"),
            *("set's", "bytearray's"),
        )
    },
    "set's iterator of the bindings": AN_ITERATOR,
    "frozenset's iterator": A_COPY,
    "tuple's iterator": A_COPY,
}


def usable(
    things: dict[str, Any], arguments: list[tuple[Any, ...]], refusal: type[Exception]
) -> list[str]:
    """What does not answer with the refusal: "thing.name: answers"."""
    found = []
    for kind, thing in things.items():
        for name in names_of(thing):
            if name in ("__class__", "__new__", "__init__"):  # they make another thing, or this
                continue
            given = list(answers(thing, name, [*ARGUMENTS, *arguments, (thing,)]))
            of_object = kind != "object" and name in ("__setattr__", "__delattr__")
            if name in OF_ANY or name in HARMLESS.get(kind, {}) or of_object:
                continue
            refused = any(isinstance(answer, refusal) for answer in given)
            others = {
                type(answer).__name__
                for answer in given
                if not isinstance(answer, (refusal, TypeError, ValueError, KeyError))
            }
            if others or not refused:
                found.append(f"{kind}.{name}: {sorted(others) or 'not refused'}")
    return found


def test_every_type_is_among_the_things(pool: Pool) -> None:
    types = {cls for thing in things_of(pool).values() for cls in type(thing).__mro__}
    left = {
        name
        for name, value in vars(_core).items()
        if isinstance(value, type) and not issubclass(value, BaseException) and value not in types
    }
    # Of a buffer, which keeps the mapping in place; of what keeps a block, and has no methods.
    assert left == {"MemoryBlock", "Pin"}


def test_nothing_can_be_used_after_close(pool: Pool, open_pool: Callable[..., Pool]) -> None:
    things = things_of(pool)
    arguments = more_arguments(pool)
    pool.close()
    assert usable(things, arguments, nvm.PoolClosedError) == []
    again = open_pool("w")
    # Python's own iterator of a sequence ends with the first exception on PyPy.
    things = {kind: thing for kind, thing in things.items() if "iterator" not in kind}
    assert usable(things, arguments, nvm.PoolClosedError) == []
    assert (again["list"], again["dict"], again.root.a) == ([1, 2, 3], {"a": 1, "b": 2}, 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("where", ["outside", "in a transaction", "while reading"])
def test_nothing_can_be_used_in_a_forked_child(pool: Pool, where: str) -> None:
    things = things_of(pool)
    arguments = more_arguments(pool)
    block: Any = {
        "outside": contextlib.nullcontext(),
        "in a transaction": pool.transaction(),
        "while reading": pool.reading(),
    }[where]

    def use() -> None:
        found = usable(things, arguments, nvm.PoolForkedError)
        # A child has its parent's transaction no more than its pool.
        assert found == [], found

    with block:
        assert in_child(use) == 0
    assert (pool["list"], pool["dict"], pool.root.a) == ([1, 2, 3], {"a": 1, "b": 2}, 1)
    things.clear()
    arguments.clear()
