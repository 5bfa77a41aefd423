"""The journal backend on ext4, on a disk whose requests are logged: one start gives all cuts."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from power import block_log, machine, media
from power.judge import COMMITS, POOL, Judge

if TYPE_CHECKING:
    from pathlib import Path

    from power.outcome import Outcome

BACKEND = "journal"
FILE_SYSTEM = 56 << 20
ACKNOWLEDGEMENTS = FILE_SYSTEM  # behind it
SIZE = 64 << 20
# ext4's superblock takes two sectors with one checksum, and is written past ext4's own journal when
# it is mounted: torn, nobody could mount it again.
SUPERBLOCK_END = 2048


def record(folder: Path, program: str) -> list[block_log.Request]:
    """Runs the workload on a new file system, `base` in the folder, and returns the disk's log."""
    base, disk, log = folder / "base", folder / "disk", folder / "log"
    media.make_empty(base, SIZE)
    media.make_file_system(base, 0, FILE_SYSTEM)
    media.copy(base, disk)
    media.make_empty(log, 0)
    work = f"{BACKEND} /mnt/{POOL} {machine.DISK} {ACKNOWLEDGEMENTS} {COMMITS}"
    job = f"disk {machine.DISK} noatime /bin/{program} {work}"
    machine.run(job, machine.Hardware(disk, log), folder / "console")
    return block_log.read_log(log)


def judge_cuts(
    outcome: Outcome, log: list[block_log.Request], folder: Path, judge: Judge, count: int | None
) -> None:
    """Judges cuts, evenly spread over the log; of each, one disk that it may have left.

    `count` is how many; None: one at each place of the log.
    """
    durable, disk = folder / "durable", folder / "disk"
    places = len(log) + 1
    count = count or places
    positions = [number * places // count for number in range(count)]
    media.copy(folder / "base", durable)
    for number, cut in enumerate(block_log.cuts(log, positions, ACKNOWLEDGEMENTS)):
        media.write(durable, cut.durable)
        kept = cut.choose(random.Random(f"{outcome.seed} {number}"), SUPERBLOCK_END)
        media.copy(durable, disk)
        media.write(disk, kept)
        complaint = judge.complaint(disk, cut.acknowledged)
        where = f"cut {number}, after request {cut.position} of {len(log)}"
        if outcome.add(where, complaint):
            media.copy(durable, disk)
            media.write(disk, kept)
            outcome.keep(disk, BACKEND, cut.acknowledged)


def run(outcome: Outcome, folder: Path, judge: Judge, program: str, count: int | None) -> None:
    """Runs the workload once, and judges cuts of it."""
    log = record(folder, program)
    flushes = sum(bool(request.flags & block_log.FLUSH) for request in log)
    print(f"power: a log of {len(log)} requests, {flushes} of them flushes", flush=True)
    outcome.begin()
    judge_cuts(outcome, log, folder, judge, count)
