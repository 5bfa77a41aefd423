"""What is printed: who takes part, the operations, the openings, the space."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from bench.cases import CASES
from bench.competitors import BASELINE, OWN
from bench.opening import FEW

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.opening import Opening, Space

MOST_TIMES_SLOWER = 2  # opening many entries, against opening a few
NAMES = ("operation", "")  # the columns that hold words
Result = dict[str, Any]


def made(title: str, *columns: str, left: Iterable[str] = ()) -> Table:
    table = Table(title=title, title_justify="left")
    for name in columns:
        table.add_column(name, justify="left" if name in left else "right", overflow="fold")
    return table


def shown_time(nanoseconds: float) -> str:
    """With three digits and a unit."""
    for unit, size in ("s", 1e9), ("ms", 1e6), ("µs", 1e3):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds:.3g} ns"


def times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.3g} x"


def participants(entries: list[dict[str, str]], head: str) -> Table:
    """Who takes part, what a returned write of each survives, and who cannot and why."""
    columns = ("", "version", "a returned write survives")
    table = made(head, *columns, left=columns)
    for entry in entries:
        last = entry.get("survives") or f"[red]does not take part: {escape(entry['missing'])}[/]"
        table.add_row(entry["name"], entry.get("version", ""), last)
    return table


def operations(results: list[Result], names: list[str], kind: str) -> Table:
    """A line for each case and mode, a column for each competitor."""
    present = _present(results, names)
    table = made(f"{kind}: time of an operation", "operation", "", *present, left=NAMES)
    for result in results:
        table.add_row(*_place(result), *(_cell(result, name) for name in present), **_line(result))
    return table


def ratios(results: list[Result], names: list[str], kind: str) -> Table:
    """The same lines, with nvm's time divided by the built-in's and by the fastest other's."""
    own = [name for name in OWN if name in _present(results, names)]
    columns = [f"{name} / {o}" for name in own for o in (BASELINE, "fastest other")]
    table = made(f"{kind}: nvm beside the others", "operation", "", *columns, left=NAMES)
    for result in results:
        timings = (result["timings"].get(name) for name in own)
        cells = (cell for timing in timings for cell in _ratios(timing))
        table.add_row(*_place(result), *cells, **_line(result))
    return table


def _present(results: list[Result], names: list[str]) -> list[str]:
    return [name for name in names if any(_does(result, name) for result in results)]


def _place(result: Result) -> tuple[str, str]:
    return result["case"] if result["mode"] == "alone" else "", result["mode"]


def _line(result: Result) -> dict[str, Any]:
    return {"end_section": result["mode"] != "alone"}


def _does(result: Result, name: str) -> bool:
    return name in result["timings"] or name in result["failed"]


def _cell(result: Result, name: str) -> str:
    if timing := result["timings"].get(name):
        return shown_time(timing["median"])
    return "[red]failed[/]" if name in result["failed"] else "-"


def _ratios(timing: dict[str, Any] | None) -> tuple[str, str]:
    if timing is None:
        return "-", "-"
    fastest = f"{times(timing['times_fastest'])} {timing['fastest']}" if timing["fastest"] else "-"
    return times(timing["times_builtin"]), fastest


def failures(results: list[Result]) -> list[str]:
    """What did not work, and how."""
    return [
        f"{result['case']}, {result['mode']}: {name} failed: {reason}"
        for result in results
        for name, reason in result["failed"].items()
    ]


def openings(found: list[Opening]) -> Table:
    table = made(
        "Opening, in microseconds",
        *("", "after", "entries", "to read", "open", "times", "first read", "first insert", "file"),
        left=("", "after"),
    )
    few = {(o.competitor, o.after): o.open for o in found if o.entries == FEW}
    for o in found:
        ratio = o.open / few[o.competitor, o.after]
        colour = "green" if ratio <= MOST_TIMES_SLOWER else "red"
        table.add_row(
            o.competitor,
            o.after,
            f"{o.entries:,}",
            f"{o.open_to_read:,.0f}",
            f"{o.open:,.0f}",
            "" if o.entries == FEW else f"[{colour}]{times(ratio)}[/]",
            f"{o.read:,.0f}",
            f"{o.insert:,.0f}",
            f"{o.file_bytes / 1e6:,.1f} MB",
            end_section=o.entries != FEW,
        )
    return table


def spaces(found: list[Space]) -> Table:
    table = made(
        "Space: bytes that each further entry needs (key of 11 characters)",
        *("", "values", "entries", "bytes an entry", "files", f"files with {FEW} entries"),
        left=("", "values"),
    )
    for space in found:
        table.add_row(
            space.competitor,
            space.values,
            f"{space.entries:,}",
            f"{space.per_entry:,.1f}",
            f"{space.file_bytes / 1e6:,.1f} MB",
            f"{space.file_bytes_of_few / 1e6:,.2f} MB",
        )
    return table


def listing() -> Table:
    """All cases, for --list."""
    columns = ("case", "what is timed", "over", "elements of the container")
    table = made("", *columns, left=columns)
    for case in CASES.values():
        length = {None: "all", 0: "none at first"}.get(case.most, f"at most {case.most or 0:,}")
        order = case.order.__name__.replace("_", " ")
        table.add_row(case.name, escape(case.statement), order, length)
    table.add_row("opening", "open, first read, first insert", "", "few and many")
    table.add_row("space", "bytes of files", "", "few and many")
    return table
