"""What a trial finds: which exceptions are right answers to damage, and which are findings."""

from __future__ import annotations

import json
import mmap
import os
import re
import traceback
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeVar

import nvm

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

STEP_BYTES = 4096
MOST_FINDINGS = 5
# What Python itself says of values that are as damage has left them: a slice is a key from 3.12 on
# only, and a dataclass that has lost a field can be read, but not hashed.
RIGHT = re.compile(r"unhashable type: 'slice'|'Money' object has no attribute '\w+'")


class Report:
    """Of a trial, written by its process, read by that which started it.

    The name of the step lies in shared memory, so that it is known of a process that died.
    """

    def __init__(self) -> None:
        self._step = mmap.mmap(-1, STEP_BYTES)
        self._reader, self._writer = os.pipe()
        self.clear()

    def clear(self) -> None:
        self.tries = 0
        self.errors: Counter[str] = Counter()
        self.findings: list[dict[str, str]] = []
        self.checked_clean = False
        self.damage: list[str] = []
        self.note("start")

    def note(self, step: str) -> None:
        encoded = step.encode()[: STEP_BYTES - 1]
        self._step[: len(encoded) + 1] = encoded + b"\0"

    @property
    def step(self) -> str:
        """What was done last."""
        return self._step[:].split(b"\0", 1)[0].decode(errors="replace")

    def attempt(self, step: str, function: Callable[[], T], *fine: type[BaseException]) -> T | None:
        """Tries it. Errors of nvm's are right, and those named; others are findings."""
        self.note(step)
        self.tries += 1
        try:
            return function()
        except fine as error:
            self.errors[type(error).__name__] += 1
        except nvm.Error as error:
            self.errors[type(error).__name__] += 1
            if type(error) is nvm.Error:
                self.find(step, error)
            if self.checked_clean and isinstance(error, nvm.PoolCorruptError):
                self.find(f"{step}, of which check() knew nothing", error)
        except Exception as error:
            if not RIGHT.fullmatch(str(error)):
                self.find(step, error)
        return None

    def find(self, step: str, error: BaseException | str) -> None:
        if isinstance(error, str):
            kind, what, where = "wrong", error, ""
        else:
            kind, what = type(error).__name__, str(error)
            where = "".join(traceback.format_tb(error.__traceback__)[-3:])
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append({"step": step, "kind": kind, "what": what[:500], "where": where})

    # ---- Between the processes

    def send(self) -> None:
        content = {
            "tries": self.tries,
            "errors": self.errors,
            "findings": self.findings,
            "damage": [line[:300] for line in self.damage[:12]],
        }
        os.write(self._writer, json.dumps(content).encode()[:60_000] + b"\n")

    def received(self) -> list[dict[str, Any]]:
        """All that was sent; the sender has ended."""
        os.set_blocking(self._reader, False)
        data = b""
        while True:
            try:
                data += os.read(self._reader, 1 << 16)
            except BlockingIOError:
                break
        return [json.loads(line) for line in data.splitlines()]
