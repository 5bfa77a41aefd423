"""What ``pool.check()`` reports."""

from typing import NamedTuple


class Finding(NamedTuple):
    """Something wrong in a pool.

    Attributes:
        kind: ``"damage"``, ``"count"`` (a wrong reference count), ``"leak"`` (a block that
            belongs to nothing) or ``"limbo"`` (an object wrongly waiting, or not, to be freed).
        offset: Where, in bytes from the start of the file; 0 if it is no place.
        what: In words, beginning with the path.
        path: How Python reaches the object or place concerned: ``pool["users"][3].name``,
            ``pool.root[0]``. Elements of sets and frozensets, which have no index, are written
            ``{0}``. Empty if nothing leads there.
        repaired: What ``check(repair=True)`` has done about it, in words; empty: nothing.
        kept: Why ``check(repair=True)`` has left it as it was, in words: what was there is not
            known, something else may refer to it, there is no room. Empty: it has been repaired,
            or no repair was asked for.
    """

    kind: str
    offset: int
    what: str
    path: str = ""
    repaired: str = ""
    kept: str = ""


Finding.__module__ = "nvm.pmemobj"
