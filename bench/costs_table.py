"""The table of costs: printed by --floor, kept in README.md, brought up to date by --readme."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.costs import COSTS, Cost, counted_tables

if TYPE_CHECKING:
    from bench.floor import Floor, Units

README = Path(__file__).parent / "README.md"
BEGIN, END = "<!-- costs -->\n", "<!-- end of costs -->\n"

LINES = "lines of the pool"
COLUMNS = ("operation", LINES, "flushes", "fences", "publishes", "ints made")
FIGURES = ("floor", "measured", "core + binding")


def rows(floors: list[Floor]) -> tuple[list[str], list[list[str]]]:
    """The heads of all columns, and the rows; without figures if there are none."""
    names = list(dict.fromkeys(floor.competitor for floor in floors))
    by_place = {(floor.cost.case, floor.competitor): floor for floor in floors}
    tables = counted_tables()
    heads = [*COLUMNS, *(f"{name}: {figure}" for name in names for figure in FIGURES)]
    if not names:
        heads += FIGURES
    return heads, [
        [
            *_fixed(cost, tables),
            *(cell for name in names or [""] for cell in _figures(by_place.get((cost.case, name)))),
        ]
        for cost in COSTS
    ]


def _fixed(cost: Cost, tables: dict) -> list[str]:  # type: ignore[type-arg]
    counts = cost.counts(tables)
    numbers = counts.flushes, counts.fences, counts.publishes, cost.integers
    return [cost.case, cost.lines, *map(str, numbers)]


def _figures(floor: Floor | None) -> list[str]:
    if floor is None:
        return ["-"] * len(FIGURES)
    return [f"{figure:,.0f}" for figure in (floor.floor, floor.measured, floor.rest)]


def units_line(units: Units) -> str:
    """The parts' costs, in a sentence."""
    return (
        f"A turn of the loop {units.turn:.1f} ns, making an int {units.integer:.1f} ns, making a "
        f"str of 20 characters {units.text:.1f} ns, a line written back and fenced "
        f"{units.persist:.1f} ns, without the fence {units.flush:.1f} ns."
    )


def markdown(units: Units | None, floors: list[Floor], head: str) -> str:
    """The table as README.md has it."""
    heads, body = rows(floors)
    lines = ["| " + " | ".join(row) + " |\n" for row in (heads, ["---"] * len(heads), *body)]
    said = f"{head}: {units_line(units)}\n" if units else "Not measured yet.\n"
    return f"{said}\n{''.join(lines)}"


def write_readme(table: str, file: Path = README) -> None:
    """Put the table in the place of the one that is there."""
    text = file.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    file.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")
