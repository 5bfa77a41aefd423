"""The floor: what an operation cannot cost less than, from what its parts cost on this machine."""

from __future__ import annotations

import ctypes
import mmap
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

from bench.cases import compiled
from bench.costs import COSTS, Cost, counted_tables

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LINE = 64
WORD = 8
LINES = 1_024  # of the file that is written back
ROUNDS = 31
TURNS = 5_000
LARGE = 1_000_000  # integers from here on are made anew each time
TEXT = "0123456789"


@dataclass(frozen=True)
class Units:
    """What the parts cost, in nanoseconds."""

    turn: float  # of an empty loop
    integer: float  # to make an int
    text: float  # to make a str of 20 characters
    persist: float  # to write back one line that was just stored to, and fence
    flush: float  # to write back one without a fence


@dataclass(frozen=True)
class Floor:
    """One operation beside what it must cost, in nanoseconds."""

    cost: Cost
    competitor: str
    floor: float
    measured: float
    rest: float  # of the core and the binding: measured, less the loop and the objects made


def measure_units(folder: Path) -> Units:
    """Measure the parts; flushes on a file in the folder."""
    turn = _per_turn("pass")
    with _Lines(folder) as lines:
        persist = lines.cost(lines.persist)
        flush = lines.cost(lines.flush)
    return Units(
        turn=turn,
        integer=_per_turn("~x") - turn,
        text=_per_turn("c + c") - turn,
        persist=persist,
        flush=flush,
    )


def _least(loop: Callable[[Any, Any], None], arguments: Sequence[int]) -> float:
    """The least time of a turn in some rounds, as this is about what cannot be undercut."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter_ns()
        loop(TEXT, arguments)
        times.append(time.perf_counter_ns() - start)
    return min(times) / len(arguments)


def _per_turn(statement: str) -> float:
    """What a statement takes in a loop; x is a large integer, c a text of 10 characters."""
    return _least(compiled("x", statement), list(range(LARGE, LARGE + TURNS)))


class _Lines:
    """Lines of a file, and libpmem's functions to write them back, called through ctypes."""

    def __init__(self, folder: Path) -> None:
        import nvm

        library = ctypes.CDLL(nvm.libraries()["libpmem"]["path"])
        self.persist = library.pmem_persist
        self.flush = library.pmem_flush
        for function in self.persist, self.flush:
            function.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
            function.restype = None
        self.path = folder / "lines"
        with self.path.open("w+b") as file:
            file.truncate(LINE * LINES)
            self.memory = mmap.mmap(file.fileno(), LINE * LINES)
        self.view: Any = (ctypes.c_char * len(self.memory)).from_buffer(self.memory)

    def __enter__(self) -> _Lines:
        return self

    def __exit__(self, *_: object) -> None:
        del self.view
        self.memory.close()
        self.path.unlink()

    def cost(self, write_back: Callable[[int, int], None]) -> float:
        """What it costs to write back a line of which a word was just stored to.

        What calling and storing cost is measured too, with nothing to write back, and subtracted.
        """
        begin = ctypes.addressof(self.view)
        addresses = range(begin, begin + len(self.memory), LINE)
        statement = f"store(x, 1, {WORD})\nwrite_back(x, {{}})"
        loop = compiled("x", statement.format(WORD), write_back=write_back, store=ctypes.memset)
        idle = compiled("x", statement.format(0), write_back=self.flush, store=ctypes.memset)
        return max(0.0, _least(loop, addresses) - _least(idle, addresses))


def floors(units: Units, results: list[dict[str, Any]]) -> list[Floor]:
    """Compare what was measured, each operation by itself, with the least it can cost."""
    tables = counted_tables()
    found = []
    for cost in COSTS:
        counts = cost.counts(tables)
        python = units.turn + cost.integers * units.integer
        durable = counts.fences * units.persist
        durable += max(0, counts.flushes - counts.fences) * units.flush
        for result in results:
            if (result["case"], result["mode"]) != (cost.case, "alone"):
                continue
            for name in "nvm", "nvm-dax":
                if timing := result["timings"].get(name):
                    measured = timing["median"]
                    floor = python + (durable if name == "nvm-dax" else 0)
                    found.append(Floor(cost, name, floor, measured, measured - python))
    return found
