"""What durability costs on a disk: ``python -m bench.durable --folder DIR``.

The folder has to be on the disk that is asked about: on a tmpfs a sync costs nothing.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.durable import commits, pools

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.durable.figures import Figure

Part = Callable[[Path], "Iterator[Figure]"]
console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)


def parts(quick: bool) -> dict[str, Part]:
    """What can be measured, by name."""
    rounds = 5 if quick else 21
    few = 1 if quick else 5
    return {
        "durable": partial(commits.commits, power=True, rounds=rounds),
        "relaxed": partial(commits.commits, power=False, rounds=rounds),
        "threads": partial(commits.threads, rounds=few, seconds=0.5 if quick else 2),
        "mixed": partial(commits.mixed, rounds=few, operations=2_000 if quick else 20_000),
        "memory": partial(commits.beside_memory, rounds=rounds),
        "recovery": partial(pools.recovery, rounds=few, entries=20_000 if quick else 200_000),
        "opening": partial(pools.opening, rounds=rounds, gibibytes=0.25 if quick else 10),
        "checkpoints": partial(pools.checkpoints, seconds=2 if quick else 20),
        "values": partial(pools.large_values, rounds=few, mebibytes=64 if quick else 1024),
    }


def table(figures: list[Figure], head: str) -> Table:
    found = Table(title=head, title_justify="left")
    for name in ("", "nvm", "beside", "theirs", "ratio", "aim"):
        found.add_column(name, justify="left" if name in ("", "beside") else "right")
    for figure in figures:
        ratio = "" if figure.ratio is None else f"{figure.ratio:.3g} x"
        aim = ""
        if figure.aim is not None:
            colour = "green" if figure.reached else "red"
            sign = "at least" if figure.more_is_better else "at most"
            unit = f" {figure.unit}" if figure.theirs is None else " x"
            aim = f"[{colour}]{sign} {figure.aim:g}{unit}[/]"
        theirs = "" if figure.theirs is None else f"{figure.theirs:,.4g} {figure.unit}"
        found.add_row(
            escape(figure.what),
            f"{figure.ours:,.4g} {figure.unit}",
            figure.other,
            theirs,
            ratio,
            aim,
        )
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.durable", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="on the disk asked about")
    parser.add_argument("--quick", action="store_true", help="less data, fewer rounds")
    parser.add_argument("--only", nargs="+", choices=parts(True), help="some of it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="nvm-bench-", dir=options.folder.resolve()))
    figures: list[Figure] = []
    try:
        for name, measured in parts(options.quick).items():
            if options.only and name not in options.only:
                continue
            with console.status(name):
                figures += measured(folder)
    finally:
        shutil.rmtree(folder)
    console.print(table(figures, "nvm on the journal backend"))
    if options.json:
        lines = [{**asdict(f), "ratio": f.ratio, "reached": f.reached} for f in figures]
        options.json.write_text(json.dumps(lines, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
