"""bench.kit compares what it says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("nvm.pmemlog", exc_type=ImportError)
pytest.importorskip("nvm.pmemblk", exc_type=ImportError)

ROOT = Path(__file__).parents[3]


@pytest.mark.skipif(shutil.which(os.environ.get("CC", "cc")) is None, reason="no C compiler")
def test_each_case_is_measured_in_both_languages(folder):
    command = [sys.executable, "-m", "bench.kit", "--rounds", "1", "--part", "0.01"]
    done = subprocess.run(
        [*command, "--folder", str(folder)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    rows = [line.split() for line in done.stdout.splitlines()]
    names = ["persist", *["memcpy_persist"] * 2, "log_append", "block_read", "block_write"]
    assert [row[0] for row in rows] == ["operation", *names]
    assert all(float(row[2]) > 0 for row in rows[1:])
    assert list(folder.iterdir()) == []
