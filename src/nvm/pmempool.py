"""libpmempool: pools of every kind made, looked at, checked, repaired, copied and removed.

Each function takes a pool's file or a pool set file, and wants that nobody has the pool open.
"""

from __future__ import annotations

import enum
import os
import pathlib
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nvm._absent import absent
from nvm._errors import LayoutError
from nvm._pool_info import (
    ArenaInfo,
    BlockInfo,
    ChunkInfo,
    HeaderInfo,
    HeapInfo,
    LogInfo,
    ObjectInfo,
    PoolInfo,
    content_of,
    header_of,
)
from nvm._poolset import AUTO, Part, PoolSet, Replica

try:
    from nvm import _kit
    from nvm._kit import PMEMPOOL_MIN_POOL as MIN_POOL_SIZE
    from nvm._kit import pmempool_check_version as check_version
except ImportError as error:
    raise absent("pmempool", error) from None

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nvm._kit import Path

__all__ = [
    "AUTO",
    "MIN_POOL_SIZE",
    "ArenaInfo",
    "BlockInfo",
    "Check",
    "CheckResult",
    "ChunkInfo",
    "Feature",
    "Finding",
    "HeaderInfo",
    "HeapInfo",
    "LogInfo",
    "ObjectInfo",
    "Part",
    "PoolInfo",
    "PoolSet",
    "Replica",
    "check",
    "check_version",
    "chunks",
    "convert",
    "create",
    "dump",
    "feature_disable",
    "feature_enable",
    "feature_query",
    "features",
    "info",
    "repair",
    "rm",
    "sync",
    "transform",
]

_OBJECT_FORMAT = 6  # of libpmemobj's pools, from PMDK 1.5 on


# ---- Making


def create(
    kind: str,
    path: Path,
    size: int | None = None,
    *,
    layout: str = "",
    block_size: int = 512,
    mode: int = 0o666,
) -> None:
    """Make an empty pool.

    Args:
        kind: "obj" (for another program's use of libpmemobj: nvm.open() makes its own), "log" or
            "blk".
        path: A file that does not exist yet, or a pool set whose parts do not.
        size: In bytes; by default the least that there can be. A pool set has its own.
        layout: The name of what an "obj" pool is for.
        block_size: Of a "blk" pool, in bytes.
        mode: Permissions of new files, less the umask.

    Raises:
        ValueError: kind, size, layout or block_size is none.
        OSError: The file exists, or cannot be made.
    """
    if kind == "obj":
        _kit.pmempool_create_objects(path, layout, MIN_POOL_SIZE if size is None else size, mode)
    elif kind == "log":
        from nvm import pmemlog

        pmemlog.create(path, pmemlog.MIN_POOL_SIZE if size is None else size, mode).close()
    elif kind == "blk":
        from nvm import pmemblk

        wanted = pmemblk.MIN_POOL_SIZE if size is None else size
        pmemblk.create(path, block_size, wanted, mode).close()
    elif kind == "btt":
        raise ValueError(
            "a BTT device is made by the system (ndctl), not by PMDK; the block translation table "
            "of a 'blk' pool is made with it"
        )
    else:
        raise ValueError(f"kind must be 'obj', 'log' or 'blk', not {kind!r}")


# ---- Looking


def _is_pool_set(path: Path) -> bool:
    with pathlib.Path(os.fsdecode(path)).open("rb") as file:
        return file.read(11) == b"PMEMPOOLSET"


def info(path: Path) -> PoolInfo:
    """What a pool is, of any kind; nothing in it changes.

    Others may use the pool meanwhile; what is told of its content may then be of several moments.

    Raises:
        OSError: The file cannot be read.
        PoolCorruptError: It is too short for a header; or the pool set's parts are not as it says.
    """
    found = _kit.pmempool_info(path)
    return PoolInfo(
        path=os.fsdecode(path),
        kind=found["kind"],
        size=found["size"],
        pool_set=PoolSet.read(path) if _is_pool_set(path) else None,
        header=header_of(found["header"]),
        content=content_of(found["kind"], found["content"]),
        damage=found["damage"],
    )


def chunks(path: Path) -> Iterator[ChunkInfo]:
    """The chunks of a pool of objects, zone by zone; nothing in it changes.

    They are as libpmemobj would find them when it opens the pool, with what a crash has left to be
    done. Zones that were never used have none. Others may use the pool meanwhile; what is told may
    then be of several moments, or look damaged.

    Raises:
        OSError: The file cannot be read.
        LayoutError: It is a pool of another kind.
        PoolCorruptError: It is no pool; or the chain ends in a damaged chunk, once all before it
            have been told.
    """
    zone = index = 0
    while (found := _kit.pmempool_chunks(path, zone, index)) is not None:
        for facts in found:
            chunk = ChunkInfo(*facts)
            index = chunk.index + chunk.chunks
            yield chunk
        if not found:
            zone, index = zone + 1, 0


def dump(path: Path, start: int = 0, stop: int = sys.maxsize) -> Iterator[bytes | None]:
    """The content of a log, piece by piece, or of a pool of blocks, block by block.

    start and stop are bytes of the log, or numbers of blocks. A block in error is None. Nothing in
    the pool changes. For a pool of objects a LayoutError says what to do instead.
    """
    kind = info(path).kind
    if kind == "obj":
        raise LayoutError(
            f"'{os.fsdecode(path)}' is a pool of objects, whose content only their program knows: "
            "open it with nvm.open() and use to_python()"
        )
    step = 1 << 20 if kind == "log" else 1024
    return _pieces(path, kind, start, stop, step)


def _pieces(path: Path, kind: str, start: int, stop: int, step: int) -> Iterator[bytes | None]:
    while start < stop:
        end = min(start + step, stop)
        if kind == "blk":
            blocks = _kit.pmempool_dump_blocks(path, start, end)
            yield from blocks
            count = len(blocks)
        else:
            piece = _kit.pmempool_dump_log(path, start, end)
            if piece:
                yield piece
            count = len(piece)
        if count < end - start:
            return
        start = end


# ---- Checking


class CheckResult(enum.IntEnum):
    """How a check ended."""

    CONSISTENT = 0
    NOT_CONSISTENT = 1
    REPAIRED = 2
    CANNOT_REPAIR = 3
    ERROR = 4
    SYNC_REQUIRED = 5


@dataclass(frozen=True)
class Finding:
    """What a check has to say.

    Attributes:
        kind: "info", "error" or "question".
        message: In libpmempool's words.
    """

    kind: str
    message: str


_FINDING_KINDS = ("info", "error", "question")
_POOL_KINDS = {"detect": 0, "log": 1, "blk": 2, "obj": 3, "btt": 4}


class Check:
    """A check under way: an iterator of findings, whose `result` is known at its end.

    The answer to a question is given with `answer`, before the next finding is asked for; without
    one it is no.
    """

    def __init__(self, path: Path, kind: str, flags: int, backup: Path | None) -> None:
        self._check = _kit.pmempool_check_begin(path, _POOL_KINDS[kind], flags, backup)
        self._result: CheckResult | None = None
        self._asked = False

    def __iter__(self) -> Check:
        return self

    def __next__(self) -> Finding:
        if self._asked:
            self.answer(False)
        found = self._check.step()
        if found is None:
            self._end()
            raise StopIteration
        kind, message = found
        self._asked = _FINDING_KINDS[kind] == "question"
        return Finding(_FINDING_KINDS[kind], message)

    def answer(self, yes: bool) -> None:
        """Answer the question that was the last finding."""
        self._check.answer(yes)
        self._asked = False

    @property
    def result(self) -> CheckResult:
        """How it ended; the findings that have not been asked for are passed over."""
        if self._result is None:
            for _ in self:
                pass
        assert self._result is not None
        return self._result

    def _end(self) -> None:
        told = self._check.end()
        if told is not None:
            self._result = CheckResult(told)


class _AnsweredCheck(Check):
    """One whose questions a function answers."""

    def __init__(
        self,
        path: Path,
        kind: str,
        flags: int,
        backup: Path | None,
        function: Callable[[Finding], object],
    ) -> None:
        super().__init__(path, kind, flags, backup)
        self._function = function

    def __next__(self) -> Finding:
        finding = super().__next__()
        if finding.kind == "question":
            self.answer(bool(self._function(finding)))
        return finding


def check(
    path: Path,
    *,
    kind: str = "detect",
    repair: bool = False,
    dry_run: bool = False,
    advanced: bool = False,
    always_yes: bool = False,
    verbose: bool = False,
    backup: Path | None = None,
    answer: Callable[[Finding], object] | None = None,
) -> Check:
    """Look at a pool's metadata, and repair them if asked to.

    Of a pool of objects this looks at the header only: for what is in one of nvm's, see the pool's
    own check().

    Args:
        path: A pool, or a pool set.
        kind: "obj", "log", "blk" or "btt"; by default what the pool itself says.
        repair: Repair what can be repaired, asking a question about each step.
        dry_run: Ask the questions of a repair, but change nothing.
        advanced: Repair what may need a guess.
        always_yes: Ask no questions.
        verbose: Tell each step, not only what is wrong.
        backup: Copy the pool there before it is changed: a file that does not exist yet, or a pool
            set like this one.
        answer: Called with each question; yes if it returns a true value. What it raises ends the
            check. Without it, questions are answered with `Check.answer`.

    Returns:
        Check: An iterator of findings; its `result` says how it ended.

    Raises:
        ValueError: kind is none; advanced or always_yes without repair.
        OSError: The file cannot be opened, or is open elsewhere (PoolLockedError).
    """
    if kind not in _POOL_KINDS:
        raise ValueError(f"kind must be one of {', '.join(map(repr, _POOL_KINDS))}, not {kind!r}")
    if (advanced or always_yes or dry_run or backup is not None) and not repair:
        raise ValueError("advanced, always_yes, dry_run and backup are for repair=True")
    flags = repair << 0 | dry_run << 1 | advanced << 2 | always_yes << 3 | verbose << 4
    if answer is not None:
        return _AnsweredCheck(path, kind, flags, backup, answer)
    return Check(path, kind, flags, backup)


def repair(
    path: Path,
    *,
    kind: str = "detect",
    advanced: bool = False,
    backup: Path | None = None,
    answer: Callable[[Finding], object] | None = None,
) -> CheckResult:
    """Repair a pool's metadata: check(repair=True) to its end.

    The answer to every question is yes, unless `answer` says otherwise.
    """
    return check(
        path,
        kind=kind,
        repair=True,
        advanced=advanced,
        always_yes=answer is None,
        backup=backup,
        answer=answer,
    ).result


# ---- Pool sets


def sync(path: Path, *, dry_run: bool = False, fix_bad_blocks: bool = False) -> None:
    """Make the damaged and missing parts of a pool set again from a replica that is whole.

    Args:
        path: The pool set file.
        dry_run: Only see whether it can be done.
        fix_bad_blocks: Parts with blocks that the medium cannot read as well.

    Raises:
        OSError: There is no whole replica, or the pool is open elsewhere.
    """
    _kit.pmempool_sync(path, fix_bad_blocks << 0 | dry_run << 1)


def transform(source: Path, target: Path, *, dry_run: bool = False) -> None:
    """Change a pool from one pool set to another: add or remove replicas, or SINGLEHDR.

    Args:
        source: The pool set file of the pool as it is.
        target: Of the pool as it is to be.
        dry_run: Only see whether it can be done.
    """
    _kit.pmempool_transform(source, target, dry_run << 1)


class Feature(enum.IntEnum):
    """Features of a pool that can be switched."""

    SINGLEHDR = 0
    CKSUM_2K = 1
    SHUTDOWN_STATE = 2
    CHECK_BAD_BLOCKS = 3


def feature_query(path: Path, feature: Feature) -> bool:
    """Whether a pool has a feature."""
    return _kit.pmempool_feature_query(path, Feature(feature))


def feature_enable(path: Path, feature: Feature) -> None:
    """Give a pool a feature; OSError if it cannot be given."""
    _kit.pmempool_feature_enable(path, Feature(feature))


def feature_disable(path: Path, feature: Feature) -> None:
    """Take a feature from a pool; OSError if it cannot be taken."""
    _kit.pmempool_feature_disable(path, Feature(feature))


def features(path: Path) -> dict[Feature, bool]:
    """Which features a pool has."""
    return {feature: feature_query(path, feature) for feature in Feature}


def rm(path: Path, *, force: bool = False, pool_set: bool = False, remote: bool = False) -> None:
    """Remove a pool: its file, or the parts of a pool set.

    Args:
        path: The pool, or the pool set.
        force: Pass over what is missing or cannot be removed.
        pool_set: The pool set file too.
        remote: Pool set files on other machines too.
    """
    _kit.pmempool_rm(path, force << 0 | pool_set << 1 | remote << 2)


def convert(path: Path) -> None:
    """Refuse to convert a pool of an older format, and say what does; nothing for a current one.

    Raises:
        LayoutError: The pool is of another format.
    """
    found = info(path)
    if found.kind == "unknown":
        raise LayoutError(f"'{found.path}' is no pool of PMDK")
    current = _OBJECT_FORMAT if found.kind == "obj" else 1
    if found.header.major != current:
        raise LayoutError(
            f"'{found.path}' has format {found.header.major}, and libpmempool has no function that "
            f"makes format {current} of it: that takes the libraries of each version in between, "
            "which the program pmdk-convert brings along"
        )
