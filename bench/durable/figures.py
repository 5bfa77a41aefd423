"""A figure: what nvm takes and what another one takes, as their ratio, and the ratio aimed at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One line of the table; `ours` and `theirs` in the same unit.

    Args:
        what: What is measured.
        ours: nvm's, on the journal backend.
        unit: Of both: "us", "ms", "MB/s", "commits/s".
        other: Beside whom or what; empty if the figure stands alone.
        theirs: The other's.
        aim: How large ours / theirs (ours alone, without another) may be; where more is better,
            how large it has to be.
        more_is_better: Whether that is so.
    """

    what: str
    ours: float
    unit: str
    other: str = ""
    theirs: float | None = None
    aim: float | None = None
    more_is_better: bool = False
    ratio_of_rounds: float | None = None  # the median of the rounds' ratios, where there are rounds

    @property
    def ratio(self) -> float | None:
        if self.ratio_of_rounds is not None or self.theirs is None:
            return self.ratio_of_rounds
        return self.ours / self.theirs

    @property
    def reached(self) -> bool | None:
        """Whether the aim is; None without one."""
        found = self.ours if self.theirs is None else self.ratio
        if self.aim is None or found is None:
            return None
        return found >= self.aim if self.more_is_better else found <= self.aim
