"""How long opening takes, for a few entries and for very many, after close and after SIGKILL.

Each opening is a process of its own: this module is also the program that it runs.
"""

from __future__ import annotations

import json
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FEW = 10


@dataclass(frozen=True)
class Opening:
    """Medians, in microseconds."""

    competitor: str
    entries: int
    after: str  # "close" or "SIGKILL"
    open: float
    open_to_read: float
    read: float  # the first lookup
    insert: float  # the first insert, durable
    file_bytes: int  # of all files


def measure_openings(
    competitor: str, folder: Path, many: int, rounds: int, tell: Any = lambda text: None
) -> list[Opening]:
    """Fill two stores, then open them in turn."""
    sizes = (FEW, many)
    for entries in sizes:
        tell(f"{competitor}: storing {entries:,} entries")
        (folder / str(entries)).mkdir()
        _child("fill", competitor, folder / str(entries), entries)
    seen: dict[tuple[int, str], list[dict[str, float]]] = {}
    for turn in range(rounds):
        tell(f"{competitor}: opening, round {turn + 1} of {rounds}")
        for after in "close", "SIGKILL":
            for entries in sizes:
                store = folder / str(entries)
                if after == "SIGKILL":
                    _killed("interrupt", competitor, store, entries)
                times = _child("open_to_read", competitor, store, entries)
                times.update(_child("open", competitor, store, entries))
                seen.setdefault((entries, after), []).append(times)
    return [
        Opening(
            competitor,
            entries,
            after,
            **{
                step: statistics.median(times[step] for times in rounds_seen)
                for step in ("open", "open_to_read", "read", "insert")
            },
            file_bytes=_bytes_in(folder / str(entries)),
        )
        for (entries, after), rounds_seen in seen.items()
    ]


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def _command(action: str, competitor: str, folder: Path, entries: int) -> list[str]:
    return [sys.executable, "-m", "bench.opening", action, competitor, str(folder), str(entries)]


def _child(action: str, competitor: str, folder: Path, entries: int) -> dict[str, float]:
    command = _command(action, competitor, folder, entries)
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    return dict(json.loads(output))


def _killed(action: str, competitor: str, folder: Path, entries: int) -> None:
    command = _command(action, competitor, folder, entries)
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        if not child.stdout.readline():
            raise RuntimeError(f"{shown(command)} ended by itself")
        child.send_signal(signal.SIGKILL)


def shown(command: list[str]) -> str:
    """A command for a message."""
    return " ".join(command[1:])


def main(action: str, name: str, folder: str, entries: str) -> None:
    """What the child does."""
    from bench.competitors import COMPETITORS

    competitor = next(kind for kind in COMPETITORS if kind.name == name)
    times = {}
    start = time.perf_counter()
    store = competitor(Path(folder), writable=action != "open_to_read")
    times["open_to_read" if action == "open_to_read" else "open"] = time.perf_counter() - start
    if action == "fill":
        store.fill(int(entries))
    elif action == "interrupt":
        store.interrupt()
        print("ready", flush=True)
        signal.pause()
    elif action == "open":
        start = time.perf_counter()
        found = store.lookup(f"key{int(entries) // 2}")
        times["read"] = time.perf_counter() - start
        assert found == int(entries) // 2
        start = time.perf_counter()
        store.insert(f"inserted {time.time_ns()}", 1)
        times["insert"] = time.perf_counter() - start
    store.close()
    print(json.dumps({step: seconds * 1e6 for step, seconds in times.items()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
