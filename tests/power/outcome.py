"""What cuts have shown, told and kept."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from power import image, media

if TYPE_CHECKING:
    from pathlib import Path

FAILED = image.FOLDER / "failed"
MOST_KEPT = 5
MOST_TOLD = 3
SIGN_OF_LIFE = 30  # seconds between two


@dataclass
class Outcome:
    """Counts the cuts of one kind. Of a control, which leaves something out, some must be wrong."""

    name: str
    seed: int
    left_out: str = ""
    cuts: int = 0
    wrong: list[str] = field(default_factory=list)
    _begin: float = field(default_factory=time.monotonic)
    _told: float = field(default_factory=time.monotonic)

    def begin(self) -> None:
        """What was before is not counted to the cuts' time."""
        self._begin = time.monotonic()

    def add(self, where: str, complaint: str | None) -> bool:
        """Counts a cut. True if what it left should be kept, to be judged again."""
        self.cuts += 1
        if time.monotonic() - self._told > SIGN_OF_LIFE:
            self._told = time.monotonic()
            print(f"  {self.cuts} cuts, {len(self.wrong)} wrong", flush=True)
        if complaint is None:
            return False
        self.wrong.append(f"{where}: {complaint}")
        return not self.left_out and len(self.wrong) <= MOST_KEPT

    def keep(self, disk: Path, backend: str, acknowledged: int) -> None:
        FAILED.mkdir(exist_ok=True)
        kept = FAILED / f"{self.name}-{self.seed}-{self.cuts}.img"
        media.copy(disk, kept)
        print(
            f"power: WRONG: {self.wrong[-1]}\n"
            f"    again: make power-test ARGS='judge {backend} {kept} {acknowledged}'",
            flush=True,
        )

    @property
    def passed(self) -> bool:
        return self.cuts > 0 and bool(self.wrong) == bool(self.left_out)

    def tell(self) -> None:
        each = (time.monotonic() - self._begin) / max(self.cuts, 1)
        control = f", control without {self.left_out}" if self.left_out else ""
        print(
            f"power: {self.name}{control}: {self.cuts} cuts, {len(self.wrong)} wrong"
            f"{' as it must be' if self.left_out and self.wrong else ''}, "
            f"{each:.3f} s a cut, seed {self.seed}: {'passed' if self.passed else 'FAILED'}"
        )
        for line in self.wrong[:MOST_TOLD]:
            print(f"    {line}", flush=True)
