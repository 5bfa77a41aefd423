"""The cases of one kind of container, for all competitors, in a process of their own.

So what one group leaves in memory does not slow down the next, while the competitors of a case
still take turns in one process. This module is also the program that the process runs: it gets a
Request, as JSON, and prints a line of JSON for each step and for each result.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from bench.cases import CASES, Case, compiled
from bench.competitors import BASELINE, OWN, load
from bench.competitors.base import Competitor, NotOffered
from bench.measure import Run, measure, said, timings
from bench.work import FILL, Settings, Work, chunks

if TYPE_CHECKING:
    from collections.abc import Iterator

ALONE, TOGETHER = "alone", "together"  # each operation by itself, or a round in one transaction
MODES = (ALONE, TOGETHER)


@dataclass(frozen=True)
class Request:
    """What to measure."""

    cases: list[str]
    competitors: list[str]
    folder: str
    size: int
    batch: int
    rounds: int
    settings: dict[str, Any]


# ---- In the process that asks


def run_group(request: Request, tell: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Run the cases in a process of their own; gives results as they come.

    Args:
        request: All of one kind.
        tell: Gets a line for each step.

    Raises:
        RuntimeError: The process died.
    """
    command = [sys.executable, "-m", "bench.group", json.dumps(asdict(request))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            event = json.loads(line)
            if "step" in event:
                tell(event["step"])
            else:
                yield event
    if child.returncode:
        raise RuntimeError(f"the process of {request.cases[0]} ... ended with {child.returncode}")


# ---- In the process that measures


class Stage:
    """The containers of one competitor: each is filled once, and put right after each round."""

    def __init__(self, store: Competitor, work: Work) -> None:
        self.store = store
        self.work = work
        self.filled: dict[tuple[str, int], Any] = {}

    def container(self, case: Case) -> Any:
        """One of the case's kind and length."""
        place = case.kind, case.length(self.work)
        if place not in self.filled:
            if case.kind not in self.store.kinds:
                raise NotOffered(f"no {case.kind}")
            container = self.store.container(case.kind, f"{case.kind}{place[1]}")
            for numbers in chunks(place[1]):
                self.unmeasured(container, partial(FILL[case.kind], self.work, numbers))
            self.filled[place] = container
        return self.filled[place]

    def unmeasured(self, container: Any, action: Callable[[Any], None]) -> None:
        """Change the container, in one transaction where there are any."""
        with self._inside(container, self.store.transactions, True) as inside:
            action(inside)

    def _inside(self, container: Any, wanted: bool, writes: bool) -> Any:
        return self.store.inside(container, writes) if wanted else nullcontext(container)

    def run(self, case: Case, mode: str) -> Run:
        """What is measured of a case."""
        if mode == TOGETHER and not self.store.transactions:
            raise NotOffered("no transactions")
        container = self.container(case)
        commit = self.store.commit(container) if case.writes and mode == ALONE else None
        statement = self.store.statement(case) + ("\ncommit()" if commit else "")
        timed = compiled(case.target, statement, commit=commit, store=self.store)
        before = compiled("x", case.before, store=self.store) if case.before else None
        undo = compiled(case.target, case.undo, store=self.store) if case.undo else None

        def loop(arguments: list[Any]) -> None:
            with self._inside(container, mode == TOGETHER, case.writes) as inside:
                timed(inside, arguments)

        def prepare(arguments: list[Any]) -> None:
            if before:
                self.unmeasured(container, lambda inside: before(inside, arguments[:1]))
            if case.rehearsed:
                loop(arguments)

        def restore(arguments: list[Any]) -> None:
            if undo:
                self.unmeasured(container, lambda inside: undo(inside, arguments[::-1]))

        return Run(loop, prepare, restore)


def measure_group(request: Request, say: Callable[[dict[str, Any]], None]) -> None:
    """Measure all that is asked for, and say it."""
    settings = Settings(**request.settings)
    work = Work(request.size, request.batch, settings.text)
    stages: dict[str, Stage] = {}
    unopened: dict[str, str] = {}
    for name in request.competitors:
        folder = Path(request.folder) / name
        folder.mkdir()
        try:
            stages[name] = Stage(load(name)(folder, settings), work)
        except Exception as error:
            unopened[name] = said(error)
    try:
        for name in request.cases:
            for mode in MODES:
                say({"step": f"{name}, {mode}"})
                result = _result(CASES[name], mode, stages, work, request.rounds)
                result["failed"].update(unopened)
                say(result)
    finally:
        for stage in stages.values():
            stage.store.close()


def _result(
    case: Case, mode: str, stages: dict[str, Stage], work: Work, rounds: int
) -> dict[str, Any]:
    runs: dict[str, Run] = {}
    lacking: dict[str, str] = {}
    failed: dict[str, str] = {}
    for name, stage in stages.items():
        try:
            runs[name] = stage.run(case, mode)
        except NotOffered as reason:
            lacking[name] = str(reason)
        except Exception as error:  # of a competitor: it is reported, and the others go on
            failed[name] = said(error)
    times, limits, failures = measure(
        runs, lambda number: case.draw(work, random.Random(number)), rounds
    )
    found = timings(times, limits, case.counts(work), BASELINE, set(OWN))
    return {
        "case": case.name,
        "mode": mode,
        "timings": {name: asdict(timing) for name, timing in found.items()},
        "lacking": lacking,
        "failed": {**failed, **failures},
    }


def main() -> None:
    """What the process does."""
    request = Request(**json.loads(sys.argv[1]))
    measure_group(request, lambda event: print(json.dumps(event), flush=True))


if __name__ == "__main__":
    main()
