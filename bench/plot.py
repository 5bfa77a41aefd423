"""A picture of the operations: a bar for each competitor, on a logarithmic scale of time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from bench.group import ALONE, MODES, TOGETHER

if TYPE_CHECKING:
    from pathlib import Path

INCHES_OF_A_BAR = 0.11
TITLES = {ALONE: "each operation by itself", TOGETHER: "a round in one transaction"}
INCHES_AROUND = 1.6


def draw(results: list[dict[str, Any]], names: list[str], head: str, file: Path) -> None:
    """Write a picture (its kind by the file's name) with a column for each mode."""
    places = _places(results, names)
    bars = max(places.values()) + 1
    figure = Figure(figsize=(14, INCHES_AROUND + bars * INCHES_OF_A_BAR), layout="constrained")
    figure.suptitle(head)
    columns = figure.subplots(1, len(MODES), sharey=True)
    for axes, mode in zip(columns, MODES):
        for number, name in enumerate(names):
            medians = {
                places[result["case"], name]: result["timings"][name]["median"]
                for result in results
                if result["mode"] == mode and name in result["timings"]
            }
            axes.barh(list(medians), list(medians.values()), color=f"C{number}", label=name)
        axes.set_xscale("log")
        axes.set_xlabel("nanoseconds an operation")
        axes.set_title(TITLES[mode])
        axes.grid(axis="x", alpha=0.3)
        axes.margins(y=0.01)
    first = {case: place for (case, _), place in reversed(places.items())}
    axes.set_yticks(list(first.values()), list(first))
    axes.invert_yaxis()
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(names))
    figure.savefig(file)


def _places(results: list[dict[str, Any]], names: list[str]) -> dict[tuple[str, str], int]:
    """Where the bar of each case and competitor is: one under the other, cases apart."""
    measured = {(r["case"], name) for r in results for name in r["timings"]}
    places: dict[tuple[str, str], int] = {}
    for case in dict.fromkeys(result["case"] for result in results):
        start = max(places.values(), default=-2) + 2
        present = [name for name in names if (case, name) in measured]
        places.update({(case, name): start + number for number, name in enumerate(present)})
    return places
