"""The command line: python -m bench [--quick] [--only CASE ...] [--json FILE] ..."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench import costs_table, tables
from bench.cases import CASES
from bench.competitors import BASELINE, COMPETITORS, OWN, load
from bench.costs import COSTS
from bench.floor import Units, floors, measure_units
from bench.group import MODES, Request, run_group
from bench.opening import Opening, Space, measure_openings, measure_space
from bench.work import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

OPENING, SPACE = "opening", "space"
SHARED_MEMORY = Path("/dev/shm")
NARROW = 140  # columns, where the output is not a terminal

console = Console(width=None if sys.stdout.isatty() else NARROW, highlight=False)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure pynvm beside the alternatives."
    )
    add = parser.add_argument
    add("--list", action="store_true", help="list the cases and who can take part")
    add("--quick", action="store_true", help="a tenth of the data and fewer rounds")
    add("--only", nargs="+", metavar="CASE", help="beginnings of names: dict.read set opening")
    add("--with", nargs="+", metavar="NAME", dest="names", help="competitors, such as nvm lmdb")
    add("--size", type=int, help="elements of a full container (100,000)")
    add("--entries", type=int, help="of the larger store for opening and space (1,000,000)")
    add("--batch", type=int, default=4_096, help="operations of a round, at most (4,096)")
    add("--repeat", type=int, help="rounds that count (21; openings 7)")
    add("--text", action="store_true", help="values are strings of 20 characters, not integers")
    add("--folder", type=Path, metavar="DIR", help="where the files go (default: /dev/shm)")
    add("--dax", action="store_true", help="also nvm with true flushes (PMEM_IS_PMEM_FORCE=1)")
    add(
        "--durability",
        choices=("process", "power"),
        default="process",
        help="what a write of the "
        "competitors survives, if they leave a choice: a kill (default), or a power cut",
    )
    add("--synchronous", choices=("OFF", "NORMAL", "FULL", "EXTRA"), help="SQLite's, by itself")
    add("--json", type=Path, metavar="FILE", help="write all figures there")
    add("--plot", type=Path, metavar="FILE", help="draw the operations: .png, .svg, .pdf")
    add("--floor", action="store_true", help="compare nvm with what its parts must cost")
    add("--readme", action="store_true", help="with --floor: write that into bench/README.md")
    return parser.parse_args(arguments)


def main() -> int:
    options = parse()
    if options.dax:
        os.environ["PMEM_IS_PMEM_FORCE"] = "1"  # libpmem reads it when it is loaded
    settings = Settings(options.text, options.durability, options.synchronous)
    entries = list(participants(options.names, settings))
    taking = [entry["name"] for entry in entries if "missing" not in entry]
    if options.list:
        console.print(tables.listing())
        console.print(tables.participants(entries, "Competitors"))
        return 0
    folder = Path(tempfile.mkdtemp(prefix="nvm-bench-", dir=parent_folder(options.folder)))
    try:
        console.print(tables.participants(entries, headline(options, settings, folder)))
        return Runner(options, settings, taking, folder, entries).run()
    finally:
        shutil.rmtree(folder)


def participants(names: list[str] | None, settings: Settings) -> Iterator[dict[str, str]]:
    """Everyone, or those named and the baseline: with what they guarantee, or why they cannot."""
    for name in COMPETITORS:
        if names and name not in names and name != BASELINE:
            continue
        try:
            kind = load(name)
        except ImportError as error:
            yield {"name": name, "missing": str(error)}
        else:
            yield {"name": name, "version": kind.version(), "survives": kind.survives(settings)}


def parent_folder(wanted: Path | None) -> Path | None:
    if wanted is None and os.access(SHARED_MEMORY, os.W_OK):
        return SHARED_MEMORY
    return wanted and wanted.resolve()


def file_system(folder: Path) -> str:
    """The type of the file system that a folder lies on."""
    mounts = (line.split()[1:3] for line in Path("/proc/self/mounts").read_text().splitlines())
    around = [(place, kind) for place, kind in mounts if folder.is_relative_to(place)]
    return max(around, key=lambda mount: len(mount[0]))[1] if around else "unknown"


def headline(options: argparse.Namespace, settings: Settings, folder: Path) -> str:
    values = "str of 20 characters" if options.text else "int"
    return (
        f"Files on {file_system(folder)}; values {values}; writes have to survive: "
        f"{'a power cut' if settings.power else 'a kill'}"
    )


class Runner:
    """Everything that one command measures, prints and writes."""

    def __init__(
        self,
        options: argparse.Namespace,
        settings: Settings,
        taking: list[str],
        folder: Path,
        entries: list[dict[str, str]],
    ) -> None:
        self.options = options
        self.settings = settings
        self.taking = taking
        self.folder = folder
        self.entries = entries
        self.results: list[dict[str, Any]] = []
        self.openings: list[Opening] = []
        self.spaces: list[Space] = []
        self.units: Units | None = None
        self.failures: list[str] = []
        self.head = headline(options, settings, folder)

    def run(self) -> int:
        if self.options.floor:
            self.run_floor()
        else:
            self.run_all()
        for failure in self.failures:
            console.print(failure, style="red", markup=False)
        if self.options.json:
            self.options.json.write_text(json.dumps(self.report(), indent=1) + "\n")
        if self.options.plot and self.results:
            self.plot()
        return 1 if self.failures else 0

    def run_all(self) -> None:
        only = self.options.only
        kinds = {kind for name in self.taking if load(name).persistent for kind in load(name).kinds}
        cases = [name for name, case in CASES.items() if _named(name, only) and case.kind in kinds]
        self.run_cases(cases, self.taking)
        for kind, results in groupby(self.results, lambda result: result["case"].split(".")[0]):
            of_kind = list(results)
            console.print(tables.operations(of_kind, self.taking, kind))
            if any(name in OWN for name in self.taking):
                console.print(tables.ratios(of_kind, self.taking, kind))
        persistent = [name for name in self.taking if load(name).persistent]
        if _named(OPENING, only):
            self.run_stores(self.open_stores, persistent)
            if self.openings:
                console.print(tables.openings(self.openings))
        if _named(SPACE, only):
            self.run_stores(self.measure_spaces, persistent)
            if self.spaces:
                console.print(tables.spaces(self.spaces))

    # ---- Operations

    def run_cases(self, cases: list[str], taking: list[str]) -> None:
        """Measure the cases, those of a kind in a process of their own."""
        with bar(len(cases) * len(MODES)) as tell:
            for kind, names in groupby(cases, lambda name: CASES[name].kind):
                place = self.folder / kind
                place.mkdir()
                request = Request(
                    cases=list(names),
                    competitors=taking,
                    folder=str(place),
                    size=self.options.size or (10_000 if self.options.quick else 100_000),
                    batch=self.options.batch,
                    rounds=self.rounds(5, 21),
                    settings=asdict(self.settings),
                )
                try:
                    self.results.extend(run_group(request, tell))
                except RuntimeError as error:
                    self.failures.append(str(error))
                shutil.rmtree(place)
        self.failures += tables.failures(self.results)

    def rounds(self, quick: int, usual: int) -> int:
        return self.options.repeat or (quick if self.options.quick else usual)

    # ---- Stores

    def run_stores(
        self, action: Callable[[str, Path, Callable[[str], None]], None], names: list[str]
    ) -> None:
        """Do that for each, in a folder of its own; who fails is reported."""
        with bar(None) as tell:
            for name in names:
                place = self.folder / f"store {name}"
                try:
                    action(name, place, tell)
                except Exception as error:  # of its processes; the others go on
                    self.failures.append(f"{action.__name__}: {name} failed: {error}")
                shutil.rmtree(place, ignore_errors=True)

    @property
    def many(self) -> int:
        """Entries of the larger store."""
        return self.options.entries or (100_000 if self.options.quick else 1_000_000)

    def open_stores(self, name: str, place: Path, tell: Callable[[str], None]) -> None:
        rounds = self.rounds(3, 7)
        self.openings += measure_openings(name, place, self.settings, self.many, rounds, tell)

    def measure_spaces(self, name: str, place: Path, tell: Callable[[str], None]) -> None:
        for text in False, True:
            settings = Settings(text, self.settings.durability, self.settings.synchronous)
            self.spaces.append(measure_space(name, place, settings, self.many, tell))

    # ---- The floor

    def run_floor(self) -> None:
        """Measure nvm and its parts, compare, and write README.md if that is wanted."""
        self.units = measure_units(self.folder)
        taking = [name for name in self.taking if name in (BASELINE, *OWN)]
        self.run_cases([cost.case for cost in COSTS], taking)
        found = floors(self.units, self.results)
        heads, body = costs_table.rows(found)
        wide = heads.index(costs_table.LINES)  # README.md has room for it
        heads.pop(wide)
        table = tables.made("What operations must cost, in nanoseconds", *heads, left=heads[:1])
        for row in body:
            table.add_row(*row[:wide], *row[wide + 1 :])
        console.print(table)
        console.print(costs_table.units_line(self.units))
        if self.options.readme:
            head = f"{load(BASELINE).version()}, files on {file_system(self.folder)}"
            costs_table.write_readme(costs_table.markdown(self.units, found, head))

    # ---- Files

    def plot(self) -> None:
        try:
            from bench.plot import draw
        except ImportError as error:
            self.failures.append(f"no plot: {error}")
            console.print(f"[red]no plot: {error}[/]")
        else:
            draw(self.results, self.taking, self.head, self.options.plot)

    def report(self) -> dict[str, Any]:
        """All figures, and where they come from."""
        return {
            "python": f"{platform.python_implementation()} {platform.python_version()}",
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
            "cpus": os.cpu_count(),
            "head": self.head,
            "options": {key: str(value) for key, value in vars(self.options).items() if value},
            "competitors": self.entries,
            "operations": self.results,
            "openings": [asdict(opening) for opening in self.openings],
            "spaces": [{**asdict(space), "per_entry": space.per_entry} for space in self.spaces],
            "units": asdict(self.units) if self.units else None,
            "failures": self.failures,
        }


def _named(name: str, only: list[str] | None) -> bool:
    return only is None or any(name.startswith(beginning) for beginning in only)


def bar(steps: int | None) -> Any:
    """A progress bar; gives the function that tells of each step."""
    return _Bar(steps)


class _Bar:
    def __init__(self, steps: int | None) -> None:
        columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
        more = (MofNCompleteColumn(),) if steps else ()
        self.progress = Progress(*columns, *more, console=console, transient=True)
        self.task = self.progress.add_task("", total=steps)
        self.begun = False

    def __enter__(self) -> Callable[[str], None]:
        self.progress.__enter__()
        return self.tell

    def tell(self, step: str) -> None:
        self.progress.update(self.task, description=step, advance=int(self.begun))
        self.begun = True

    def __exit__(self, *details: Any) -> None:
        self.progress.__exit__(*details)


if __name__ == "__main__":
    sys.exit(main())
