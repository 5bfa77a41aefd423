"""The cuts that the power tests (tests/power) make of a disk's log: what each may leave."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from interpreter import cpython_only
from power import block_log, media
from power.block_log import FLUSH, FUA, SECTOR, Piece, Request

if TYPE_CHECKING:
    from pathlib import Path

ACKNOWLEDGEMENTS = 100 * SECTOR
DISCARD = block_log.DISCARD


def entry(sector: int, data: bytes = b"", flags: int = 0, count: int | None = None) -> bytes:
    """A request as it lies in a log."""
    sectors = len(data) // SECTOR if count is None else count
    return block_log.ENTRY.pack(sector, sectors, flags, 0).ljust(SECTOR, b"\0") + data


def log_file(path: Path, *entries: bytes, magic: int = block_log.MAGIC) -> Path:
    header = block_log.SUPERBLOCK.pack(magic, block_log.VERSION, 0, SECTOR)
    path.write_bytes(header.ljust(SECTOR, b"\0") + b"".join(entries))
    return path


def sector_of(letter: str) -> bytes:
    return letter.encode() * SECTOR


def write(sector: int, letters: str) -> Request:
    return Request(sector * SECTOR, b"".join(map(sector_of, letters)), 0)


def acknowledge(number: int) -> Request:
    return Request(ACKNOWLEDGEMENTS, number.to_bytes(8, "little").ljust(SECTOR, b"\0"), 0)


FLUSHED = Request(0, b"", FLUSH)


def only_cut(log: list[Request], position: int) -> block_log.Cut:
    (cut,) = block_log.cuts(log, [position], ACKNOWLEDGEMENTS)
    return cut


def content(pieces: list[Piece]) -> dict[int, str]:
    """The sectors that are on a medium and their letters, the last of each."""
    return {
        (piece.offset + at) // SECTOR: chr(piece.data[at])
        for piece in pieces
        for at in range(0, len(piece.data), SECTOR)
    }


# ---- Reading


def test_a_log_is_read_in_order_without_its_discards(tmp_path: Path) -> None:
    path = log_file(
        tmp_path / "log",
        entry(2, sector_of("a") * 2),
        entry(9, flags=DISCARD, count=7),
        entry(0, flags=FLUSH),
        entry(4, sector_of("b"), FLUSH),
    )
    assert block_log.read_log(path) == [
        write(2, "aa"),
        FLUSHED,
        Request(4 * SECTOR, sector_of("b"), FLUSH),
    ]


def test_a_log_ends_at_zeros_and_where_the_machine_was_killed(tmp_path: Path) -> None:
    whole = entry(2, sector_of("a"))
    cut_short = entry(3, sector_of("b") * 2)[:-1]
    for end in (b"", bytes(SECTOR), bytes(SECTOR) + whole, cut_short):
        assert block_log.read_log(log_file(tmp_path / "log", whole, end)) == [write(2, "a")]


def test_what_is_no_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a log"):
        block_log.read_log(log_file(tmp_path / "log", magic=1))
    with pytest.raises(ValueError, match="FUA"):
        block_log.read_log(log_file(tmp_path / "log", entry(1, sector_of("a"), FUA)))


# ---- Cuts


def test_what_was_written_before_a_flush_is_durable() -> None:
    log = [write(1, "a"), write(2, "b"), FLUSHED, write(3, "c")]
    cut = only_cut(log, 4)
    assert content(cut.durable) == {1: "a", 2: "b"}
    assert content(cut.undecided) == {3: "c"}


def test_a_write_that_flushes_is_not_durable_itself() -> None:
    cut = only_cut([write(1, "a"), Request(2 * SECTOR, sector_of("b"), FLUSH)], 2)
    assert content(cut.durable) == {1: "a"}
    assert content(cut.undecided) == {2: "b"}


def test_what_is_written_after_the_cut_does_not_count() -> None:
    log = [write(1, "a"), FLUSHED, acknowledge(7)]
    assert content(only_cut(log, 1).undecided) == {1: "a"}
    assert [only_cut(log, position).acknowledged for position in range(4)] == [0, 0, 0, 7]


def test_each_cut_tells_what_has_become_durable_since_the_one_before() -> None:
    log = [write(1, "a"), FLUSHED, write(1, "b"), write(2, "c"), FLUSHED]
    cuts = list(block_log.cuts(log, [2, 2, 4, 5], ACKNOWLEDGEMENTS))
    assert [content(cut.durable) for cut in cuts] == [{1: "a"}, {}, {}, {1: "b", 2: "c"}]
    assert [content(cut.undecided) for cut in cuts] == [{}, {}, {1: "b", 2: "c"}, {}]


def test_undecided_writes_are_lost_kept_or_torn() -> None:
    log = [write(1, "ab"), write(2, "c"), write(9, "d")]
    cut = only_cut(log, 3)
    media_left = [content(cut.choose(random.Random(seed))) for seed in range(300)]
    assert {} in media_left
    assert {1: "a", 2: "c", 9: "d"} in media_left
    assert {2: "b"} in media_left  # a part of the first alone: torn
    assert {1: "a", 2: "b", 9: "d"} in media_left  # the second alone is lost
    for left in media_left:
        assert left.items() <= {(1, "a"), (2, "b"), (2, "c"), (9, "d")}


def test_what_must_be_whole_is_not_torn() -> None:
    cut = only_cut([write(1, "ab"), write(3, "cd")], 2)
    media_left = [content(cut.choose(random.Random(seed), 3 * SECTOR)) for seed in range(100)]
    assert {tuple(left.items())[:2] for left in media_left if 1 in left or 2 in left} == {
        ((1, "a"), (2, "b"))
    }
    assert {3: "c"} in media_left


def test_the_same_seed_gives_the_same_medium() -> None:
    cut = only_cut([write(n, "xyz") for n in range(0, 90, 3)], 30)
    seeds = (1, 1, 3)
    first, again, other = (cut.choose(random.Random(seed)) for seed in seeds)
    assert first == again != other


# ---- Images


@cpython_only("it does not tell where a file has holes")
def test_images_are_copied_with_their_holes_and_changed(tmp_path: Path) -> None:
    image, copied = tmp_path / "image", tmp_path / "copy"
    media.make_empty(image, 1 << 20)
    media.write(image, [Piece(8 * 4096, b"abc"), Piece(8 * 4096 + 1, b"x")])
    media.copy(image, copied)
    assert copied.read_bytes() == image.read_bytes()
    assert copied.read_bytes()[8 * 4096 :].startswith(b"axc\0")
    assert copied.stat().st_blocks <= image.stat().st_blocks < (1 << 20) // SECTOR
