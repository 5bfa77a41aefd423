"""bench.kit compares what it says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

for module in ("pmem2", "pmemlog", "pmemblk", "vmem"):
    pytest.importorskip(f"nvm.{module}", exc_type=ImportError)

ROOT = Path(__file__).parents[3]
OPERATIONS = (
    *("persist", "persist_slice", "map_persist"),
    *("memcpy_persist", "memcpy_persist", "map_memcpy"),
    *("heap_allocate", "log_append", "block_read", "block_write"),
)


@pytest.mark.skipif(shutil.which(os.environ.get("CC", "cc")) is None, reason="no C compiler")
def test_each_case_is_measured_in_both_languages(folder):
    command = [sys.executable, "-m", "bench.kit", "--rounds", "1", "--part", "0.01"]
    done = subprocess.run(
        [*command, "--folder", str(folder)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == ["operation", *OPERATIONS]
    assert all(float(row[2]) > 0 for row in rows[1:])
    assert list(folder.iterdir()) == []
