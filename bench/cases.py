"""The cases: each is one statement, timed in a loop that holds nothing else.

In a statement `c` is the container and `x` (or `k` and `v`) what each turn is about. The loop is
compiled for each competitor from the same text, as `timeit` does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

from bench import work as w

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from bench.work import Work

FEW = 1_000  # elements where the whole container is searched or moved
SOME = 10_000  # elements where the whole container is read


@dataclass(frozen=True)
class Case:
    """One operation.

    Args:
        name: "kind.operation", the kind being that of the container.
        statement: What is timed.
        order: Which elements a round is about.
        shape: What the statement gets for each of them.
        target: The names that this has in the statement.
        most: Elements of the container at most: 0 for an empty one, None for a full one.
        writes: Whether it changes the container.
        before: Done once before each round (`x`: the first of its arguments), not timed.
        rehearsed: Whether the statement is done for all of them once before, not timed.
        undo: Done for each argument after each round, the last one first, not timed.
        elements: For how many elements one statement counts; 0: for all of the container.
    """

    name: str
    statement: str
    order: Callable[[Work, int, Random], Sequence[int]] = w.anywhere
    shape: Callable[[Work, int], Any] = w.as_number
    target: str = "x"
    most: int | None = None
    writes: bool = False
    before: str = ""
    rehearsed: bool = False
    undo: str = ""
    elements: int = 1

    @property
    def kind(self) -> str:
        return self.name.split(".")[0]

    def length(self, work: Work) -> int:
        """Elements of the container."""
        return work.size if self.most is None else min(self.most, work.size)

    def draw(self, work: Work, random: Random) -> list[Any]:
        """The arguments of a round."""
        return [self.shape(work, number) for number in self.order(work, self.length(work), random)]

    def counts(self, work: Work) -> int:
        """Operations of one statement."""
        return self.elements or self.length(work)


def compiled(target: str, statement: str, **names: Any) -> Callable[[Any, list[Any]], None]:
    """A function of the container and of the arguments that does the statement for each."""
    body = "\n".join(f"  {line}" for line in statement.splitlines())
    exec(f"def loop(c, arguments):\n for {target} in arguments:\n{body}\n", names)
    return names["loop"]  # type: ignore[no-any-return]


PAIR: dict[str, Any] = {"target": "k, v", "writes": True}
CHANGE: dict[str, Any] = {"target": "k, v, old", "writes": True, "undo": "c[k] = old"}
EMPTIED: dict[str, Any] = {"most": 0, "before": "c.clear()", "writes": True}
ORDERS: dict[str, dict[str, Any]] = {
    "order": {"order": w.in_order},
    "random": {"order": w.anywhere},
    "warm": {"order": w.warm, "rehearsed": True},
}
INSERTED: dict[str, Any] = {"order": w.fresh, **EMPTIED}
MANY: dict[str, Any] = {"order": w.fresh_chunks, "elements": w.CHUNK, **EMPTIED}
ALL: dict[str, Any] = {"order": w.whole, "elements": 0}
SLICE = f"c[x:x + {w.CHUNK}]"

LIST = (
    *(Case(f"list.read.{name}", "c[x]", **order) for name, order in ORDERS.items()),
    Case("list.write", "c[k] = v", shape=w.as_change, **CHANGE),
    Case("list.append", "c.append(x)", shape=w.as_value, **INSERTED),
    Case("list.pop", "c.pop()", w.from_the_end, w.as_value, writes=True, undo="c.append(x)"),
    Case(
        "list.insert", "c.insert(k, v)", w.a_few, w.as_addition, most=FEW, undo="del c[k]", **PAIR
    ),
    Case("list.extend", "c.extend(x)", shape=w.as_values, **MANY),
    Case("list.slice", SLICE, elements=w.CHUNK),
    Case("list.iterate", "for _ in c: pass", most=SOME, **ALL),
    Case("list.index", "c.index(x)", shape=w.as_value, most=FEW),
    Case("list.contains", "x in c", shape=w.as_value, most=FEW),
    Case(
        "list.sort",
        "c.sort()",
        shape=w.as_shuffled,
        most=SOME,
        before="c[:] = x",
        writes=True,
        **ALL,
    ),
)
DICT = (
    *(Case(f"dict.read.{name}", "c[x]", shape=w.as_key, **order) for name, order in ORDERS.items()),
    Case("dict.get", "c.get(x)", shape=w.as_key),
    Case("dict.contains", "x in c", shape=w.as_key),
    Case("dict.write", "c[k] = v", shape=w.as_entry_change, **CHANGE),
    Case("dict.insert", "c[k] = v", shape=w.as_entry, target="k, v", **INSERTED),
    Case("dict.delete", "del c[k]", w.distinct, w.as_entry, undo="c[k] = v", **PAIR),
    Case("dict.update", "c.update(x)", shape=w.as_entries, **MANY),
    Case("dict.keys", "for _ in c.keys(): pass", most=SOME, **ALL),
    Case("dict.items", "for _ in c.items(): pass", most=SOME, **ALL),
)
SET = (
    Case("set.contains", "x in c", shape=w.as_key),
    Case("set.add", "c.add(x)", shape=w.as_key, **INSERTED),
    Case("set.discard", "c.discard(x)", w.distinct, w.as_key, writes=True, undo="c.add(x)"),
    Case("set.update", "c.update(x)", shape=w.as_keys, **MANY),
    Case("set.iterate", "for _ in c: pass", most=SOME, **ALL),
    Case("set.union", "c | x", shape=w.as_other_half, most=FEW, **ALL),
)
BYTEARRAY = (
    Case("bytearray.read", "c[x]"),
    Case("bytearray.write", "c[k] = v", shape=w.as_byte_change, **PAIR),
    Case("bytearray.append", "c.append(x)", shape=w.as_byte, **INSERTED),
    Case("bytearray.slice", SLICE, elements=w.CHUNK),
)
OBJECT = (
    Case("object.read", "c.alpha"),
    Case("object.write", "c.alpha = x", shape=w.as_value, writes=True),
    Case("object.call", "c.touch()"),
    Case("nested.read", 'c["x"]["y"]'),
    Case("nested.write", 'c["x"]["y"] = x', shape=w.as_value, writes=True),
)
CASES = {case.name: case for case in (*LIST, *DICT, *SET, *BYTEARRAY, *OBJECT)}
