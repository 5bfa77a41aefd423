"""Changes a pool in every way, some of it in transactions."""

from __future__ import annotations

from functools import partial
from operator import getitem
from typing import TYPE_CHECKING, Any, Callable

from fuzz import content
from nvm.pmemobj import PersistentList

if TYPE_CHECKING:
    import random

    from fuzz.report import Report
    from nvm.pmemobj import PersistentObjectPool


class Undone(Exception):
    """Ends a transaction that is to be undone."""


def change(pool: PersistentObjectPool, rng: random.Random, report: Report) -> None:
    """All of the changes in an order drawn, each tried on what the pool holds."""
    changes = [*CHANGES]
    rng.shuffle(changes)
    cut = rng.randrange(len(changes) + 1)
    _each(pool, changes[:cut], report)
    undone = rng.random() < 0.5

    def together() -> None:
        with pool.transaction():
            _each(pool, changes[cut:], report)
            if undone:
                raise Undone

    # Damage met in a transaction may have ended it already.
    report.attempt("transaction", together, Undone)


FINE = (KeyError, IndexError, AttributeError, TypeError, ValueError)


def _each(pool: PersistentObjectPool, changes: list[Any], report: Report) -> None:
    for name, key, function in changes:
        value = report.attempt(f"pool[{key!r}]", partial(getitem, pool, key), KeyError)
        if value is not None:
            report.attempt(name, partial(function, pool, value), *FINE)


def _list(pool: PersistentObjectPool, value: Any) -> None:
    value.append("appended text of some length")
    value.insert(1, [1, 2])
    value[0] = "overwritten"
    value.extend(range(50))
    value.reverse()
    del value[3:6]
    value.pop()
    value[1:2] = ["x", {"y": 1}]


def _sort(pool: PersistentObjectPool, value: Any) -> None:
    value.sort(key=repr)


def _dict(pool: PersistentObjectPool, value: Any) -> None:
    value["new key"] = ["new"]
    value["a new key of more than nineteen characters"] = "a value of some length"
    value.update({i: str(i) * 8 for i in range(20)})
    value.setdefault("x", {})
    for key in list(value)[:5]:
        del value[key]
    value.popitem()


def _set(pool: PersistentObjectPool, value: Any) -> None:
    value.add("an element of some length")
    value |= {1, 2, 3}
    value.discard(2)
    value ^= {3, 4}
    value.pop()


def _bytes(pool: PersistentObjectPool, value: Any) -> None:
    value = value[2]
    value.append(1)
    value[3:5] = b"1234567890" * 3
    value.reverse()
    del value[::2]


def _objects(pool: PersistentObjectPool, value: Any) -> None:
    for thing in value:
        thing.attribute0 = "another"
        thing.newer = [1]
        thing.attribute1 = 5
        del thing.attribute2


def _people(pool: PersistentObjectPool, value: Any) -> None:
    value.append(pool.new(content.Person, "New", 7))
    value[0].friends = None
    value[0].name = "x" * 100


def _memory(pool: PersistentObjectPool, value: Any) -> None:
    memory = pool._p_mm
    oid = memory.zalloc(100, type_num=1)
    with memory.direct(oid) as block:
        block[:4] = b"1234"
    oid = memory.realloc(oid, 5000, type_num=1)
    memory.free(oid)
    for head in value._p_traverse():
        memory.resurrect(head)


def _clear(pool: PersistentObjectPool, value: Any) -> None:
    value.clear()


def _replace(pool: PersistentObjectPool, value: Any) -> None:
    pool["replaced"] = [value, value]
    pool["scalars"] = None
    pool["things"] = pool.new(PersistentList, [value])


def _read_back(pool: PersistentObjectPool, value: Any) -> None:
    pool["read back"] = {"list": [1, "two", 3.5], "text": "x" * 1000}
    found = pool["read back"].to_python()
    if found != {"list": [1, "two", 3.5], "text": "x" * 1000}:
        raise AssertionError(f"what was stored just now is read as {found!r:.300}")


def _delete(key: str) -> tuple[str, str, Callable[[Any, Any], None]]:
    def delete(pool: PersistentObjectPool, value: Any) -> None:
        del value
        del pool[key]

    return f"del pool[{key!r}]", key, delete


CHANGES: list[tuple[str, str, Callable[[PersistentObjectPool, Any], None]]] = [
    ("list", "list", _list),
    ("list of values", "boxed", _list),
    ("list of scalars", "scalars", _list),
    ("sort", "list", _sort),
    ("dict", "dict", _dict),
    ("dict with segments", "spilled", _dict),
    ("dict with a directory", "large", _dict),
    ("dict with holes", "holes", _dict),
    ("dict of keys", "keys", _dict),
    ("set", "set", _set),
    ("set with segments", "elements", _set),
    ("bytearray", "bytes", _bytes),
    ("objects", "things", _objects),
    ("dataclass objects", "people", _people),
    ("blocks", "ring", _memory),
    ("clear list", "nested", _clear),
    ("clear dict", "links", _clear),
    ("clear frozensets", "frozensets", _clear),
    ("replace", "dict", _replace),
    ("read back", "dict", _read_back),
    *map(_delete, ("big", "tuples", "spilled", "ring", "keys", "identities", "pickled", "people")),
]
