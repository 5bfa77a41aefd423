"""How long opening takes, for a few entries and for very many, after close and after SIGKILL; and
how many bytes an entry needs.

Each opening is a process of its own: this module is also the program that it runs.
"""

from __future__ import annotations

import json
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Callable

from bench.competitors import load
from bench.work import Settings, Work, chunks, fill_dict

FEW = 10
STEPS = ("open", "open_to_read", "read", "insert")
PLACE = "data"  # the name of the dict

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Opening:
    """Medians, in microseconds."""

    competitor: str
    entries: int
    after: str  # "close" or "SIGKILL"
    open: float
    open_to_read: float
    read: float  # the first lookup
    insert: float  # the first insert, committed
    file_bytes: int  # of all files


@dataclass(frozen=True)
class Space:
    """What entries need in files, after they were stored and the store was closed."""

    competitor: str
    values: str  # "int" or "str"
    entries: int
    used_bytes: int  # of the files: all of them, unless they grow in large steps
    used_by_few: int  # the same with FEW entries
    file_bytes: int
    file_bytes_of_few: int

    @property
    def per_entry(self) -> float:
        """Bytes that each further entry needs."""
        return (self.used_bytes - self.used_by_few) / (self.entries - FEW)


@dataclass(frozen=True)
class Place:
    """Where a store of so many entries is, and whose."""

    competitor: str
    folder: Path
    entries: int
    settings: Settings

    def child(self, action: str) -> list[str]:
        """The command of a process that does that."""
        request = {
            "competitor": self.competitor,
            "folder": str(self.folder),
            "entries": self.entries,
            "settings": asdict(self.settings),
        }
        return [sys.executable, "-m", "bench.opening", action, json.dumps(request)]

    def run(self, action: str) -> dict[str, float]:
        """Do that, and give what the process found: see Session."""
        output = subprocess.run(self.child(action), check=True, stdout=subprocess.PIPE).stdout
        return dict(json.loads(output))

    def kill(self) -> None:
        """Open it, change something without committing it, and be killed."""
        with subprocess.Popen(self.child("interrupt"), stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            if not child.stdout.readline():
                raise RuntimeError(f"{self.competitor}: the process to kill ended by itself")
            child.send_signal(signal.SIGKILL)

    def fill(self) -> int:
        """Store the entries; gives the bytes that they use."""
        self.folder.mkdir(parents=True)
        return int(self.run("fill").get("used", self.bytes()))

    def bytes(self) -> int:
        files = (path for path in self.folder.rglob("*") if path.is_file())
        return sum(path.stat().st_blocks * 512 for path in files)


def measure_openings(
    competitor: str, folder: Path, settings: Settings, many: int, rounds: int, tell: Tell
) -> list[Opening]:
    """Fill two stores, then open them in turn."""
    places = [Place(competitor, folder / str(size), size, settings) for size in (FEW, many)]
    for place in places:
        tell(f"{competitor}: storing {place.entries:,} entries")
        place.fill()
    seen: dict[tuple[Place, str], list[dict[str, float]]] = {}
    for turn in range(rounds):
        tell(f"{competitor}: opening, round {turn + 1} of {rounds}")
        for after in "close", "SIGKILL":
            for place in places:
                times = {}
                for action in "open_to_read", "open":
                    if after == "SIGKILL":
                        place.kill()
                    times.update(place.run(action))
                seen.setdefault((place, after), []).append(times)
    return [
        Opening(
            competitor,
            place.entries,
            after,
            **{step: statistics.median(times[step] for times in each) for step in STEPS},
            file_bytes=place.bytes(),
        )
        for (place, after), each in seen.items()
    ]


def measure_space(
    competitor: str, folder: Path, settings: Settings, entries: int, tell: Tell
) -> Space:
    """Fill two stores and compare their sizes."""
    values = "str" if settings.text else "int"
    tell(f"{competitor}: storing {entries:,} entries ({values})")
    few, many = (
        Place(competitor, folder / f"{values}{size}", size, settings) for size in (FEW, entries)
    )
    used_by_few, used = few.fill(), many.fill()
    return Space(competitor, values, entries, used, used_by_few, many.bytes(), few.bytes())


# ---- In the process


class Session:
    """One process's use of a store."""

    def __init__(self, place: Place, writable: bool) -> None:
        self.work = Work(place.entries, 0, place.settings.text)
        self.said: dict[str, float] = {}  # microseconds of steps, bytes used
        with self._timed("open" if writable else "open_to_read"):
            self.store = load(place.competitor)(place.folder, place.settings, writable)
            self.entries = self.store.container("dict", PLACE)

    def _timed(self, step: str) -> _Timed:
        return _Timed(self.said, step)

    def fill(self) -> None:
        for numbers in chunks(self.work.size):
            with self.store.inside(self.entries, True) as inside:
                fill_dict(self.work, numbers, inside)
        used = self.store.used_bytes()
        if used is not None:
            self.said["used"] = used

    def interrupt(self) -> None:
        with self.store.inside(self.entries, True) as inside:
            for number in range(100):
                inside[f"never committed {number}"] = self.work.value(number)
            print("ready", flush=True)
            signal.pause()

    def open(self) -> None:
        commit = self.store.commit(self.entries)
        middle = self.work.size // 2
        with self._timed("read"):
            found = self.entries[self.work.key(middle)]
        assert found == self.work.value(middle)
        with self._timed("insert"):
            self.entries[f"inserted {time.time_ns()}"] = self.work.value(1)
            if commit:
                commit()

    def open_to_read(self) -> None:
        """Opening is all."""


class _Timed:
    """Adds the microseconds that a block took to the times."""

    def __init__(self, times: dict[str, float], step: str) -> None:
        self.times = times
        self.step = step

    def __enter__(self) -> None:
        self.start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.times[self.step] = (time.perf_counter() - self.start) * 1e6


def main(action: str, asked: str) -> None:
    """What the process does: fill, open, open_to_read or interrupt."""
    request: dict[str, Any] = json.loads(asked)
    place = Place(
        request["competitor"],
        Path(request["folder"]),
        request["entries"],
        Settings(**request["settings"]),
    )
    load(place.competitor)  # imports what it needs, which is not part of opening
    session = Session(place, writable=action != "open_to_read")
    getattr(session, action)()
    session.store.close()
    print(json.dumps(session.said))


if __name__ == "__main__":
    main(*sys.argv[1:])
