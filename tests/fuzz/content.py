"""What lies in the pools that are damaged: something of every type, in every layout it has."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

import values_of_types as values
from nvm.pmemobj import (
    PersistentDict,
    PersistentFrozenSet,
    PersistentList,
    PersistentObject,
    PersistentSet,
    PersistentTuple,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nvm.pmemobj import MemoryManager, Oid, PersistentObjectPool

INLINE_ATTRIBUTES = 3
SPILLED_ATTRIBUTES = 12  # some lie in the overflow block
DICT_ATTRIBUTES = 140  # more than a shape may have: they lie in a dict

SCALARS: list[Any] = [
    *(None, True, False, ..., 0, -1, 2**47 - 1, -(2**47), 2**47, -(2**63), 2**64 + 5, 3**900),
    *(0.0, -0.0, 1.5, float("inf"), float("nan"), 1j, complex(-0.0, 2.5)),
    *("", "abcde", "a longer text", "äöüéè", "€ and more", "\U0001f600 and more", "x" * 3000),
    *(b"", b"12345", b"longer bytes", bytes(range(256)) * 5),
]
KEYS: list[Any] = [
    *values.DATES[:2],
    *values.TIMES[2:5],
    *values.DATETIMES[2:8],
    *values.TIMEDELTAS[:2],
    *values.TIMEZONES[:4],
    *values.DECIMALS[:12],
    *values.FRACTIONS,
    *values.UUIDS,
    *values.RANGES,
    *values.PATHS,
    *values.ADDRESSES,
    *values.NAMED_TUPLES,
    values.Money(values.DECIMALS[9]),
]
BOXED: list[Any] = [*KEYS, values.PARIS, values.DATETIMES[-1], *values.SLICES, *values.ENUMS]


class Thing(PersistentObject):
    """A record; what it holds is up to its users."""


@dataclasses.dataclass
class Person(PersistentObject):
    name: str
    age: int = 0
    friends: Any = None


class Ring:
    """Lays out its own memory: a head with one reference and one block of its own."""

    _p_mm: MemoryManager
    _p_oid: Oid

    def _p_new(self, manager: MemoryManager) -> Oid:
        head = manager.zalloc(32, type_num=7)
        held = manager.persist(["held by a block", 1])
        manager.incref(held)
        with manager.direct(head) as view:
            view[:8] = held[1].to_bytes(8, "little")
            view[8:16] = manager.zalloc(100, type_num=8)[1].to_bytes(8, "little")
        return head

    def _p_resurrect(self, manager: MemoryManager, oid: Oid) -> None:
        pass

    def _at(self, place: int) -> Oid:
        with self._p_mm.direct(self._p_oid) as view:
            return self._p_mm.otuple(
                (self._p_oid[0], int.from_bytes(view[place : place + 8], "little"))
            )

    def _p_traverse(self) -> Iterator[Oid]:
        yield self._at(0)

    def _p_substructures(self) -> Iterator[tuple[int, Oid]]:
        yield 8, self._at(8)

    def _p_deallocate(self) -> None:
        self._p_mm.decref(self._at(0))
        self._p_mm.free(self._at(8))


def fill(pool: PersistentObjectPool) -> None:
    """Puts everything into a new pool."""
    pool.persist_via_pickle(re.Pattern)
    pool["scalars"] = SCALARS
    pool["boxed"] = BOXED
    pool["pickled"] = [re.compile("a+")]
    _fill_containers(pool)
    _fill_objects(pool)
    _fill_memory(pool)
    pool.root = pool["links"]


def _fill_containers(pool: PersistentObjectPool) -> None:
    pool["list"] = [*range(300), *(f"text {i} of the list" for i in range(20))]
    pool["nested"] = [[[[["deep"], ()]], {"a": {"b": {1, 2}}}]]
    pool["dict"] = {
        "few": 1,
        "a key of more than nineteen characters": 2,
        3: "x",
        2.5: [1],
        b"k": 0,
    }
    pool["spilled"] = {f"key {i}": i for i in range(60)}
    pool["large"] = {i: i for i in range(1200)}
    pool["keys"] = {key: str(key) for key in KEYS}
    pool["holes"] = {i: f"value number {i}" for i in range(40)}
    for i in range(5, 25):
        del pool["holes"][i]
    pool["set"] = {1, "two", 3.5, (4, 5), frozenset({6, "seven"})}
    pool["elements"] = set(range(200))
    pool["tuples"] = [(1, "two", (3.0, ())), (), ([1], "a text in a tuple"), tuple(range(40))]
    pool["frozensets"] = [frozenset(), frozenset(range(20)), frozenset({frozenset({1}), "x"})]
    pool["bytes"] = [bytearray(), bytearray(b"short"), bytearray(range(256)) * 9]
    pool["identities"] = [
        pool.new(PersistentTuple, (1, "two")),
        pool.new(PersistentFrozenSet, [1, "two", (3,)]),
    ]
    pool["big"] = ["y" * 300_000, bytes(20_000), bytearray(70_000)]


def _fill_objects(pool: PersistentObjectPool) -> None:
    pool["things"] = []
    for count in (0, INLINE_ATTRIBUTES, SPILLED_ATTRIBUTES, DICT_ATTRIBUTES):
        thing = pool.new(Thing)
        for i in range(count):
            setattr(thing, f"attribute{i}", i if i % 3 else f"the value of attribute {i}")
        pool["things"].append(thing)
    people = [pool.new(Person, f"Person {i}", i) for i in range(5)]
    for person in people:
        person.friends = people
    pool["people"] = people
    shared: Any = pool.new(PersistentList, ["shared"])
    links = pool.new(PersistentDict)
    links.update(a=shared, b=shared, itself=links, set=pool.new(PersistentSet, [1]))
    shared.append(shared)
    pool["links"] = links
    garbage: Any = pool.new(PersistentList)
    garbage.append(garbage)


def _fill_memory(pool: PersistentObjectPool) -> None:
    memory = pool._p_mm
    pool["ring"] = memory.new(Ring)
    with memory.direct(memory.zalloc(200, type_num=1)) as block:
        block[:5] = b"hello"
