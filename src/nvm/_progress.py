"""The bar that ``progress=True`` shows."""

from __future__ import annotations

import sys

_WIDTH = 40


class Bar:
    """A function of (done, total) that draws on standard error, if that is a terminal."""

    def __init__(self) -> None:
        self._shown = -1

    def __call__(self, done: int, total: int) -> None:
        """Draw how much of the work is done."""
        stream = sys.stderr
        if stream is None or not stream.isatty():
            return
        part = 1.0 if total <= 0 else min(done / total, 1.0)
        percent = int(part * 100)
        if percent == self._shown:
            return
        self._shown = percent
        filled = int(part * _WIDTH)
        end = "\n" if done >= total else ""
        stream.write(f"\r[{'#' * filled}{'.' * (_WIDTH - filled)}] {percent:3d}%{end}")
        stream.flush()
