"""Compare the kit's modules with C: ``python -m bench.kit``.

As persistent memory (PMEM_IS_PMEM_FORCE=1) unless told otherwise; what C takes on a disk hides
everything else.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_name("loops.c")
LIBRARIES = ("-lpmem", "-lpmem2", "-lpmemlog", "-lpmemblk", "-lmemkind")


def build(folder: Path) -> ctypes.CDLL:
    """The loops in C, compiled; CalledProcessError if that fails."""
    library = folder / "loops.so"
    compiler = os.environ.get("CC", "cc")
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", library, SOURCE, *LIBRARIES]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(library))


def compare(
    case: Any, loops: ctypes.CDLL, folder: Path, turns: int, rounds: int
) -> tuple[float, float]:
    """Nanoseconds in C and beyond that in Python: medians of the rounds, which take turns."""
    from bench.kit.cases import empty_turn

    function = getattr(loops, case.name)
    function.restype = ctypes.c_double
    function.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_long]
    in_c, beyond = [], []
    for number in range(rounds):
        taken = function(os.fsencode(folder / f"c{number}"), case.size, case.bytes, turns)
        if taken < 0:
            raise OSError(f"{case.name} failed in C")
        path = folder / f"python{number}"
        python = case.python(path, case.size, case.bytes, turns) - empty_turn(turns)
        in_c.append(taken)
        beyond.append(python - taken)
    return statistics.median(in_c), statistics.median(beyond)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.kit", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm"), help="where files lie")
    parser.add_argument("--rounds", type=int, default=9, help="of which the median counts")
    parser.add_argument("--part", type=float, default=1, help="of the turns of a round")
    parser.add_argument("--not-forced", action="store_true", help="with msync where it is needed")
    options = parser.parse_args(arguments)
    if not options.not_forced:
        os.environ["PMEM_IS_PMEM_FORCE"] = "1"  # before libpmem is loaded
        os.environ["PMEM2_FORCE_GRANULARITY"] = "CACHE_LINE"
    from bench.kit.cases import CASES

    folder = Path(tempfile.mkdtemp(prefix="nvm-bench-", dir=options.folder))
    try:
        loops = build(folder)
        print(f"{'operation':16} {'bytes':>9} {'C ns':>12} {'beyond':>10} {'allowed':>10}")
        for case in CASES:
            turns = max(1, int(case.turns * options.part))
            in_c, beyond = compare(case, loops, folder, turns, options.rounds)
            allowed = case.allowed(in_c)
            print(f"{case.name:16} {case.bytes:9} {in_c:12.0f} {beyond:10.0f} {allowed:10.0f}")
    finally:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
