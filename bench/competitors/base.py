"""What a competitor has to offer: containers that are used as Python's are."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from pathlib import Path

    from bench.cases import Case
    from bench.work import Settings

KILL = "a kill"
POWER = "a power cut"


class NotOffered(Exception):  # noqa: N818 - nothing is wrong, there is only nothing to time
    """What a competitor does not have: the table shows a dash."""


class Competitor:
    """One way to keep data in a folder: made by opening it there, new or as it was left, or, if it
    is not writable, only to read what is there.

    Its containers are used by the statements of bench/cases.py. Those of a database are as much of
    a dict as that needs: [], del, get, in, keys, items, update, clear.
    """

    name = ""
    # Whether data outlives the process.
    persistent = True
    # The containers that it has: of "list", "dict", "set", "bytearray", "object", "nested".
    kinds: frozenset[str] = frozenset({"dict"})
    # Whether several writes can be one, by inside().
    transactions = True

    def __init__(self, folder: Path, settings: Settings, writable: bool = True) -> None:
        self.folder = folder
        self.settings = settings
        self.writable = writable

    @classmethod
    def missing(cls) -> str | None:
        """Why it cannot take part here, if it cannot though it is installed."""
        return None

    @classmethod
    def version(cls) -> str:
        """Which one this is."""
        raise NotImplementedError

    @classmethod
    def survives(cls, settings: Settings) -> str:
        """What a returned write survives, and by which setting."""
        raise NotImplementedError

    def container(self, kind: str, place: str) -> Any:
        """The container of that name, a new and empty one if there is none."""
        raise NotImplementedError

    def commit(self, container: Any) -> Callable[[], object] | None:
        """What has to be called after a write; None: each write is a commit by itself."""
        return None

    def inside(self, container: Any, writes: bool) -> AbstractContextManager[Any]:
        """A transaction: gives what to use instead of the container in it."""
        return nullcontext(container)

    def statement(self, case: Case) -> str:
        """The statement of a case, where it is not spelled as everywhere; `store` is this."""
        return case.statement

    def used_bytes(self) -> int | None:
        """What is in use of its files, where they grow in large steps; else None."""
        return None

    def close(self) -> None:
        """Let go of the files."""
