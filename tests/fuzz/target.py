"""A pool's files on their way to being damaged."""

from __future__ import annotations

import functools
import mmap
import os
import struct
from typing import TYPE_CHECKING

from fuzz import layout

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from fuzz.layout import Block, Run
    from fuzz.pools import Image

TOP = 1 << 64
MOST_SHOWN = 16  # bytes of a change that its description shows


class Target:
    """Made once of each image; what a trial changes in it is its own, as each is a fork."""

    def __init__(self, image: Image) -> None:
        self.name, self.backend, self.size = image.name, image.backend, len(image.pool)
        self.pool = File("pool", image.pool)
        self.journal = None if image.journal is None else File("journal", image.journal)
        known = image.whole
        self.blocks: list[Block] = layout.blocks(known)
        self.runs: list[Run] = layout.runs(known)
        self.root = layout.root_object(known)
        self.counted = [block for block in self.blocks if block.type not in (0, 1, 64)]

    @property
    def damage(self) -> list[str]:
        """What has been changed, in words."""
        return self.pool.changes + (self.journal.changes if self.journal else [])

    def write(self, path: Path) -> None:
        """Makes the files at this path."""
        self.pool.write(path)
        journal = path.with_name(path.name + ".journal")
        if self.journal is not None:
            self.journal.write(journal)
        elif journal.exists():
            journal.unlink()


class File:
    """The content of a file, and which of its pages are not zero."""

    def __init__(self, name: str, content: bytes) -> None:
        self.name = name
        self.changes: list[str] = []
        self._size = self._room = len(content)
        zeros = bytes(layout.PAGE)
        self._pages: dict[int, bytes] = {}  # what forks share: small, since forking takes its time
        for begin in range(0, len(content), layout.PAGE):
            page = content[begin : begin + layout.PAGE]
            if page != zeros:
                self._pages[begin] = page

    @functools.cached_property
    def data(self) -> mmap.mmap:
        """All of it, in memory that takes room only where it is not zero."""
        data = mmap.mmap(-1, self._room)
        for begin, page in self._pages.items():
            data[begin : begin + len(page)] = page
        return data

    def __len__(self) -> int:
        return self._size

    def word(self, offset: int) -> int:
        """What lies there; 0 if damage before has made an offset that leads out of the file."""
        return layout.word_at(self.data, offset) if offset <= self._room - 8 else 0

    def put(self, offset: int, content: bytes | bytearray, why: str) -> None:
        content = content[: max(0, self._size - offset)]
        if not content:
            return
        before = bytes(self.data[offset : offset + len(content)])
        if before == content:
            return
        self.data[offset : offset + len(content)] = content
        first = offset // layout.PAGE * layout.PAGE
        for begin in range(first, offset + len(content), layout.PAGE):
            self._pages.setdefault(begin, b"")
        shown = f"{before[:MOST_SHOWN].hex()} -> {bytes(content[:MOST_SHOWN]).hex()}"
        more = "" if len(content) <= MOST_SHOWN else f" and {len(content) - MOST_SHOWN} bytes more"
        self.changes.append(f"{self.name} at {offset:#x} ({why}): {shown}{more}")

    def put_word(self, offset: int, value: int, why: str) -> None:
        self.put(offset, struct.pack("<Q", value % TOP), why)

    def cut(self, size: int) -> None:
        self.changes.append(f"{self.name} cut from {self._size} to {size} bytes")
        self._size = size

    def used_page(self, rng: random.Random) -> int:
        """The offset of a page that is not all zeros."""
        return rng.choice(sorted(self._pages))

    def write(self, path: Path) -> None:
        """Makes the file; what is zero is a hole."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.ftruncate(descriptor, self._size)
            view = memoryview(self.data)
            for first, last in self._extents():
                os.pwrite(descriptor, view[first : min(last, self._size)], first)
        finally:
            os.close(descriptor)

    def _extents(self) -> list[tuple[int, int]]:
        extents: list[tuple[int, int]] = []
        for begin in sorted(self._pages):
            if begin >= self._size:
                break
            if extents and extents[-1][1] == begin:
                extents[-1] = extents[-1][0], begin + layout.PAGE
            else:
                extents.append((begin, begin + layout.PAGE))
        return extents
