"""Many trials, and what they found."""

from __future__ import annotations

import gc
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fuzz import pools, trial
from fuzz.report import Report
from fuzz.target import Target
from interpreter import CPYTHON

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for pools, in memory where the system has a tmpfs."""
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="nvm-fuzz-", dir=shm if shm.is_dir() else None) as name:
        yield Path(name)


class Fuzzing:
    """Trials and their results; each is a fork of this process, which opens no pool itself."""

    def __init__(self) -> None:
        self.trials = 0
        self.refused = 0
        self.seconds = 0.0
        self.errors: Counter[str] = Counter()
        self.findings: dict[str, list[trial.Result]] = {}  # by signature

    def run(
        self,
        first: int,
        *,
        trials: int | None = None,
        seconds: float | None = None,
        verbose: bool = False,
    ) -> None:
        """Seeds from `first` on, so many or for so long."""
        with scratch() as folder:
            targets = [Target(image) for image in pools.make_images(folder)]
            report = Report()
            gc.collect()
            if CPYTHON:
                gc.freeze()  # what forks share stays shared
            began = time.monotonic()
            seed = first
            while trials is None or seed < first + trials:
                if seconds is not None and time.monotonic() - began > seconds:
                    break
                target = targets[seed % len(targets)]
                self._take(trial.run(target, seed, folder / "pool", report), verbose)
                seed += 1
            self.seconds += time.monotonic() - began

    def _take(self, result: trial.Result, verbose: bool) -> None:
        self.trials += 1
        self.errors.update(result.errors)
        if result.tries <= 2:
            self.refused += 1
        for signature in result.signatures:
            known = self.findings.setdefault(signature, [])
            known.append(result)
            if len(known) == 1:
                _show(signature, result)
        if verbose:
            _show("all", result)

    def tell(self) -> None:
        each = self.seconds / max(1, self.trials) * 1000
        print(
            f"fuzz: {self.trials} trials in {self.seconds:.0f} s, {each:.1f} ms each; "
            f"{self.refused} pools not opened; {len(self.findings)} kinds of findings"
        )
        print("fuzz: exceptions", dict(self.errors.most_common()))
        for signature, results in self.findings.items():
            seeds = ", ".join(str(result.seed) for result in results[:5])
            print(f"fuzz: FOUND {len(results)} times: {signature[:300]} (seeds {seeds})")


def _show(signature: str, result: trial.Result) -> None:
    print(f"---- seed {result.seed}, image {result.image!r}: {signature[:300]}")
    for line in result.damage:
        print("    ", line)
    for finding in result.findings:
        print("    ", finding["kind"], "in", finding["step"], finding["what"][:300])
        print(finding["where"], flush=True)
