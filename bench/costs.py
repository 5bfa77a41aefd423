"""What an operation must cost: what it touches, what it makes, and what its durability asks for.

Cache lines are those of the pool that are read or written outside the undo log (whose entries are
16 bytes each), when everything is settled: from docs/format.md. Flushes, fences and publishes are
taken from the tables in docs/guarantees.md, which the tests of the core hold the code to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

GUARANTEES = Path(__file__).parent.parent / "docs" / "guarantees.md"


@dataclass(frozen=True)
class Counts:
    """Our own flushes and fences, and libpmemobj's publishes, of one operation."""

    flushes: int = 0
    fences: int = 0
    publishes: int = 0


@dataclass(frozen=True)
class Cost:
    """One operation, with small integers as values.

    Args:
        case: The case that measures it.
        lines: The cache lines.
        integers: Python integers that it makes.
        counted: The row in guarantees.md, as (table, operation); None for what only reads.
    """

    case: str
    lines: str
    integers: int = 0
    counted: tuple[str, str] | None = None

    def counts(self, tables: dict[tuple[str, str], Counts]) -> Counts:
        """What durability asks for; KeyError if guarantees.md has no such row."""
        return tables[self.counted] if self.counted else Counts()


LIST_READ = "header, body, cell"
DICT_READ = "header, body, slot, segment's offset, entry"
BYTE_READ = "header, body, word"
COSTS = (
    Cost("list.read.warm", LIST_READ, 1),
    Cost("list.write", LIST_READ, 0, ("list", "`l[i] = small` over a small value")),
    Cost("list.append", LIST_READ, 0, ("list", "`append(small)`, the spare cell is blank")),
    Cost("list.pop", LIST_READ, 1, ("list", "`pop()` of a small value")),
    Cost("list.insert", "header, body, cells that move", 0, ("list", "`insert(i, small)`")),
    Cost("list.iterate", "an eighth of a line of cells", 1),
    Cost("dict.read.warm", DICT_READ, 1),
    Cost("dict.contains", DICT_READ),
    Cost("dict.write", DICT_READ, 0, ("dict", "`d[k] = small`, k is there, over a small value")),
    Cost("dict.insert", DICT_READ, 0, ("dict", "`d[k] = small`, k is new, more entries")),
    Cost("dict.delete", DICT_READ, 0, ("dict", "`del d[k]`, another entry")),
    Cost("set.contains", DICT_READ),
    Cost("set.add", DICT_READ, 0, ("set", "`add(small)`, more elements")),
    Cost("set.discard", DICT_READ, 0, ("set", "`discard(small)`, another element")),
    Cost("bytearray.read", BYTE_READ),
    Cost("bytearray.write", BYTE_READ, 0, ("bytearray", "`b[i] = byte`")),
    Cost("bytearray.append", BYTE_READ, 0, ("bytearray", "`append(byte)`, `+=` into spare room")),
    Cost("object.read", "header with the shape word, slot", 1),
    Cost(
        "object.write",
        "header with the shape word, slot",
        0,
        ("object", "`o.a = small`, a is there, over a small value"),
    ),
    Cost("nested.read", "twice: header, body, entries", 1),
)


def counted_tables(text: str | None = None) -> dict[tuple[str, str], Counts]:
    """The rows of the tables in guarantees.md that are marked `counts`, by table and operation."""
    found: dict[tuple[str, str], Counts] = {}
    table = ""
    for line in (text or GUARANTEES.read_text(encoding="utf-8")).splitlines():
        if mark := re.fullmatch(r"<!-- counts: (\w+) -->", line):
            table = mark[1]
        elif not line.startswith("|"):
            table = table if not line else ""
        elif table and re.search(r"\| \d+ \| \d+ \| \d+ \|$", line):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            found[table, cells[0]] = Counts(*map(int, cells[-3:]))
    return found
