"""One of each thing that a pool gives, and everything that can be done with a thing."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Callable

from nvm import _core
from nvm.pmemobj import (
    PersistentByteArray,
    PersistentFrozenSet,
    PersistentObject,
    PersistentSet,
    PersistentTuple,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nvm.pmemobj import PersistentObjectPool


class Thing(PersistentObject):
    def __init__(self) -> None:
        self.a = 1


def things_of(pool: PersistentObjectPool) -> dict[str, Any]:
    """Each kind of object that belongs to a pool, by a name."""
    pool["list"], pool["dict"] = [1, 2, 3], {"a": 1, "b": 2}
    pool.root = pool.new(Thing)
    items, content, thing = pool["list"], pool["dict"], pool.root
    elements = pool.new(PersistentSet, [1, 2])
    frozen = pool.new(PersistentFrozenSet, [1, 2])
    row = pool.new(PersistentTuple, [1, 2])
    data = pool.new(PersistentByteArray, b"abc")
    return {
        "pool": pool,
        "pool's iterator": iter(pool),
        "pool's keys": pool.keys(),
        "pool's values": pool.values(),
        "pool's items": pool.items(),
        "transaction": pool.transaction(),
        "reading": pool.reading(),
        "list": items,
        "list's iterator": iter(items),
        "list's reverse iterator": reversed(items),
        "list's method": items.__len__,
        "dict": content,
        "keys": content.keys(),
        "values": content.values(),
        "items": content.items(),
        "keys' iterator": iter(content),
        "values' iterator": iter(content.values()),
        "items' reverse iterator": reversed(content.items()),
        "set": elements,
        "set's iterator": iter(elements),
        "set's iterator of the bindings": _core.PersistentSet.__iter__(elements),
        "frozenset": frozen,
        "frozenset's iterator": iter(frozen),
        "tuple": row,
        "tuple's iterator": iter(row),
        "bytearray": data,
        "bytearray's iterator": iter(data),
        "object": thing,
        "attribute": vars(Thing)["a"],
        "attributes": vars(thing),
        "manager": pool._p_mm,
    }


# What a method of a container could take.
ARGUMENTS: list[tuple[Any, ...]] = [
    *((), (1,), ("a",), (b"a",), ([1],), ({1},), ({"a": 1},), ((1,),), ([("a", 1)],)),
    *((slice(None),), (0, 1), ("a", 1), (slice(None), [1]), (slice(None), b"a"), (b"a", b"b")),
    *(("a", 1, 2), (None, None, None), (int,), (print,), (4, "little"), (10, 2**40)),
]


def more_arguments(pool: PersistentObjectPool) -> list[tuple[Any, ...]]:
    """What a method of a pool, of its manager, or of an attribute takes."""
    manager = pool._p_mm
    block, thing, items = manager.alloc(64), pool.root, pool["list"]
    view = manager.direct(block)
    return [
        *((block,), (block, 100), (thing._p_oid,), (thing,), (items,), (view, 8)),
        *((thing, 1), (thing, Thing), (Thing,)),
    ]


def names_of(thing: Any) -> Iterator[str]:
    """What dir() and the types' dicts tell, but for what object gives to everything.

    Methods of the class do not know the instance, and private names are nobody's business.
    """
    types = type(thing).__mro__
    for name in sorted({name for cls in types for name in vars(cls)} | set(object.__dir__(thing))):
        found = inspect.getattr_static(type(thing), name, None)
        of_the_class = isinstance(found, (classmethod, staticmethod)) or (
            type(found).__name__ == "classmethod_descriptor"
        )
        private = name.startswith("_") and not name.startswith(("__", "_p_", "_v_"))
        if not (of_the_class or private or found is getattr(object, name, thing)):
            yield name


def answers(thing: Any, name: str, arguments: list[tuple[Any, ...]]) -> Iterator[Any]:
    """What getting it gives, if it is no method, and what calling it gives: values and exceptions.

    A NotImplemented is no answer.
    """
    calls: list[Callable[[], Any]] = [lambda: getattr(thing, name)]
    calls += [lambda given=given: getattr(thing, name)(*given) for given in arguments]
    for call in calls:
        try:
            answer = call()
        except BaseException as error:
            yield error
        else:
            if answer is not NotImplemented and (call is not calls[0] or not callable(answer)):
                yield answer
