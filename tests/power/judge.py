"""The judge: a process that opens one pool after another (judge.cpp)."""

from __future__ import annotations

import subprocess
import threading
from typing import TYPE_CHECKING

from power import media

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

POOL = "pool"  # its name in the machine's file system
FILES = (POOL, f"{POOL}.journal")
COMMITS = 1000  # that the machine makes in it, if its power is not cut before
PROGRAM = "nvm_power_judge"
PATIENCE = 120  # seconds for one pool; a judge that takes longer hangs


def complaint_in(output: str) -> str | None:
    """What the judge's answer, a line of its output, finds wrong."""
    for line in output.splitlines():
        if line.startswith("ok "):
            return None
        if line.startswith("wrong "):
            return line
    return "the judge has not answered"


class Judge:
    """Judges images. One that the process dies of, or hangs at, is wrong; a new one takes over."""

    def __init__(self, programs: Path, backend: str, folder: Path) -> None:
        self._command = [str(programs / PROGRAM), backend, str(COMMITS)]
        self._folder = folder / "files"
        self._process = self._start()

    def __enter__(self) -> Judge:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.communicate()

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def complaint(self, image: Path, acknowledged: int) -> str | None:
        """What is wrong with the pool in an image, whose file system is recovered; None: nothing.

        Raises:
            FileSystemError: The pool cannot even be looked for.
        """
        media.recover(image)
        media.extract(image, self._folder, FILES)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        watch = threading.Timer(PATIENCE, self._process.kill)
        watch.start()
        self._process.stdin.write(f"{self._folder / POOL} {acknowledged}\n")
        self._process.stdin.flush()
        verdict = self._process.stdout.readline()
        watch.cancel()
        if not verdict:
            status = self._process.wait()
            self._process = self._start()
            return f"the judge ended with {status}"
        return complaint_in(verdict)
