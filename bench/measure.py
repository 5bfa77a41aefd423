"""Interleaved measurement: all competitors in one process, in turn, many short rounds.

What disturbs one competitor then disturbs its neighbours too, and a median of the ratios taken
within each round says more than a ratio of two averages.
"""

from __future__ import annotations

import gc
import statistics
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from collections.abc import Mapping

TRIES = 3  # before it is known how long something takes: a new store grows at first
LONGEST = 0.03  # seconds that one competitor may take of a round: a slow one does less in it
FIRST_TRY = 4  # arguments


@dataclass(frozen=True)
class Run:
    """Something to time with a round's arguments: `loop`; `before` and `after` it, not timed."""

    loop: Callable[[list[Any]], None]
    before: Callable[[list[Any]], None]
    after: Callable[[list[Any]], None]


@dataclass(frozen=True)
class Timing:
    """What one competitor took, in nanoseconds an operation."""

    median: float
    lowest: float
    highest: float
    arguments: int  # of a round
    times_builtin: float | None  # medians of the ratios that each round gave
    times_fastest: float | None  # by the fastest that is neither the built-in nor of the same name
    fastest: str | None


Rounds = dict[str, "list[float]"]  # nanoseconds an argument, by competitor
Failures = dict[str, str]


def measure(
    runs: Mapping[str, Run], draw: Callable[[int], list[Any]], rounds: int
) -> tuple[Rounds, dict[str, int], Failures]:
    """Time the runs in turn, starting with another one each round.

    Args:
        runs: By competitor.
        draw: Gives the arguments of a round.
        rounds: How many count.

    Returns:
        Each one's times, how many arguments it was given, and why others failed.
    """
    times: Rounds = {}
    limits: dict[str, int] = {}
    failures: Failures = {}

    def attempt(name: str, action: Callable[[], Any]) -> Any:
        """What one cannot do must not spoil the others' figures: it is reported instead."""
        try:
            return action()
        except Exception as error:
            failures[name] = said(error)
            times.pop(name, None)
            return None

    enabled = gc.isenabled()
    gc.disable()
    try:
        arguments = draw(0)
        for name, run in runs.items():
            limit = attempt(name, partial(_limit, run, arguments))
            if limit is not None:
                times[name], limits[name] = [], limit
        for done in range(rounds):
            arguments = draw(done + 1)
            for name in _turned(list(times), done):
                own = arguments[: limits[name]]
                took = attempt(name, partial(_time, runs[name], own))
                if took is not None:
                    times[name].append(took / len(own))
    finally:
        if enabled:
            gc.enable()
    return times, limits, failures


def said(error: Exception) -> str:
    """An error in a report."""
    return f"{type(error).__name__}: {error}"


def _turned(names: list[str], turns: int) -> list[str]:
    first = turns % len(names) if names else 0
    return names[first:] + names[:first]


def _time(run: Run, arguments: list[Any]) -> float:
    run.before(arguments)
    start = time.perf_counter_ns()
    run.loop(arguments)
    took = time.perf_counter_ns() - start
    run.after(arguments)
    return took


def _limit(run: Run, arguments: list[Any]) -> int:
    """How many of the arguments take no longer than LONGEST; warms caches up, too."""
    count = min(FIRST_TRY, len(arguments))
    while True:
        seconds = min(_time(run, arguments[:count]) for _ in range(TRIES)) / 1e9
        if count == len(arguments) or seconds > LONGEST / 2:
            return max(1, min(count, int(count * LONGEST / seconds)))
        faster = LONGEST / seconds if seconds else 2
        count = min(len(arguments), int(count * max(2, min(8, faster))))


def timings(
    rounds: Rounds, limits: Mapping[str, int], counts: int, baseline: str, own: set[str]
) -> dict[str, Timing]:
    """Sum the rounds up.

    Args:
        rounds, limits: As measure() gives them.
        counts: Operations of one argument.
        baseline: Whose times to compare with.
        own: Those that are measured against the fastest of the others.
    """
    medians = {name: statistics.median(times) for name, times in rounds.items() if times}
    others = [name for name in medians if name != baseline and name not in own]
    fastest = min(others, key=medians.__getitem__) if others else None
    return {
        name: Timing(
            median=median / counts,
            lowest=min(rounds[name]) / counts,
            highest=max(rounds[name]) / counts,
            arguments=limits[name],
            times_builtin=_ratio(rounds[name], rounds.get(baseline)),
            times_fastest=_ratio(rounds[name], rounds[fastest] if fastest else None),
            fastest=fastest,
        )
        for name, median in medians.items()
    }


def _ratio(times: list[float], base: list[float] | None) -> float | None:
    return statistics.median(a / b for a, b in zip(times, base) if b) if base else None
