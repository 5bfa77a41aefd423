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
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.measure import Timing, measure
from bench.opening import FEW, Opening, measure_openings
from bench.work import Work

OPENING = "opening"
MOST_TIMES_SLOWER = 2  # opening many entries, against opening a few

console = Console(width=None if sys.stdout.isatty() else 110)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure pynvm beside the alternatives."
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="a tenth of the data and of the rounds")
    add("--only", nargs="+", metavar="CASE", help="such as dict_read, list, opening")
    add("--with", nargs="+", metavar="NAME", dest="names", help="competitors, such as nvm lmdb")
    add("--text", action="store_true", help="values are strings of 24 characters, not integers")
    add("--pool", type=Path, metavar="DIR", help="where the files go (default: /dev/shm)")
    add("--dax", action="store_true", help="also nvm with true flushes (PMEM_IS_PMEM_FORCE=1)")
    add("--entries", type=int, help="of the larger pool that is opened (10,000,000)")
    add("--rounds", type=int, help="how often everything is measured (31; openings 9)")
    add("--json", type=Path, metavar="FILE", help="write all figures there")
    return parser.parse_args(arguments)


def main() -> int:
    options = parse()
    if options.dax:
        os.environ["PMEM_IS_PMEM_FORCE"] = "1"  # libpmem reads it when it is loaded, below
    from bench.competitors import BASELINE, COMPETITORS
    from bench.competitors.base import CASES

    wanted = [case for case in (*CASES, OPENING) if _named(case, options.only)]
    competitors = []
    for kind in COMPETITORS:
        if options.names and kind.name not in options.names and kind.name != BASELINE:
            continue
        if reason := kind.missing():
            console.print(f"[dim]without {kind.name}: {reason}[/]")
        else:
            competitors.append(kind)

    parent = options.pool or (Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None)
    folder = Path(tempfile.mkdtemp(prefix="nvm-bench-", dir=parent))
    try:
        cases = [case for case in wanted if case != OPENING]
        timings = run_cases(competitors, cases, folder, options, BASELINE) if cases else {}
        openings = run_openings(competitors, folder, options) if OPENING in wanted else []
    finally:
        shutil.rmtree(folder)
    if options.json:
        options.json.write_text(json.dumps(report(options, timings, openings), indent=1) + "\n")
    return 0


def _named(case: str, only: list[str] | None) -> bool:
    return only is None or any(case.startswith(name) for name in only)


# ---- Operations

Timings = dict[tuple[str, bool], dict[str, Timing]]


def run_cases(
    competitors: list[Any], cases: list[str], folder: Path, options: argparse.Namespace, base: str
) -> Timings:
    """Time each case, single and in a transaction, and print the table."""
    size, batch, rounds = (10_000, 800, 7) if options.quick else (100_000, 4_000, 31)
    stores = {}
    for kind in competitors:
        (folder / kind.name).mkdir()
        stores[kind.name] = kind(folder / kind.name)
    timings: Timings = {}
    try:
        with console.status("") as status:
            for case in cases:
                for transaction in False, True:
                    status.update(_label(case, transaction))
                    work = Work(size, batch, transaction, options.text)
                    runs = {}
                    for name, store in stores.items():
                        try:
                            runs[name] = getattr(store, case)(work)
                        except NotImplementedError:
                            continue
                    timings[case, transaction] = measure(runs, base, options.rounds or rounds)
    finally:
        for store in stores.values():
            store.close()
    console.print(operations_table(timings, list(stores), base))
    return timings


def _label(case: str, transaction: bool) -> str:
    return case.replace("_", " ") + (", in a transaction" if transaction else "")


def operations_table(timings: Timings, names: list[str], base: str) -> Table:
    table = Table(title=f"Nanoseconds an operation (times the {base}'s)", title_justify="left")
    table.add_column("")
    for name in names:
        table.add_column(name, justify="right")
    for (case, transaction), by_name in timings.items():
        row = [_label(case, transaction)]
        for name in names:
            timing = by_name.get(name)
            if timing is None:
                row.append("-")
            elif name == base or timing.ratio is None:
                row.append(f"{timing.median:,.0f}")
            else:
                row.append(f"{timing.median:,.0f} ({timing.ratio:.3g} x)")
        table.add_row(*row, end_section=transaction)
    return table


# ---- Opening


def run_openings(
    competitors: list[Any], folder: Path, options: argparse.Namespace
) -> list[Opening]:
    """Time the openings and print the table."""
    many = options.entries or (1_000_000 if options.quick else 10_000_000)
    rounds = options.rounds or (3 if options.quick else 9)
    openings: list[Opening] = []
    with console.status("") as status:
        for kind in competitors:
            if not kind.persistent:
                continue
            place = folder / f"opening {kind.name}"
            place.mkdir()
            openings += measure_openings(kind.name, place, many, rounds, status.update)
            shutil.rmtree(place)
    console.print(openings_table(openings))
    return openings


def openings_table(openings: list[Opening]) -> Table:
    table = Table(title="Opening, in microseconds", title_justify="left")
    for name in "", "after":
        table.add_column(name)
    for name in "entries", "to read", "open", "times", "first read", "first insert", "file":
        table.add_column(name, justify="right")
    few = {(o.competitor, o.after): o.open for o in openings if o.entries == FEW}
    for o in openings:
        ratio = o.open / few[o.competitor, o.after]
        colour = "green" if ratio <= MOST_TIMES_SLOWER else "red"
        table.add_row(
            o.competitor,
            o.after,
            f"{o.entries:,}",
            f"{o.open_to_read:,.0f}",
            f"{o.open:,.0f}",
            "" if o.entries == FEW else f"[{colour}]{ratio:.2f} x[/]",
            f"{o.read:,.0f}",
            f"{o.insert:,.0f}",
            f"{o.file_bytes / 1e6:,.1f} MB",
            end_section=o.entries != FEW,
        )
    return table


# ---- For machines


def report(
    options: argparse.Namespace, timings: Timings, openings: list[Opening]
) -> dict[str, Any]:
    """All figures, and where they come from."""
    import nvm

    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "nvm": nvm.__version__,
        "options": {key: str(value) for key, value in vars(options).items() if value},
        "operations": [
            {"case": case, "transaction": transaction, "competitor": name, **timing.as_json()}
            for (case, transaction), by_name in timings.items()
            for name, timing in by_name.items()
        ],
        "openings": [asdict(opening) for opening in openings],
    }


if __name__ == "__main__":
    sys.exit(main())
