"""Lists and bytearrays answer as the built-ins do, whatever happens in whatever order."""

from __future__ import annotations

import operator
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from machine import PoolMachine, run_machine
from model import (
    INDEXES,
    KNOWN,
    PLACES,
    RANGES,
    SCALARS,
    SLICES,
    VALUES,
    WHICH,
    Call,
    alike,
    function,
    method,
)

from interpreter import CPYTHON

FEW = st.lists(VALUES, max_size=4)


def rank(value: Any) -> str:
    """What to sort by: containers are all the same."""
    return repr(value) if isinstance(value, (int, float, str, bytes)) else ""


def sort_by_rank(items: Any) -> None:
    items.sort(key=rank)


def sort_if_that_works(items: Any) -> None:
    sorted(items)  # a sort that fails has changed a list, and none of ours
    items.sort(reverse=True)


def extend_by_itself(items: Any) -> None:
    items.extend(items)


class ListMachine(PoolMachine):
    kind = list
    first = list

    @rule(
        which=WHICH,
        call=st.one_of(
            method("append", VALUES),
            method("insert", INDEXES, VALUES),
            method("extend", FEW | KNOWN),
            method("pop", INDEXES),
            method("pop"),
            method("remove", SCALARS),
            method("index", SCALARS | KNOWN, INDEXES),
            method("count", SCALARS | KNOWN),
            method("reverse"),
            method("clear"),
            method("copy"),
            function(sort_by_rank),
            function(sort_if_that_works),
            function(extend_by_itself),
            function(operator.getitem, PLACES),
            function(operator.setitem, INDEXES, VALUES),
            function(operator.setitem, SLICES, FEW),
            function(operator.delitem, PLACES),
            function(operator.contains, SCALARS | KNOWN),
            function(operator.add, FEW | KNOWN),
            function(operator.iadd, FEW | KNOWN),
            function(operator.mul, st.integers(-1, 2)),
            function(operator.imul, st.integers(-1, 2)),
            function(operator.eq, FEW | KNOWN),
            function(operator.lt, FEW | KNOWN),
        ),
    )
    def operate(self, which: int, call: Call) -> None:
        self.run(call, which)

    @rule(which=WHICH, end=st.sampled_from([iter, reversed]))
    def iterate(self, which: int, end: Any) -> None:
        lists = [pair for pair in self.pairs() if isinstance(pair[0], list)]
        theirs, ours = lists[which % len(lists)]
        self.iterators.append((end(theirs), end(ours)))

    @precondition(lambda self: self.iterators)
    @rule(which=WHICH)
    def step(self, which: int) -> None:
        theirs, ours = self.iterators[which % len(self.iterators)]
        absent = object()
        expected, given = next(theirs, absent), next(ours, absent)
        assert (given is absent) == (expected is absent)
        if expected is not absent:
            alike(("returned", expected), ("returned", given))


BYTES = st.binary(max_size=12) | st.sampled_from([b"x" * 33, b"ab" * 500])
DATA = BYTES
if CPYTHON:  # elsewhere a bytearray of ours has no buffer
    DATA |= KNOWN
BYTE = st.integers(-2, 258)


class ByteArrayMachine(PoolMachine):
    kind = bytearray
    first = bytearray

    @rule(
        which=WHICH,
        call=st.one_of(
            method("append", BYTE),
            method("extend", DATA | st.lists(BYTE, max_size=3)),
            method("insert", INDEXES, BYTE),
            method("pop"),
            method("pop", INDEXES),
            method("remove", BYTE),
            method("reverse"),
            method("clear"),
            method("find", DATA | BYTE, INDEXES),
            method("replace", DATA, DATA),
            method("split", DATA),
            method("startswith", DATA),
            method("hex"),
            function(operator.getitem, PLACES),
            function(operator.setitem, INDEXES, BYTE),
            function(operator.setitem, SLICES, DATA),
            function(operator.delitem, PLACES),
            function(operator.contains, DATA | BYTE),
            function(operator.iadd, BYTES),  # the built-in refuses itself
            function(operator.add, DATA),
            function(operator.imul, st.integers(-1, 3)),
            function(operator.lt, DATA),
            function(operator.eq, DATA),
        ),
    )
    def operate(self, which: int, call: Call) -> None:
        self.run(call, which)

    @precondition(lambda self: CPYTHON and not self.levels)
    @rule(
        calls=st.lists(
            st.one_of(
                method("append", BYTE),
                method("clear"),
                function(operator.setitem, RANGES, DATA),
                function(operator.setitem, INDEXES, BYTE),
            ),
            max_size=3,
        ),
        place=st.integers(0, 40),
        byte=st.integers(0, 255),
    )
    def write_through_a_view(self, calls: list[Call], place: int, byte: int) -> None:
        """While the view lives nothing may be resized."""
        with memoryview(self.model) as theirs, memoryview(self.pool.root) as ours:
            for view in (theirs, ours):
                if view:
                    view[place % len(view)] = byte
            for call in calls:
                self.run(call, 0)
        self.pool.sync()


@pytest.mark.parametrize("machine", [ListMachine, ByteArrayMachine])
def test_it_does_what_the_built_in_does(machine: type[PoolMachine]) -> None:
    run_machine(machine)
