"""The pools that are damaged: closed ones, and ones whose program was killed."""

from __future__ import annotations

import os
import struct
import sys
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

import nvm
from fuzz import content, layout
from nvm.pmemobj import PersistentList

if TYPE_CHECKING:
    from pathlib import Path

    from nvm.pmemobj import PersistentObjectPool

    Backend = Any

SIZE = 24 << 20  # little more than the least, which has no room for runs of every kind
HASH_KEY = 0x0123456789ABCDEF  # instead of one by chance, so that a seed finds the same pool


@dataclass
class Image:
    """The files of a pool."""

    name: str
    backend: str
    pool: bytes
    journal: bytes | None
    whole: bytes  # the pool as it is with its journal


class Killed(Exception):
    """Ends a transaction whose files have been copied."""


def _change(pool: PersistentObjectPool) -> None:
    """Many small changes and some large ones, of each kind that the undo log has entries for."""
    pool["list"][10:20] = ["new"] * 4
    pool["list"].insert(3, "inserted text of some length")
    pool["list"].sort(key=str)
    pool["spilled"].update({f"new {i}": [i] for i in range(30)})
    del pool["spilled"]["key 3"], pool["holes"][30]
    pool["elements"] -= set(range(50))
    pool["things"][1].attribute1 = "another value of the attribute"
    pool["things"][2].new = [1, 2]
    pool["bytes"][2][10:20] = b"0123456789" * 5
    pool["more"] = [[i, f"object {i} of the transaction"] for i in range(60)]
    del pool["nested"], pool["tuples"]


def _closed(pool: PersistentObjectPool, copy: Callable[[], None]) -> None:
    pool.close()
    copy()


def _open(pool: PersistentObjectPool, copy: Callable[[], None]) -> None:
    """Objects on limbo, last operations not settled."""
    _change(pool)
    kept = [pool.new(PersistentList, [i, f"unreferenced {i}"]) for i in range(8)]
    pool["list"].append("the last one of the list")
    pool["holes"]["last"] = [1]
    copy()
    del kept


def _transaction(pool: PersistentObjectPool, copy: Callable[[], None]) -> None:
    try:
        with pool.transaction():
            _change(pool)
            copy()
            raise Killed
    except Killed:
        pass


STATES: dict[str, tuple[str, Callable[[PersistentObjectPool, Callable[[], None]], None]]] = {
    "closed": ("memory", _closed),
    "open": ("memory", _open),
    "transaction": ("memory", _transaction),
    "journal": ("journal", _open),
    "journal closed": ("journal", _closed),
}


def make_images(folder: Path) -> list[Image]:
    """One of each state, made in processes of their own: ours opens no pool."""
    return [_in_child(folder / "made", name) for name in STATES]


def _in_child(path: Path, name: str) -> Image:
    child = os.fork()
    if child == 0:
        try:
            _make(path, name)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if status != 0:
        raise RuntimeError(f"the pool '{name}' was not made: status {status}")
    journal = path.with_name("made.copy.journal")
    image = Image(
        name,
        STATES[name][0],
        path.with_name("made.copy").read_bytes(),
        journal.read_bytes() if journal.exists() else None,
        path.read_bytes(),
    )
    for file in path.parent.glob("made*"):
        file.unlink()
    return image


def _make(path: Path, name: str) -> None:
    backend, leave = STATES[name]
    options: dict[str, Any] = {"size": SIZE, "backend": backend}
    with nvm.open(path, "x", **options):
        pass
    with path.open("r+b") as file:
        data = file.read()
        file.seek(layout.root_object(data) + layout.HASH_KEY)
        file.write(struct.pack("<Q", HASH_KEY))
    pool = nvm.open(path, "w", **options)
    content.fill(pool)

    def copy() -> None:
        path.with_name("made.copy").write_bytes(path.read_bytes())
        journal = path.with_name("made.journal")
        if journal.exists():
            path.with_name("made.copy.journal").write_bytes(journal.read_bytes())

    leave(pool, copy)
    pool.close()
