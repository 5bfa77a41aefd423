"""What a competitor has to offer."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from bench.measure import Run
    from bench.work import Work


class Competitor:
    """One way to keep data in a folder: made by opening it there, new or as it was left, or, if it
    is not writable, only to read what is there.

    For each of the cases there is a method of that name, which prepares the data of a Work and
    returns the Run to be timed. Leave out what a competitor cannot do: the table then has a gap.
    """

    name = ""
    # Whether data outlives the process; then it has fill(), lookup(), insert() and interrupt().
    persistent = True

    def __init__(self, folder: Path, writable: bool = True) -> None:
        self.folder = folder

    @classmethod
    def missing(cls) -> str | None:
        """Why it cannot take part here, if it cannot."""
        return None

    def close(self) -> None:
        """Let go of the files."""

    def transaction(self) -> AbstractContextManager[object]:
        """What makes several changes one."""
        return nullcontext()

    def context(self, work: Work) -> AbstractContextManager[object]:
        """A transaction if the work wants one."""
        return self.transaction() if work.transaction else nullcontext()

    # ---- The cases

    def list_read(self, work: Work) -> Run:
        """Read elements by index, in random order."""
        raise NotImplementedError

    def list_write(self, work: Work) -> Run:
        """Overwrite elements by index, in random order."""
        raise NotImplementedError

    def list_append(self, work: Work) -> Run:
        """Append elements to an empty list."""
        raise NotImplementedError

    def dict_read(self, work: Work) -> Run:
        """Read values by key, in random order."""
        raise NotImplementedError

    def dict_write(self, work: Work) -> Run:
        """Overwrite values by key, in random order."""
        raise NotImplementedError

    def dict_insert(self, work: Work) -> Run:
        """Insert new keys into an empty dict."""
        raise NotImplementedError

    def attribute_read(self, work: Work) -> Run:
        """Read the attributes of one object."""
        raise NotImplementedError

    def attribute_write(self, work: Work) -> Run:
        """Overwrite the attributes of one object."""
        raise NotImplementedError

    # ---- Opening

    def fill(self, entries: int) -> None:
        """Keep a dict of so many entries, "key0" and so on."""
        raise NotImplementedError

    def lookup(self, key: str) -> object:
        """Read one of them."""
        raise NotImplementedError

    def insert(self, key: str, value: int) -> None:
        """Add one."""
        raise NotImplementedError

    def interrupt(self) -> None:
        """Begin a transaction, change something, and leave it open."""
        raise NotImplementedError


CASES = (
    "list_read",
    "list_write",
    "list_append",
    "dict_read",
    "dict_write",
    "dict_insert",
    "attribute_read",
    "attribute_write",
)
