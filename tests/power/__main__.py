"""Cuts the power of a machine that runs our workload, and judges what is left.

python -m power                                      all of it
python -m power journal|control|dax                  one part
python -m power judge BACKEND IMAGE ACKNOWLEDGED     what a wrong cut has left, again
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from power import dax_cuts, image, journal_cuts, media
from power.judge import PROGRAM, Judge
from power.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAMS = image.ROOT / "build" / "release"
GUEST, CONTROL = "nvm_power_guest", "nvm_power_control"
# What the controls leave out (control.cpp).
JOURNAL_CONTROLS = ("records", "pages", "syncs")
DAX_CONTROL = "transactions"
PARTS = ("journal", "journal-control", "dax", "dax-control")


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for disks, in memory where the system has a tmpfs."""
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(
        prefix="nvm-power-", dir=shm if shm.is_dir() else None
    ) as name:
        yield Path(name)


def cut_journal(seed: int, count: int | None, left_out: str = "") -> Outcome:
    with scratch() as folder, Judge(PROGRAMS, journal_cuts.BACKEND, folder) as judge:
        outcome = Outcome("journal", seed, left_out)
        journal_cuts.run(outcome, folder, judge, program(left_out), count)
    return outcome


def cut_dax(seed: int, count: int, left_out: str = "") -> Outcome:
    with scratch() as folder:
        outcome = Outcome("dax", seed, left_out)
        dax_cuts.run(outcome, folder, program(left_out), count)
    return outcome


def program(left_out: str) -> str:
    return f"{CONTROL} {left_out}" if left_out else GUEST


def outcomes(options: argparse.Namespace) -> Iterator[Outcome]:
    seed, parts = options.seed, options.parts or PARTS
    if "journal" in parts:
        yield cut_journal(seed, options.cuts)
    if "journal-control" in parts:
        for left_out in JOURNAL_CONTROLS:
            yield cut_journal(seed, options.control_cuts, left_out)
    if "dax" in parts:
        yield cut_dax(seed, options.dax_cuts)
    if "dax-control" in parts:
        yield cut_dax(seed, options.dax_control_cuts, DAX_CONTROL)


def cut_all(options: argparse.Namespace) -> bool:
    passed = True
    for outcome in outcomes(options):
        outcome.tell()
        passed &= outcome.passed
    return passed


def judge_again(options: argparse.Namespace) -> bool:
    with scratch() as folder:
        disk = folder / "disk"
        media.copy(options.image, disk)
        if options.backend == dax_cuts.BACKEND:
            complaint = dax_cuts.complaint(disk, folder, options.acknowledged)
        else:
            with Judge(PROGRAMS, options.backend, folder) as judge:
                complaint = judge.complaint(disk, options.acknowledged)
    print(f"power: {complaint or 'ok'}")
    return complaint is None


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="power", description=__doc__.partition("\n")[0])
    parser.set_defaults(run=cut_all)
    if arguments[:1] == ["judge"]:
        parser.set_defaults(run=judge_again)
        parser.add_argument("judge")
        parser.add_argument("backend")
        parser.add_argument("image", type=Path)
        parser.add_argument("acknowledged", type=int)
    else:
        parser.add_argument("parts", nargs="*", help=f"{', '.join(PARTS)}; all if none is named")
        parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
        parser.add_argument(
            "--cuts", type=int, metavar="N", help="at each place of the log if not given"
        )
        parser.add_argument("--control-cuts", type=int, default=100, metavar="N")
        parser.add_argument("--dax-cuts", type=int, default=30, metavar="N")
        parser.add_argument("--dax-control-cuts", type=int, default=16, metavar="N")
    options = parser.parse_args(arguments)
    image.make([PROGRAMS / name for name in (GUEST, CONTROL, PROGRAM)])
    return 0 if options.run(options) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
