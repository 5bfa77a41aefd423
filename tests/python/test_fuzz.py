"""A slice of the trials of tests/fuzz (`make fuzz`): damaged files neither crash nor deceive."""

import os
import re
import subprocess
import sys
from pathlib import Path

from interpreter import CPYTHON

TESTS = Path(__file__).resolve().parent.parent
FIRST, TRIALS = 1, 100 if CPYTHON else 25


def test_damaged_pools_do_no_harm() -> None:
    path = os.pathsep.join((str(TESTS), str(TESTS / "python")))
    fuzzing = subprocess.run(
        [sys.executable, "-m", "fuzz", "--first", str(FIRST), "--trials", str(TRIALS)],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    print(fuzzing.stdout)
    assert fuzzing.returncode == 0, fuzzing.stdout
    assert re.search(rf"{TRIALS} trials .* 0 kinds of findings", fuzzing.stdout)
