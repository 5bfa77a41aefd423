"""The benchmark: what it drives does what it says. How fast that is, is never asserted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

rich = pytest.importorskip("rich")
from bench import costs_table  # noqa: E402 - only with rich
from bench.cases import CASES, compiled  # noqa: E402
from bench.competitors import BASELINE, COMPETITORS, load  # noqa: E402
from bench.costs import COSTS, counted_tables  # noqa: E402
from bench.durable import commits, pools  # noqa: E402
from bench.durable.__main__ import parts, table  # noqa: E402
from bench.durable.figures import Figure  # noqa: E402
from bench.group import MODES, Stage  # noqa: E402
from bench.measure import Run, measure, timings  # noqa: E402
from bench.opening import Place  # noqa: E402
from bench.work import Settings, Work  # noqa: E402

ROOT = Path(__file__).parents[2]
SIZE, BATCH = 250, 20


def taking_part():
    """Each competitor as a parameter; those that are not installed are skipped, with the reason."""
    for name in COMPETITORS:
        try:
            load(name)
        except ImportError as error:
            yield pytest.param(name, marks=pytest.mark.skip(reason=str(error)))
        else:
            yield name


@pytest.fixture(params=taking_part())
def competitor(request):
    return load(request.param)


@pytest.fixture(params=[False, True], ids=["int", "str"])
def settings(request):
    return Settings(text=request.param)


def write(store, container, statement):
    """A change by itself, the way the benchmark makes it."""
    commit = store.commit(container)
    compiled("_", statement + ("\ncommit()" if commit else ""), commit=commit)(container, [0])


# ---- Adapters


def test_a_dict_keeps_what_was_written_alone_and_together(competitor, settings, tmp_path):
    value = Work(SIZE, BATCH, settings.text).value
    store = competitor(tmp_path, settings)
    container = store.container("dict", "d")
    write(store, container, f"c['alone'] = {value(1)!r}")
    write(store, container, f"c['changed'] = {value(2)!r}")
    write(store, container, f"c['changed'] = {value(3)!r}")
    write(store, container, f"c['deleted'] = {value(4)!r}")
    write(store, container, "del c['deleted']")
    with store.inside(container, True) as inside:
        inside["together"] = value(5)
        inside.update({"first": value(6), "second": value(7)})
    expected = {
        "alone": value(1),
        "changed": value(3),
        "together": value(5),
        "first": value(6),
        "second": value(7),
    }
    for _ in range(2 if competitor.persistent else 1):
        with store.inside(container, False) as inside:
            for reader in container, inside:
                assert {key: reader[key] for key in expected} == expected
                assert dict(reader.items()) == expected
                assert sorted(reader.keys()) == sorted(expected)
                assert reader.get("first") == value(6)
                assert reader.get("deleted") is None
                assert "second" in reader
                assert "deleted" not in reader
        if competitor.persistent:
            store.close()
            store = competitor(tmp_path, settings)
            container = store.container("dict", "d")
    store.close()


def test_a_cleared_dict_is_empty(competitor, settings, tmp_path):
    store = competitor(tmp_path, settings)
    container = store.container("dict", "d")
    with store.inside(container, True) as inside:
        inside["a"] = inside["b"] = Work(1, 1, settings.text).value(1)
    with store.inside(container, True) as inside:
        inside.clear()
    assert list(container.keys()) == []
    store.close()


def test_what_is_opened_to_be_read_is_there(competitor, settings, tmp_path):
    if not competitor.persistent:
        pytest.skip("nothing persists")
    place = Place(competitor.name, tmp_path / "store", SIZE, settings)
    assert place.fill() > 0
    store = competitor(place.folder, settings, writable=False)
    assert len(list(store.container("dict", "data").keys())) == SIZE
    store.close()


def test_a_killed_process_leaves_no_part_of_its_transaction(competitor, tmp_path):
    if not (competitor.persistent and competitor.transactions):
        pytest.skip("no transactions that persist")
    place = Place(competitor.name, tmp_path / "store", SIZE, Settings())
    place.fill()
    place.kill()
    assert {"open", "read", "insert"} <= set(place.run("open"))
    store = competitor(place.folder, place.settings)
    container = store.container("dict", "data")
    assert "never committed 0" not in container
    assert len(list(container.keys())) == SIZE + 1
    store.close()


@pytest.mark.parametrize("mode", MODES)
def test_each_case_leaves_the_containers_as_they_were(competitor, settings, mode, tmp_path):
    work = Work(SIZE, BATCH, settings.text)
    store = competitor(tmp_path, settings)
    stage = Stage(store, work)
    for case in CASES.values():
        if case.kind not in store.kinds or (mode == "together" and not store.transactions):
            continue
        container = stage.container(case)
        before = contents(case.kind, container)
        run = stage.run(case, mode)
        for number in range(2):
            arguments = case.draw(work, Random(number))
            run.before(arguments)
            run.loop(arguments)
            run.after(arguments)
        if not case.before and case.name not in ("object.write", "nested.write", "bytearray.write"):
            assert contents(case.kind, container) == before, case.name
    store.close()


def contents(kind, container):
    if kind == "object":
        return container.alpha
    if kind == "dict":
        return dict(container.items())
    if kind == "nested":
        return container["x"]["y"]
    return sorted(container) if kind == "set" else list(container)


# ---- Measuring


def test_one_that_fails_is_reported_and_the_others_are_measured():
    def fail(arguments):
        raise KeyError("gone")

    nothing = lambda arguments: None  # noqa: E731
    runs = {"good": Run(len, nothing, nothing), "bad": Run(fail, nothing, nothing)}
    times, limits, failures = measure(runs, lambda number: [1, 2, 3], rounds=4)
    assert len(times["good"]) == 4
    assert limits == {"good": 3}
    assert failures == {"bad": "KeyError: 'gone'"}


def test_ratios_are_to_the_builtin_and_to_the_fastest_other():
    rounds = {BASELINE: [1.0, 2.0], "nvm": [3.0, 6.0], "slow": [50.0, 50.0], "fast": [6.0, 12.0]}
    found = timings(rounds, dict.fromkeys(rounds, 1), 1, BASELINE, {"nvm"})
    assert found["nvm"].times_builtin == 3
    assert (found["nvm"].fastest, found["nvm"].times_fastest) == ("fast", 0.5)


def test_every_counted_cost_is_a_row_of_the_guarantees():
    tables = counted_tables()
    for cost in COSTS:
        assert cost.case in CASES
        assert cost.counts(tables) is not None


def test_the_readme_lists_what_the_operations_cost_now():
    listed = costs_table.README.read_text(encoding="utf-8")
    for row in costs_table.rows([])[1]:
        assert "| " + " | ".join(row[: len(costs_table.COLUMNS)]) + " |" in listed


def test_the_readme_is_rewritten_between_its_marks(tmp_path):
    file = tmp_path / "README.md"
    file.write_text(f"before\n{costs_table.BEGIN}old\n{costs_table.END}after\n")
    costs_table.write_readme("new\n", file)
    text = file.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "new" in text
    assert "old" not in text


# ---- The command


def bench(*arguments):
    """What the command prints; it fails if anything in it does."""
    command = [sys.executable, "-m", "bench", *map(str, arguments)]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    ran = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, encoding="utf-8"
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_list_names_every_case_and_competitor():
    listed = bench("--list")
    assert all(name in listed for name in (*CASES, *COMPETITORS))


@pytest.mark.slow
def test_a_quick_run_writes_figures_of_all_who_take_part(tmp_path):
    file = tmp_path / "figures.json"
    options = ["--quick", "--size", SIZE, "--batch", BATCH, "--repeat", 1, "--entries", SIZE]
    bench(*options, "--folder", tmp_path, "--json", file, "--only", "dict", "opening", "space")
    report = json.loads(file.read_text())
    assert report["failures"] == []
    taking = {entry["name"] for entry in report["competitors"] if "missing" not in entry}
    assert {BASELINE, "nvm", "sqlite3", "shelve"} <= taking
    assert {opening["competitor"] for opening in report["openings"]} == taking - {BASELINE}
    assert {space["competitor"] for space in report["spaces"]} == taking - {BASELINE}
    for result in report["operations"]:
        assert {*result["timings"], *result["lacking"]} == taking


@pytest.mark.slow
def test_the_floor_is_measured_for_both_backends(tmp_path):
    file = tmp_path / "figures.json"
    options = ["--floor", "--dax", "--size", SIZE, "--batch", BATCH, "--repeat", 1]
    printed = bench(*options, "--json", file)
    report = json.loads(file.read_text())
    assert report["units"]["turn"] > 0
    assert {"nvm", "nvm-dax"} <= set(report["operations"][0]["timings"])
    assert "list.write" in printed


@pytest.mark.slow
def test_a_plot_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    file = tmp_path / "plot.svg"
    bench("--only", "object", "--size", SIZE, "--batch", BATCH, "--repeat", 1, "--plot", file)
    assert file.read_text().startswith("<?xml")


# ---- Durability


def test_a_figure_is_compared_with_its_aim():
    assert Figure("a", 3, "us", "b", 2, 1.5).reached
    assert not Figure("a", 3.1, "us", "b", 2, 1.5).reached
    assert Figure("a", 3, "us", "b", 2, 1.5, ratio_of_rounds=1.4).ratio == 1.4
    assert not Figure("a", 499, "MB/s", aim=500, more_is_better=True).reached
    assert Figure("a", 3, "us").reached is None


def small_parts(folder):
    """What parts() measures, of next to nothing."""
    return {
        "durable": lambda: commits.commits(folder, power=True, rounds=1),
        "relaxed": lambda: commits.commits(folder, power=False, rounds=1),
        "threads": lambda: commits.threads(folder, rounds=1, seconds=0.01),
        "mixed": lambda: commits.mixed(folder, rounds=1, operations=40),
        "memory": lambda: commits.beside_memory(folder, rounds=1),
        "recovery": lambda: pools.recovery(folder, rounds=1, entries=20_000),
        "opening": lambda: pools.opening(folder, rounds=1, gibibytes=0.01),
        "checkpoints": lambda: pools.checkpoints(folder, seconds=0.05),
        "values": lambda: pools.large_values(folder, rounds=1, mebibytes=32),
    }


@pytest.mark.parametrize("name", parts(quick=True))
def test_figures_of_durability_are_measured(tmp_path, name):
    figures = list(small_parts(tmp_path)[name]())
    assert figures
    assert all(figure.ours > 0 for figure in figures if figure.unit != "ms")
    assert all(figure.theirs > 0 for figure in figures if figure.theirs is not None)
    assert table(figures, "").row_count == len(figures)
