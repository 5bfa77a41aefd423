"""The emulated machine: its hardware, its start and its end by a power cut (SIGKILL)."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from power import image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Names of disks inside the machine; the PCI addresses give the order.
DISK = "/dev/vda"
NVDIMM = "/dev/pmem0"
ENDED = "ended with "
SECTOR = 512
_MEMORY = "256M"
_POLL = 0.01


class MachineError(Exception):
    """The machine did not do what it was started for."""


@dataclass
class Hardware:
    """What is plugged in; paths of the host, raw images."""

    disk: Path
    log: Path | None = None  # empty; every write and flush of the disk goes there too, in order
    nvdimm: Path | None = None


def command(job: str, hardware: Hardware, console: Path) -> list[str]:
    """QEMU's command line. Emulated, not virtualised, so that it runs everywhere alike."""
    machine, memory = "q35", _MEMORY
    devices = ["-blockdev", f"driver=file,filename={hardware.disk},node-name=file"]
    drive = "file"
    if hardware.log is not None:
        drive = "logged"
        devices += ["-blockdev", f"driver=file,filename={hardware.log},node-name=log"]
        devices += [
            "-blockdev",
            f"driver=blklogwrites,node-name=logged,file=file,log=log,log-sector-size={SECTOR}",
        ]
    devices += ["-device", f"virtio-blk-pci,drive={drive},addr=3,write-cache=on"]
    if hardware.nvdimm is not None:
        machine, memory = "q35,nvdimm=on", f"{_MEMORY},slots=2,maxmem=4G"
        backing = f"mem-path={hardware.nvdimm},size={hardware.nvdimm.stat().st_size}"
        devices += ["-object", f"memory-backend-file,id=dimm,share=on,{backing}"]
        devices += ["-device", "nvdimm,id=nvdimm,memdev=dimm"]
    return [
        *("qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot"),
        *("-display", "none", "-accel", "tcg", "-cpu", "max", "-smp", "1"),
        *("-machine", machine, "-m", memory, "-serial", f"file:{console}"),
        *("-kernel", str(image.KERNEL), "-initrd", str(image.INITRAMFS)),
        "-append",
        f"console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable random.trust_cpu=on -- {job}",
        *devices,
    ]


def run(
    job: str,
    hardware: Hardware,
    console: Path,
    cut: Callable[[], bool] = lambda: False,
    timeout: float = 600,
) -> bool:
    """Runs the machine until it ends, or until `cut` says that its power goes.

    Returns whether it ended by itself; then its job has succeeded.

    Raises:
        MachineError: The job failed, or took longer than `timeout` seconds.
    """
    console.write_bytes(b"")
    end = time.monotonic() + timeout
    process = subprocess.Popen(command(job, hardware, console), stdin=subprocess.DEVNULL)
    try:
        while process.poll() is None:
            if cut():
                return False
            if time.monotonic() > end:
                raise MachineError(f"no end after {timeout} s:\n{text_of(console)}")
            time.sleep(_POLL)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        process.wait()
    if f"{ENDED}0" not in text_of(console).splitlines():
        raise MachineError(f"'{job}' failed:\n{text_of(console)}")
    return True


def text_of(console: Path) -> str:
    return console.read_text(errors="replace")
