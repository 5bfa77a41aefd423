"""Damage of a journal, with the right checksums afterwards in most trials."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Callable

from fuzz import layout
from fuzz.checksums import xxh3
from fuzz.heap_damage import nasty, some_offset

if TYPE_CHECKING:
    import random

    from fuzz.target import File, Target

HEADERS = (0, 4096)
HEADER_FIELDS = (0, 8, 12, 16, 24, 32, 40, 48, 56, 64)
CHECKED = 72  # bytes of a header before its checksum
HALVES = 8192
RECORD = struct.Struct("<QQQQII")
AWAY = 1
LINE = 64


def _journal(target: Target) -> File:
    assert target.journal is not None
    return target.journal


def damage_header(target: Target, rng: random.Random) -> None:
    journal = _journal(target)
    for begin in rng.choice((HEADERS, HEADERS[:1], HEADERS[1:])):
        place = begin + rng.choice(HEADER_FIELDS)
        journal.put_word(place, nasty(target, rng, journal.word(place)), "journal's header")
        if rng.random() < 0.8:
            checked = bytes(journal.data[begin : begin + CHECKED])
            journal.put_word(begin + CHECKED, xxh3(checked), "checksum")


def records(journal: File) -> list[int]:
    """Where the records of both halves begin."""
    begin = max(HEADERS, key=lambda at: journal.word(at + 40))
    half = journal.word(begin + 48)
    found = []
    for start in (HALVES, HALVES + half):
        at, generation = start, 0
        while at + RECORD.size <= min(start + half, len(journal)):
            sum, size, _, its, _, _ = RECORD.unpack_from(journal.data, at)
            if sum == 0 or size > half or (generation and its != generation):
                break
            generation = its
            found.append(at)
            at += RECORD.size + size
    return found


def _any_record(journal: File, rng: random.Random) -> int | None:
    found = records(journal)
    return rng.choice(found) if found else None


def damage_record(target: Target, rng: random.Random) -> None:
    """A record's header or body; mostly it counts nevertheless."""
    journal = _journal(target)
    at = _any_record(journal, rng)
    if at is None:
        return
    _, size, sequence, generation, runs, flags = RECORD.unpack_from(journal.data, at)
    how = rng.randrange(7)
    if how == 0:
        runs = rng.choice((0, 1, runs + 1, runs * 2, (1 << 32) - 1))
    elif how == 1:
        flags = rng.choice((0, 1, 2, 3, 1 << 31))
    elif how == 2:
        sequence, generation = sequence + rng.choice((-1, 0, 1)), generation + rng.choice((-1, 1))
    elif how == 3:
        _damage_run(target, rng, at + RECORD.size + 8 * rng.randrange(max(1, runs)))
    elif size >= 16:
        lines = at + RECORD.size + 8 * runs
        count = max(1, (size - 8 * runs) // 8)
        place = lines + 8 * rng.randrange(count)
        journal.put_word(place, nasty(target, rng, journal.word(place)), "line of a record")
    fields = (size, sequence % (1 << 64), generation % (1 << 64), runs % (1 << 32), flags)
    _seal(target, rng, at, fields)


def _damage_run(target: Target, rng: random.Random, place: int) -> None:
    journal = _journal(target)
    old = journal.word(place)
    line, count = old >> 16, old & 0xFFFF
    if rng.random() < 0.5:
        line = rng.choice(
            (
                0,
                1,
                layout.LANES // LINE,
                len(target.pool) // LINE,
                (1 << 48) - 1,
                some_offset(target, rng) // LINE,
            )
        )
    else:
        count = rng.choice((0, 1, count + 1, 0xFFFF))
    journal.put_word(place, line << 16 | count, "run of lines of a record")


def _seal(
    target: Target, rng: random.Random, at: int, fields: tuple[int, int, int, int, int]
) -> None:
    journal = _journal(target)
    content = struct.pack("<QQQII", *fields)
    body = bytes(journal.data[at + RECORD.size : at + RECORD.size + fields[0]])
    sum = xxh3(content + body) if rng.random() < 0.9 else journal.word(at)
    journal.put(at, struct.pack("<Q", sum) + content, "record's header")


def send_away(target: Target, rng: random.Random) -> None:
    """A record's body is said to lie elsewhere."""
    journal = _journal(target)
    at = _any_record(journal, rng)
    if at is None:
        return
    _, size, sequence, generation, runs, _ = RECORD.unpack_from(journal.data, at)
    body = bytes(journal.data[at + RECORD.size : at + RECORD.size + size])
    offset, length, sum = len(journal) - size, size, xxh3(body)
    if rng.random() < 0.5:
        journal.put(offset, body, "a body that lies elsewhere")
    how = rng.randrange(4)
    if how == 0:
        offset = nasty(target, rng, offset) % (1 << 64)
    elif how == 1:
        length = nasty(target, rng, length) % (1 << 64)
    journal.put(at + RECORD.size, struct.pack("<QQQ", offset, length, sum), "where a body lies")
    _seal(target, rng, at, (24, sequence, generation, runs, AWAY))


KINDS: list[Callable[[Target, random.Random], None]] = [
    *(damage_header, damage_record, damage_record, damage_record, damage_record, send_away),
]
