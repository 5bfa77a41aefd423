"""What there is to do: the same data and the same order of access for every competitor."""

from __future__ import annotations

import random
from dataclasses import dataclass

ATTRIBUTES = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")


@dataclass(frozen=True)
class Work:
    """One case's data.

    Args:
        size: Elements of the list or dict that is read or written.
        batch: Operations of one round.
        transaction: Whether a round is one transaction; else each change is one of its own.
        text: Whether values are strings of 24 characters instead of small integers.
    """

    size: int
    batch: int
    transaction: bool
    text: bool

    def value(self, number: int) -> int | str:
        return f"the value of number {number:04d}" if self.text else number

    def values(self) -> list[int | str]:
        """Values of the whole list or dict."""
        return [self.value(number) for number in range(self.size)]

    def keys(self) -> list[str]:
        """Keys of the whole dict."""
        return [f"key{number:07d}" for number in range(self.size)]

    def places(self) -> list[int]:
        """Where to read or write: `batch` places all over the list or dict."""
        return random.Random(1).choices(range(self.size), k=self.batch)
