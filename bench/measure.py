"""Interleaved measurement: all competitors in one process, in turn, many short rounds.

What disturbs one competitor then disturbs its neighbours too, and a median of the ratios taken
within each round says more than a ratio of two averages.
"""

from __future__ import annotations

import gc
import statistics
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class Run:
    """Something to time: `call` does `count` operations; `prepare` goes before, not timed."""

    call: Callable[[], None]
    count: int
    prepare: Callable[[], None] | None = None


@dataclass(frozen=True)
class Timing:
    """What one competitor took, in nanoseconds an operation."""

    median: float
    lowest: float
    highest: float
    ratio: float | None  # median over the rounds of its time by the baseline's

    def as_json(self) -> dict[str, Any]:
        return {key: value and round(value, 3) for key, value in asdict(self).items()}


def measure(runs: Mapping[str, Run], baseline: str, rounds: int) -> dict[str, Timing]:
    """Time the runs in turn, starting with another one each round."""
    names = list(runs)
    times: dict[str, list[float]] = {name: [] for name in names}
    enabled = gc.isenabled()
    gc.disable()
    try:
        for name in names:
            _time(runs[name])  # warms caches up; not counted
        for done in range(rounds):
            for turn in range(len(names)):
                name = names[(turn + done) % len(names)]
                times[name].append(_time(runs[name]))
    finally:
        if enabled:
            gc.enable()
    return {name: timing(times[name], times.get(baseline)) for name in names}


def _time(run: Run) -> float:
    if run.prepare is not None:
        run.prepare()
    start = time.perf_counter_ns()
    run.call()
    return (time.perf_counter_ns() - start) / run.count


def timing(own: list[float], base: list[float] | None) -> Timing:
    """Sum up the rounds of one competitor; `base` are the baseline's of the same rounds."""
    ratio = statistics.median(a / b for a, b in zip(own, base)) if base else None
    return Timing(statistics.median(own), min(own), max(own), ratio)
