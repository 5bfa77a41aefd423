"""What ``pool.check()`` reports."""

from typing import NamedTuple


class Finding(NamedTuple):
    """Something wrong in a pool.

    Attributes:
        kind: ``"damage"``, ``"count"`` (a wrong reference count), ``"leak"`` (a block that
            belongs to nothing) or ``"limbo"`` (an object wrongly waiting, or not, to be freed).
        offset: Where, in bytes from the start of the file; 0 if it is no place.
        what: In words.
    """

    kind: str
    offset: int
    what: str


Finding.__module__ = "nvm.pmemobj"
