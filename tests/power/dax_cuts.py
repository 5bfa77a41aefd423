"""The dax backend on ext4 with DAX, on an emulated NVDIMM: each cut is a machine killed.

What is left is judged in a new start of the machine with the same NVDIMM: libpmemobj opens no pool
whose last machine has died when it lies on another device.

The emulated processor has no cache in front of the NVDIMM, so that every store that was made is
kept. This finds what is stored in a wrong order or not at once, and shows that a pool there gets
the dax backend by itself, is mapped with MAP_SYNC and is persistent memory to libpmem. A flush that
is missing shows in the crash tests only.
"""

from __future__ import annotations

import random
import struct
import time
from functools import partial
from typing import TYPE_CHECKING

from power import judge, machine, media

if TYPE_CHECKING:
    from pathlib import Path

    from power.outcome import Outcome

BACKEND = "dax"
POOL = f"/mnt/{judge.POOL}"
SIZE = 64 << 20
DISK_SIZE = 1 << 20  # of the disk that takes the acknowledgements, at its beginning
LATEST = 0.05  # seconds between the acknowledgement waited for and the cut
# What the kernel writes when a namespace is made fit for DAX (its struct nd_pfn_sb).
INFO_BLOCK = 4096
SIGNATURE = b"NVDIMM_PFN_INFO\0"
DATA_OFFSET = 56


def data_offset(dimm: Path) -> int:
    """Where /dev/pmem0 begins in the image."""
    with dimm.open("rb") as file:
        file.seek(INFO_BLOCK)
        info = file.read(DATA_OFFSET + 8)
    if not info.startswith(SIGNATURE):
        raise machine.MachineError("the NVDIMM has not been made fit for DAX")
    (offset,) = struct.unpack_from("<Q", info, DATA_OFFSET)
    return int(offset)


def make_dimm(folder: Path) -> Path:
    """A new NVDIMM with an empty file system."""
    base, disk = folder / "base", folder / "disk"
    media.make_empty(base, SIZE)
    media.make_empty(disk, DISK_SIZE)
    machine.run("namespace", machine.Hardware(disk, nvdimm=base), folder / "console")
    begin = data_offset(base)
    media.make_file_system(base, begin, SIZE - begin)
    return base


def acknowledged_on(disk: Path) -> int:
    """The last commit that the machine has acknowledged."""
    with disk.open("rb") as file:
        return int.from_bytes(file.read(8), "little")


def cut_after(disk: Path, commit: int, delay: float) -> bool:
    if acknowledged_on(disk) < commit:
        return False
    time.sleep(delay)
    return True


def job(program: str) -> str:
    return f"disk {machine.NVDIMM} dax=always /bin/{program}"


def complaint(dimm: Path, folder: Path, acknowledged: int) -> str | None:
    """What is wrong with the pool in an NVDIMM, which recovers; None: nothing."""
    disk, console = folder / "other", folder / "console"
    media.make_empty(disk, DISK_SIZE)
    task = f"{job(judge.PROGRAM)} {BACKEND} {judge.COMMITS} {POOL} {acknowledged}"
    try:
        machine.run(task, machine.Hardware(disk, nvdimm=dimm), console)
    except machine.MachineError as error:
        return str(error)
    return judge.complaint_in(machine.text_of(console))


def run(outcome: Outcome, folder: Path, program: str, count: int) -> None:
    """Cuts the power so many times, each after some commit in a new pool."""
    base = make_dimm(folder)
    dimm, disk = folder / "dimm", folder / "disk"
    task = f"{job(program)} {BACKEND} {POOL} {machine.DISK} 0 {judge.COMMITS}"
    for number in range(count):
        rng = random.Random(f"{outcome.seed} {number}")
        commit, delay = rng.randrange(1, judge.COMMITS), rng.random() * LATEST
        media.copy(base, dimm)
        media.make_empty(disk, DISK_SIZE)
        machine.run(
            task,
            machine.Hardware(disk, nvdimm=dimm),
            folder / "console",
            cut=partial(cut_after, disk, commit, delay),
        )
        acknowledged = acknowledged_on(disk)
        left = folder / "left"
        media.copy(dimm, left)
        wrong = complaint(dimm, folder, acknowledged)
        if outcome.add(f"cut {number}, after commit {acknowledged}", wrong):
            outcome.keep(left, BACKEND, acknowledged)
