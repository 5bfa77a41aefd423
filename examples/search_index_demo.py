"""The demo of search_index.py: index, be killed, go on, answer.

Every step is checked; run() returns 1 if any check fails.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from search_index import (
    Index,
    Refresh,
    open_index,
    progress_bar,
    statistics,
    unpacked,
    word_positions,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nvm.pmemobj import PersistentObjectPool

PROGRAM = Path(__file__).with_name("search_index.py")
FEWEST_FILES = 10  # else there is no middle to kill it in
QUERIES = ["import", "import sys", "return OR yield", '"for the"', '"in the" file OR "of the" path']

console = Console(highlight=False, soft_wrap=True)


class CheckError(Exception):
    """Something is not as the demo promises."""


def check(holds: bool, promise: str) -> None:
    """Tell that a promise is kept, or stop."""
    if not holds:
        raise CheckError(promise)
    console.print(f"  [green]✓[/] {promise}")


def run(folder: Path, pool_path: Path | None = None) -> int:
    """Run the demo on a folder, in a pool of its own unless one is named."""
    if pool_path is not None and pool_path.exists():
        console.print(f"{pool_path} exists: the demo wants a fresh pool")
        return 1
    with scratch_folder() as scratch:
        try:
            Demo(folder, pool_path or scratch / "search-index.pool").run()
        except CheckError as failure:
            console.print(f"  [red]✗ not so: {failure}[/]")
            return 1
    console.print("\n[bold green]Every check passed.[/]")
    return 0


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A temporary folder, in memory where there is a file system for that."""
    memory = Path("/dev/shm")
    parent = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="nvm-demo-", dir=parent) as folder:
        yield Path(folder)


class Demo:
    """The steps, in order."""

    def __init__(self, folder: Path, pool_path: Path) -> None:
        self.folder = folder
        self.pool_path = pool_path
        self.acknowledged: list[str] = []  # paths that a child said are indexed

    def run(self) -> None:
        """Do all of it."""
        console.print(f"Indexing [bold]{self.folder}[/] in {self.pool_path}")
        self.headline("A process indexes the folder and is killed in the middle")
        total = self.index("first process", kill=True)
        self.check_after_kill(total)
        self.headline("Another process goes on")
        before = len(self.acknowledged)
        self.index("second process")
        self.check_finished(before)
        self.headline("Once more: only changed files are read")
        before = len(self.acknowledged)
        self.index("third process")
        check(len(self.acknowledged) == before, "nothing has changed, so no file was read")
        self.headline("Queries, in this process")
        self.ask()
        self.headline("A process of its own opens the pool and answers at once")
        self.ask_elsewhere('"import os"', "while True")

    def headline(self, text: str) -> None:
        """Begin a step."""
        console.print(f"\n[bold]{text}[/]")

    # ---- Indexing

    def index(self, name: str, kill: bool = False) -> int:
        """Run the indexer in a process that reports each file as it becomes durable.

        With `kill`, it gets a SIGKILL half-way. Returns how many files it set out to read.
        """
        command = [sys.executable, str(PROGRAM), "--pool", str(self.pool_path)]
        command += ["index", "--report", str(self.folder)]
        start = time.perf_counter()
        count = 0
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child, progress_bar() as bar:
            assert child.stdout is not None
            total = int(json.loads(child.stdout.readline() or "0"))
            task = bar.add_task(name, total=total)
            for line in child.stdout:
                if not line.endswith(b"\n"):
                    break  # cut off by the kill: never said
                self.acknowledged.append(json.loads(line))
                bar.advance(task)
                count += 1
                if kill and count == (total + 1) // 2:
                    child.kill()
        seconds = time.perf_counter() - start
        console.print(f"  {count:,} of {total:,} files in {seconds:.1f} s", end="")
        console.print(", then [red]SIGKILL[/]" if child.returncode == -signal.SIGKILL else "")
        if kill:
            check(total >= FEWEST_FILES, f"there were {FEWEST_FILES} files at least")
            check(child.returncode == -signal.SIGKILL, "the process was killed in the middle")
        else:
            check(child.returncode == 0, "the process ended by itself")
        return total

    def check_after_kill(self, total: int) -> None:
        """Hold the pool that the kill left to what was acknowledged."""
        start = time.perf_counter()
        pool, index = open_index(self.pool_path, self.folder)
        console.print(f"  opened after the kill in {(time.perf_counter() - start) * 1e3:.1f} ms")
        with pool:
            files = set(index.files)
            missing = set(self.acknowledged) - files
            unheard = files - set(self.acknowledged)
            check(not missing, f"all {len(self.acknowledged):,} files that were reported are there")
            check(len(unheard) <= 1, f"besides, {len(unheard)} (at most 1) was not reported yet")
            check(len(files) < total, f"{total - len(files):,} files are left to do")
            self.check_sound(pool, index)
            # What was finished but not reported counts as acknowledged now.
            self.acknowledged += unheard

    def check_finished(self, before: int) -> None:
        """Hold the finished index to the files on the disk."""
        pool, index = open_index(self.pool_path, self.folder)
        with pool:
            first, second = set(self.acknowledged[:before]), self.acknowledged[before:]
            check(not first.intersection(second), "no file was indexed a second time")
            check(len(first) + len(second) == len(index.files), "no file is missing, none double")
            check(not Refresh(pool, index, self.folder).changed, "the index is up to date")
            self.check_sound(pool, index)
            numbers = ", ".join(f"{n:,} {name}" for name, n in statistics(pool, index).items())
            console.print(f"  {numbers}")

    def check_sound(self, pool: PersistentObjectPool, index: Index) -> None:
        """Compare all postings with the files, and look for damage and leaks."""
        postings = occurrences = wrong = 0
        for path, file in index.files.items():
            words = word_positions((self.folder / path).read_bytes())
            for word, places in words.items():
                if index.words[word].get(file.number) != places.tobytes():
                    wrong += 1
            postings += len(words)
            occurrences += sum(map(len, words.values()))
        check(not wrong, f"{postings:,} postings are those of the files")
        held = [0, 0]
        for by_file in index.words.values():
            held[0] += len(by_file)
            held[1] += sum(len(unpacked(places)) for places in by_file.values())
        check(held == [postings, occurrences], "there are no others")
        check(
            (index.postings, index.occurrences) == (postings, occurrences), "the statistics agree"
        )
        findings = pool.check()
        check(not findings, f"the pool's own check finds nothing {findings or ''}".rstrip())

    # ---- Asking

    def ask(self) -> None:
        """Answer a few queries and hold the first to the files themselves."""
        pool, index = open_index(self.pool_path)
        with pool:
            for query in QUERIES:
                start = time.perf_counter()
                hits = index.search(query)
                micros = (time.perf_counter() - start) * 1e6
                best = f", most in {hits[0][0]}" if hits else ""
                console.print(f"  {query:34} {len(hits):5,} files in {micros:6,.0f} µs{best}")
            word = QUERIES[0]
            expected = {
                path: len(places)
                for path in index.files
                if (places := word_positions((self.folder / path).read_bytes()).get(word))
            }
            check(dict(index.search(word)) == expected, f"“{word}” is found just where it stands")

    def ask_elsewhere(self, *queries: str) -> None:
        """Run the program itself on a query."""
        for query in queries:
            arguments = ["--pool", str(self.pool_path), "query", query, "--limit", "3"]
            console.print(f"  $ search_index.py {shlex.join(arguments)}")
            result = subprocess.run(
                [sys.executable, str(PROGRAM), *arguments], capture_output=True, text=True
            )
            console.print(result.stdout + result.stderr, end="", markup=False)
            check(result.returncode == 0, "it answered")
