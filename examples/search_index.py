#!/usr/bin/env python3
"""A full-text index of a folder, kept in persistent memory.

    search_index.py index [FOLDER]   index what is new or has changed
    search_index.py query WORDS      also: "a phrase", this OR that
    search_index.py stats            how much is in it
    search_index.py demo [FOLDER]    all of that, with a SIGKILL in the middle

FOLDER is the source of Python's standard library unless another one is named.

The index is made of ordinary Python objects that live in an nvm pool:

    index.words       word -> {file number: where the word stands in that file}
    index.files       path -> File
    index.documents   file number -> File

Nothing is loaded when the pool is opened and nothing is saved when it is closed.
Each file is one transaction: kill the program at any time and the index holds every
file that was finished, none in part, and the next run goes on from there.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import sysconfig
import time
from array import array
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

import nvm
from nvm.pmemobj import PersistentObject, PersistentObjectPool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WORD = re.compile(r"\w+")
TERM = re.compile(r'"([^"]*)"|(\S+)')  # of a query: a phrase or a word
SKIPPED_FOLDERS = {"__pycache__", "site-packages", "dist-packages", "node_modules"}
LONGEST_WORD = 64  # characters; longer ones are data, not words
LARGEST_FILE = 16 << 20  # bytes
STANDARD_LIBRARY = sysconfig.get_paths()["stdlib"]


# ---- What lies in the pool


class File(PersistentObject):
    """One indexed file, with what tells whether it has changed."""

    def __init__(self, path: str, number: int) -> None:
        self.path = path
        self.number = number
        self.size = 0
        self.mtime = 0.0
        self.digest = b""
        self.words = ""  # the different ones, so that they can be found and withdrawn

    def describe(self, status: os.stat_result, digest: bytes) -> None:
        """Note the state of the file on the disk that the index knows."""
        self.size = status.st_size
        self.mtime = status.st_mtime
        self.digest = digest


class Index(PersistentObject):
    """An inverted index. Its methods that change it are to be called in a transaction.

    Where a word stands in a file is an array of 32-bit numbers, packed into bytes: a
    word that occurs once there, as most do, takes no room beyond its entry in a dict.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.words: dict[str, dict[int, bytes]] = {}
        self.files: dict[str, File] = {}
        self.documents: list[File | None] = []
        self.postings = 0
        self.occurrences = 0

    def put(self, path: str, status: os.stat_result, content: bytes) -> File:
        """Index a file, anew if it is known."""
        digest = blake2b(content, digest_size=16).digest()
        file = self.files.get(path)
        if file is None:
            file = File(path, len(self.documents))
            self.files[path] = file
            self.documents.append(file)
        elif file.digest == digest:  # touched, not changed
            file.describe(status, digest)
            return file
        else:
            self._withdraw(file)

        positions = word_positions(content)
        file.describe(status, digest)
        file.words = " ".join(positions)
        words, number = self.words, file.number
        for word, places in positions.items():
            postings = words.get(word)
            if postings is None:
                words[word] = {number: places.tobytes()}
            else:
                postings[number] = places.tobytes()
        self.postings += len(positions)
        self.occurrences += sum(map(len, positions.values()))
        return file

    def remove(self, path: str) -> None:
        """Forget a file that is no longer there."""
        file = self.files.pop(path)
        self._withdraw(file)
        self.documents[file.number] = None

    def _withdraw(self, file: File) -> None:
        occurrences = 0
        known = file.words.split()
        for word in known:
            postings = self.words[word]
            occurrences += len(unpacked(postings.pop(file.number)))
            if not postings:
                del self.words[word]
        file.words = ""
        self.postings -= len(known)
        self.occurrences -= occurrences

    def search(self, query: str) -> list[tuple[str, int]]:
        """Find files: all words of the query, "phrases" in quotes, alternatives by OR.

        Returns:
            Paths and how often the words occur there, most first.
        """
        scores: dict[int, int] = {}
        for alternative in re.split(r"\s+OR\s+", query.strip()):
            terms = [self._count(phrase or word) for phrase, word in TERM.findall(alternative)]
            numbers = set.intersection(*map(set, terms)) if terms else set()
            for number in numbers:
                scores[number] = scores.get(number, 0) + sum(term[number] for term in terms)
        found = ((self.documents[number], score) for number, score in scores.items())
        paths = [(file.path, score) for file, score in found if file is not None]
        return sorted(paths, key=lambda hit: (-hit[1], hit[0]))

    def _count(self, phrase: str) -> dict[int, int]:
        """How often words occur one after the other, by file number."""
        words = WORD.findall(phrase.casefold())
        lists = [self.words.get(word, {}) for word in words]
        if not lists:
            return {}
        counts = {}
        for number in min(lists, key=len):
            if all(number in postings for postings in lists):
                starts = set(unpacked(lists[0][number]))
                for distance, postings in enumerate(lists[1:], 1):
                    starts &= {place - distance for place in unpacked(postings[number])}
                if starts:
                    counts[number] = len(starts)
        return counts


def word_positions(content: bytes) -> dict[str, array[int]]:
    """Where each word stands, counted in words; nothing if the file is no text."""
    positions: dict[str, array[int]] = {}
    if b"\0" in content[:8192]:
        return positions
    text = content.decode("utf-8", "replace").casefold()
    for place, word in enumerate(WORD.findall(text)):
        if word in positions:
            positions[word].append(place)
        elif len(word) <= LONGEST_WORD:
            positions[word] = array("I", (place,))
    return positions


def unpacked(places: bytes) -> array[int]:
    """The positions that a posting packs."""
    return array("I", places)


# ---- Keeping it up to date


def open_index(path: Path, folder: Path | None = None) -> tuple[PersistentObjectPool, Index]:
    """Open the pool: to read it, or, with a folder, to bring it up to date."""
    if folder is None:
        pool = nvm.open(path, "r")
    else:
        pool = nvm.open(path)
        with pool.transaction():
            if "index" not in pool:
                pool["index"] = Index(str(folder))
    index: Index = pool["index"]
    if folder is not None and index.folder != str(folder):
        message = f"{path} holds the index of {index.folder}: name another pool with --pool"
        pool.close()
        raise ValueError(message)
    return pool, index


def find_files(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Paths below the folder, relative to it, each with the file's status."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if f not in SKIPPED_FOLDERS and f[0] != ".")
        for path in (Path(parent, name) for name in sorted(names)):
            try:
                status = path.stat()
            except OSError:
                continue  # a dangling link, or gone meanwhile
            if path.is_file() and status.st_size <= LARGEST_FILE:
                yield path.relative_to(folder).as_posix(), status


class Refresh:
    """What has to be done to bring an index up to date."""

    def __init__(self, pool: PersistentObjectPool, index: Index, folder: Path) -> None:
        self.pool, self.index, self.folder = pool, index, folder
        found = dict(find_files(folder))
        self.gone = [path for path in index.files if path not in found]
        self.changed = [entry for entry in found.items() if not self._is_known(*entry)]

    def _is_known(self, path: str, status: os.stat_result) -> bool:
        file = self.index.files.get(path)
        return file is not None and (file.size, file.mtime) == (status.st_size, status.st_mtime)

    def run(self) -> Iterator[str]:
        """Do it. Yields the path of each file that has been read, once it is durable."""
        for path in self.gone:
            with self.pool.transaction():
                self.index.remove(path)
        for path, status in self.changed:
            try:
                content = (self.folder / path).read_bytes()
            except OSError as error:
                print(f"skipped: {error}", file=sys.stderr)
                continue
            with self.pool.transaction():
                self.index.put(path, status, content)
            yield path


# ---- The commands


def index_command(pool_path: Path, folder: Path, report: bool) -> None:
    """Bring the index up to date; with `report`, tell each finished file on stdout."""
    start = time.perf_counter()
    pool, index = open_index(pool_path, folder)
    with pool:
        refresh = Refresh(pool, index, folder)
        read = 0
        if report:
            print(json.dumps(len(refresh.changed)), flush=True)
            for path in refresh.run():
                print(json.dumps(path), flush=True)
            return
        with progress_bar() as bar:
            task = bar.add_task("indexing", total=len(refresh.changed))
            for _ in refresh.run():
                read += 1
                bar.advance(task)
        print(
            f"{len(index.files):,} files: {read:,} read, {len(refresh.gone):,} removed, "
            f"in {time.perf_counter() - start:.1f} s"
        )


def progress_bar() -> Progress:
    """A bar that counts files."""
    columns = ("[progress.description]{task.description}", BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn())


def query_command(pool_path: Path, query: str, limit: int) -> None:
    """Open the pool, answer, and tell how long each took."""
    start = time.perf_counter()
    pool, index = open_index(pool_path)
    opened = time.perf_counter()
    hits = index.search(query)
    answered = time.perf_counter()
    for path, score in hits[:limit]:
        print(f"{score:7,}  {path}")
    print(
        f"{len(hits):,} files; opened in {(opened - start) * 1e3:.1f} ms, "
        f"answered in {(answered - opened) * 1e3:.1f} ms"
    )
    pool.close()


def stats_command(pool_path: Path) -> None:
    """Print what is in the index."""
    pool, index = open_index(pool_path)
    with pool:
        for name, value in statistics(pool, index).items():
            print(f"{name:12} {value:>14,}")


def statistics(pool: PersistentObjectPool, index: Index) -> dict[str, int]:
    """How much is in an index, and how much room it takes."""
    return {
        "files": len(index.files),
        "words": len(index.words),
        "postings": index.postings,
        "occurrences": index.occurrences,
        "text bytes": sum(file.size for file in index.files.values() if file.words),
        "pool bytes": pool.stats()["allocated_bytes"],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="A full-text index in persistent memory.")
    parser.add_argument("--pool", type=Path, metavar="FILE", help="default: search-index.pool")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, about in ("index", "index what is new or changed"), ("demo", "kill it and go on"):
        command = commands.add_parser(name, help=about)
        command.add_argument("folder", type=Path, nargs="?", default=Path(STANDARD_LIBRARY))
        if name == "index":
            command.add_argument("--report", action="store_true", help="finished files on stdout")
    query = commands.add_parser("query", help='words, "a phrase", this OR that')
    query.add_argument("words", nargs="+")
    query.add_argument("--limit", type=int, default=10, help="files to list")
    commands.add_parser("stats", help="how much is in the index")
    options = parser.parse_args(arguments)

    if options.command == "demo":
        import search_index_demo

        return search_index_demo.run(options.folder.resolve(), options.pool)
    pool_path = options.pool or Path("search-index.pool")
    try:
        if options.command == "index":
            index_command(pool_path, options.folder.resolve(strict=True), options.report)
        elif options.command == "query":
            query_command(pool_path, " ".join(options.words), options.limit)
        else:
            stats_command(pool_path)
    except (OSError, ValueError, nvm.Error) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    # Under its own name, so that the pool knows the classes as search_index's, not __main__'s.
    import search_index

    sys.exit(search_index.main())
