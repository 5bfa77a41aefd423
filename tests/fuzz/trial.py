"""One trial: a pool is damaged, and a process of its own uses it as any program would."""

from __future__ import annotations

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
    from nvm.pmemobj import PersistentObjectPool

CPU_SECONDS = 10  # a trial takes some hundredths
WALL_SECONDS = 120  # of one that waits for ever
MEMORY = 4 << 30  # bytes of address space beside what the process has at first


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


def _walk(pool: PersistentObjectPool, report: Report) -> None:
    keys = report.attempt("list(pool)", lambda: list(pool)) or []
    roots = [report.attempt("pool.root", lambda: pool.root)]
    for key in keys[:200]:
        roots.append(report.attempt("pool[key]", partial(getitem, pool, key), KeyError))
    Visit(report).walk(*roots)


def _check(pool: PersistentObjectPool, report: Report) -> list[Any] | None:
    return report.attempt("check", pool.check)


def _use_for_reading(target: Target, path: Path, rng: random.Random, report: Report) -> None:
    before = path.read_bytes()
    pool = _open(target, path, "r", report)
    if pool is not None:
        _walk(pool, report)
        _check(pool, report)
        report.attempt("stats", lambda: pool.stats(leaks=True))
        report.attempt("close", pool.close)
    if path.read_bytes() != before:
        report.find("open r", "the file has changed")


def _use(target: Target, path: Path, rng: random.Random, report: Report) -> None:
    pool = _open(target, path, "w", report)
    if pool is None:
        return
    found = _check(pool, report)
    sound = report.checked_clean = found == []
    if rng.random() < 0.8:
        _walk(pool, report)
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
    report.attempt("close", pool.close)


def _collect(pool: PersistentObjectPool, report: Report) -> None:
    report.attempt("gc", pool.gc)
