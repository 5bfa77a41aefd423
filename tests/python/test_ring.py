"""A pool goes round all interpreters that this checkout has been built for."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import nvm

ROOT = Path(__file__).parents[2]
STEP = Path(__file__).with_name("ring_step.py")


def interpreters() -> dict[str, Path]:
    """Those of the checkout's virtual environments that have pynvm, by a name for each."""
    found = {}
    for python in sorted(ROOT.glob(".venv*/bin/python")):
        code = "import nvm, sys; print(sys.implementation.cache_tag.replace('-', ''))"
        answer = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60)
        if answer.returncode == 0:
            found[answer.stdout.strip()] = python
    return found


@pytest.mark.slow
def test_every_interpreter_reads_and_changes_what_the_others_have_left(path: Path) -> None:
    pythons = interpreters()
    if len(pythons) < 2:
        pytest.skip(f"pynvm is built for {len(pythons)} interpreter(s) in {ROOT}")
    # Twice round, so that the first one too meets what all others have written.
    done: list[str] = []
    for turn in range(2):
        for name, python in pythons.items():
            command = [python, STEP, path, f"{name}_{turn}", *done]
            answer = subprocess.run(command, capture_output=True, text=True, timeout=120)
            assert answer.returncode == 0, f"{name} after {done}:\n{answer.stderr}"
            done.append(f"{name}_{turn}")
    with nvm.open(path, "r") as pool:
        assert pool["turns"] == done
        assert pool.check() == []
