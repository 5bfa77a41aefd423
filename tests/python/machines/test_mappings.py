"""Dicts, sets and objects answer as plain ones do, whatever happens in whatever order."""

from __future__ import annotations

import operator

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule
from machine import PoolMachine, run_machine
from model import KEYS, KNOWN, NAMES, VALUES, WHICH, Call, Plain, function, method


class DictMachine(PoolMachine):
    kind = dict
    first = dict

    @rule(
        which=WHICH,
        call=st.one_of(
            function(operator.setitem, KEYS, VALUES),
            function(operator.setitem, KEYS, VALUES),
            function(operator.getitem, KEYS | KNOWN),
            function(operator.delitem, KEYS),
            function(operator.contains, KEYS | KNOWN),
            method("get", KEYS, VALUES),
            method("setdefault", KEYS, VALUES),
            method("pop", KEYS),
            method("pop", KEYS, VALUES),
            method("popitem"),
            method("clear"),
            method("copy"),
            method("update", st.dictionaries(KEYS, VALUES, max_size=4) | KNOWN),
            method("update", st.lists(st.tuples(KEYS, VALUES), max_size=4)),
            method("update", st.integers(0, 60).map(lambda count: dict.fromkeys(range(count)))),
            function(operator.ior, st.dictionaries(KEYS, VALUES, max_size=4)),
            function(operator.or_, st.dictionaries(KEYS, VALUES, max_size=4) | KNOWN),
            function(operator.eq, KNOWN),
            function(lambda content: list(content.values())),
            function(lambda content: list(content.items())),
            function(lambda content: list(reversed(content))),
        ),
    )
    def operate(self, which: int, call: Call) -> None:
        self.run(call, which)


ELEMENTS = st.sets(KEYS, max_size=8)


class SetMachine(PoolMachine):
    kind = set
    first = set

    @rule(
        which=WHICH,
        call=st.one_of(
            method("add", KEYS | KNOWN),
            method("add", KEYS),
            method("discard", KEYS),
            method("remove", KEYS),
            method("clear"),
            method("copy"),
            function(operator.contains, KEYS | KNOWN),
            *(
                method(name, ELEMENTS | KNOWN | st.lists(KEYS, max_size=4))
                for name in (
                    *("update", "difference_update", "intersection_update"),
                    *("symmetric_difference_update", "union", "intersection", "difference"),
                    *("symmetric_difference", "isdisjoint", "issubset", "issuperset"),
                )
            ),
            method("update", st.integers(0, 60).map(range)),
            *(
                function(operation, ELEMENTS | KNOWN)
                for operation in (
                    *(operator.or_, operator.and_, operator.sub, operator.xor),
                    *(operator.ior, operator.iand, operator.isub, operator.ixor),
                    *(operator.le, operator.lt, operator.ge, operator.gt, operator.eq),
                )
            ),
        ),
    )
    def operate(self, which: int, call: Call) -> None:
        self.run(call, which)

    @rule(which=WHICH)
    def pop(self, which: int) -> None:
        """Which one, nobody knows beforehand."""
        sets = [pair for pair in self.pairs() if isinstance(pair[0], set)]
        theirs, ours = sets[which % len(sets)]
        if theirs:
            theirs.remove(ours.pop())
        else:
            with pytest.raises(KeyError):
                ours.pop()


class ObjectMachine(PoolMachine):
    kind = Plain
    first = Plain

    @rule(
        which=WHICH,
        call=st.one_of(
            function(setattr, NAMES, VALUES),
            function(setattr, NAMES, VALUES),
            function(getattr, NAMES),
            function(getattr, NAMES, VALUES),
            function(hasattr, NAMES),
            function(delattr, NAMES),
            function(lambda thing: sorted(vars(thing))),
            function(lambda thing, value: thing == value, VALUES),
        ),
    )
    def operate(self, which: int, call: Call) -> None:
        self.run(call, which)


@pytest.mark.parametrize("machine", [DictMachine, SetMachine, ObjectMachine])
def test_it_does_what_a_plain_one_does(machine: type[PoolMachine]) -> None:
    run_machine(machine)
