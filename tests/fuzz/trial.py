"""One trial: a pool is damaged, and a process of its own uses it as any program would."""

from __future__ import annotations

import ast
import os
import random
import re
import resource
import signal
import sys
from dataclasses import dataclass, field
from functools import partial
from operator import getitem
from typing import TYPE_CHECKING, Any

import nvm
from fuzz.change import change
from fuzz.damage import damage
from fuzz.visit import Visit

if TYPE_CHECKING:
    from pathlib import Path

    from fuzz.report import Report
    from fuzz.target import Target
    from nvm._finding import Finding
    from nvm.pmemobj import PersistentObjectPool

CPU_SECONDS = 10  # a trial takes some hundredths
WALL_SECONDS = 120  # of one that waits for ever
MEMORY = 4 << 30  # bytes of address space beside what the process has at first
# Keys of the pool whose objects are others' too: change() puts one into the next.
SHARED = {"dict", "links", "replaced", "things"}


@dataclass
class Result:
    seed: int
    image: str
    damage: list[str] = field(default_factory=list)
    tries: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    findings: list[dict[str, str]] = field(default_factory=list)

    @property
    def signatures(self) -> list[str]:
        """What tells one kind of finding from another."""
        return [
            f"{f['kind']}: {f['step']}: {re.sub(r'[0-9]+', '#', f['what'])}" for f in self.findings
        ]


def run(target: Target, seed: int, path: Path, report: Report) -> Result:
    """The trial of this seed."""
    report.clear()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        _child(target, seed, path, report)
    _, status = os.waitpid(child, 0)
    result = Result(seed, target.name)
    for content in report.received():
        for name, value in content.items():
            setattr(result, name, value)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        hang = number in (signal.SIGPROF, signal.SIGALRM)
        kind = "hang" if hang else signal.Signals(number).name
        result.findings.append({"kind": kind, "step": report.step, "what": "", "where": ""})
    elif os.WEXITSTATUS(status) != 0:
        code = os.WEXITSTATUS(status)
        result.findings.append(
            {"kind": f"exit {code}", "step": report.step, "what": "", "where": ""}
        )
    return result


def _child(target: Target, seed: int, path: Path, report: Report) -> None:
    code = 1
    try:
        _limit()
        _note_unraisable(report)
        _trial(target, seed, path, report)
        code = 0
    except BaseException as error:
        report.find(report.step, error)
        code = 0
    finally:
        report.send()
        os._exit(code)


def _limit() -> None:
    """A hang and a request for all memory end the trial, not the machine."""
    for number in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    signal.alarm(WALL_SECONDS)
    with open("/proc/self/statm") as file:
        present = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (present + MEMORY, present + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _note_unraisable(report: Report) -> None:
    """What destructors and the freeing of objects meet is reported by a hook of the interpreter."""

    def note(unraisable: Any) -> None:
        def throw() -> None:
            raise unraisable.exc_value

        # A class with blocks of its own asks for what they name.
        report.attempt(f"{report.step}, unraisable", throw, ValueError)

    sys.unraisablehook = note


def _trial(target: Target, seed: int, path: Path, report: Report) -> None:
    rng = random.Random(seed)
    damage(target, rng)
    report.damage = target.damage
    report.send()
    target.write(path)
    if rng.random() < 0.1:
        _use_for_reading(target, path, rng, report)
    _use(target, path, rng, report)
    report.checked_clean = False
    if rng.random() < 0.5:
        _use(target, path, rng, report)


def _open(target: Target, path: Path, flag: str, report: Report) -> PersistentObjectPool | None:
    backend: Any = None if flag == "r" else target.backend
    pool = report.attempt(
        f"open {flag}",
        lambda: nvm.open(path, flag, backend=backend, size=target.size),  # type: ignore[arg-type]
    )
    if pool is not None:
        pool.persist_via_pickle(re.Pattern)
    return pool


def _walk(pool: PersistentObjectPool, report: Report, found: list[Finding] | None = None) -> None:
    """Reads all of it. What check() has found nothing in has to be sound."""
    damaged = None if found is None else _damaged_keys(found)
    clean = report.checked_clean
    keys = report.attempt("list(pool)", lambda: list(pool)) or []
    visit = Visit(report)
    for key in keys[:200]:
        report.checked_clean = clean or (damaged is not None and key not in damaged)
        visit.walk(report.attempt("pool[key]", partial(getitem, pool, key), KeyError))
    report.checked_clean = clean
    visit.walk(report.attempt("pool.root", lambda: pool.root))


def _damaged_keys(found: list[Finding]) -> set[Any] | None:
    """The keys of the pool under which check() has found something; None: it is not that simple."""
    keys: set[Any] = set()
    for finding in found:
        if finding.path.startswith("pool.root"):
            keys |= SHARED
        elif named := re.match(r"pool\[(\"\w+\")\]", finding.path):
            keys.add(ast.literal_eval(named[1]))
        else:
            return None
    return keys | SHARED if keys & SHARED else keys


def _check(pool: PersistentObjectPool, report: Report) -> list[Finding] | None:
    """It tells of damage, and does not raise because of it."""
    found = report.attempt("check", pool.check)
    if found is None:
        report.find("check", "it has raised an exception")
    return found


def _repair(pool: PersistentObjectPool, report: Report) -> list[Finding] | None:
    """What is left: nothing of what is said to be repaired."""
    found = report.attempt("repair", lambda: pool.check(repair=True))
    if found is None:
        report.find("repair", "it has raised an exception")
        return None
    left = _check(pool, report)
    if left is None:
        return None
    repaired = {finding[:3] for finding in found if finding.repaired}
    for finding in left:
        if finding[:3] in repaired:
            report.find("repair", f"repaired, and there again: {finding}")
    if left and len(found) == len(repaired):
        report.find("repair", f"all was repaired, and then {left[0]}")
    return left


def _close(pool: PersistentObjectPool, report: Report) -> None:
    report.attempt("close", pool.close)
    if not pool.closed:
        report.find("close", "the pool is still open")


def _use_for_reading(target: Target, path: Path, rng: random.Random, report: Report) -> None:
    before = path.read_bytes()
    pool = _open(target, path, "r", report)
    if pool is not None:
        _walk(pool, report)
        _check(pool, report)
        report.attempt("stats", lambda: pool.stats(leaks=True))
        _close(pool, report)
    if path.read_bytes() != before:
        report.find("open r", "the file has changed")


def _use(target: Target, path: Path, rng: random.Random, report: Report) -> None:
    pool = _open(target, path, "w", report)
    if pool is None:
        return
    found = _check(pool, report)
    if rng.random() < 0.5:
        found = _repair(pool, report)
    sound = report.checked_clean = found == []
    if rng.random() < 0.8:
        _walk(pool, report, found)
    if rng.random() < 0.3:
        _collect(pool, report)
    change(pool, rng, report)
    if rng.random() < 0.2:
        _walk(pool, report)
    _collect(pool, report)
    report.attempt("stats", lambda: pool.stats(leaks=True))
    if sound and (found := _check(pool, report)):
        report.find("check", f"sound before, and then {found[0]}")
    report.attempt("sync", pool.sync)
    _close(pool, report)


def _collect(pool: PersistentObjectPool, report: Report) -> None:
    report.attempt("gc", pool.gc)
