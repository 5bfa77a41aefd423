"""Images of disks on the host: made, changed, and looked into without being mounted."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from power.block_log import Piece

BLOCK = 4096
_FS_OPTIONS = ("-q", "-F", "-b", str(BLOCK), "-m", "0", "-J", "size=4")
_CORRECTED = 1  # e2fsck's exit status: what it found is repaired


class FileSystemError(Exception):
    """The file system itself is not whole: no fault of what lies in it."""


def make_empty(path: Path, size: int) -> None:
    path.unlink(missing_ok=True)
    path.touch()
    os.truncate(path, size)


def make_file_system(path: Path, begin: int, size: int) -> None:
    """Makes an ext4 in some of an image."""
    subprocess.run(
        ["mkfs.ext4", *_FS_OPTIONS, "-E", f"offset={begin}", path, f"{size // BLOCK}"],
        check=True,
        stderr=subprocess.DEVNULL,
    )


def _extents(file: int) -> Iterator[tuple[int, int]]:
    """Where a sparse file has data."""
    begin, size = 0, os.fstat(file).st_size
    while begin < size:
        try:
            begin = os.lseek(file, begin, os.SEEK_DATA)
        except OSError:  # no data behind this
            return
        end = os.lseek(file, begin, os.SEEK_HOLE)
        yield begin, end
        begin = end


def _copy_range(old: BinaryIO, begin: int, end: int, new: BinaryIO, to: int) -> None:
    os.lseek(new.fileno(), to, os.SEEK_SET)
    while begin < end:
        begin += os.sendfile(new.fileno(), old.fileno(), begin, end - begin)


def copy(source: Path, target: Path) -> None:
    """Copies an image, holes as holes."""
    with source.open("rb") as old, target.open("wb") as new:
        os.truncate(new.fileno(), source.stat().st_size)
        for begin, end in _extents(old.fileno()):
            _copy_range(old, begin, end, new, begin)


def write(path: Path, pieces: Iterable[Piece]) -> None:
    """Writes to an image; what comes later lies on top."""
    with path.open("r+b", buffering=0) as file:
        for piece in pieces:
            os.pwrite(file.fileno(), piece.data, piece.offset)


def recover(image: Path) -> None:
    """Recovers the ext4 in an image, as mounting it would.

    Raises:
        FileSystemError: It is damaged.
    """
    check = subprocess.run(["e2fsck", "-p", image], capture_output=True, text=True)
    if check.returncode & ~_CORRECTED:
        raise FileSystemError(f"e2fsck: {check.stdout}{check.stderr}")


# What debugfs tells of a file: its size, and "(logical):physical" of its blocks, single ones or
# ranges; those that are allocated only have a "[u]" behind the logical ones.
_SIZE = re.compile(r"\bSize: (\d+)$", re.MULTILINE)
_BLOCKS = re.compile(r"\((\d+)(?:-\d+)?\):(\d+)(?:-(\d+))?")


def extract(image: Path, folder: Path, names: Sequence[str]) -> None:
    """Copies files out of the root of an ext4 in an image, holes as holes, into a new folder.

    What is not there is left out.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    requests = "".join(f"stat /{name}\n" for name in names)
    told = subprocess.run(
        ["debugfs", "-f", "-", image], input=requests, check=True, capture_output=True, text=True
    )
    _, *answers = told.stdout.split("debugfs: stat ")
    with image.open("rb") as disk:
        for name, answer in zip(names, answers):
            size = _SIZE.search(answer)
            if size is None:
                continue
            with (folder / name).open("wb") as file:
                for logical, first, last in _BLOCKS.findall(answer):
                    begin, end = int(first) * BLOCK, (int(last or first) + 1) * BLOCK
                    _copy_range(disk, begin, end, file, int(logical) * BLOCK)
                os.truncate(file.fileno(), int(size[1]))
