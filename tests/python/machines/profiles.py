"""How much the machines try: a little and always the same, or others for as long as is wished."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

from interpreter import CPYTHON

# PyPy spends its time on compiling hypothesis.
EXAMPLES, STEPS = (30, 40) if CPYTHON else (3, 25)
SOAK_EXAMPLES, SOAK_STEPS = 50, 80


def soak_seconds() -> float | None:
    """How long each machine is to run; None: the short profile."""
    seconds = os.environ.get("NVM_SOAK_SECONDS")
    return None if seconds is None else float(seconds)


def soak_seed() -> int | None:
    """The seed of a round to run again."""
    seed = os.environ.get("NVM_SOAK_SEED")
    return None if seed is None else int(seed)


def profile(soak: bool = False) -> settings:
    return settings(
        max_examples=SOAK_EXAMPLES if soak else EXAMPLES,
        stateful_step_count=SOAK_STEPS if soak else STEPS,
        derandomize=not soak,
        database=None,
        deadline=None,
        print_blob=True,
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
