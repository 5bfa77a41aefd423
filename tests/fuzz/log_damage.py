"""Damage of logs that recovery reads: libpmemobj's in the lanes, and ours.

They are forged, too: a log that is complete, with the right checksum, and lies.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Callable

from fuzz import layout
from fuzz.checksums import fletcher64, xxh3
from fuzz.heap_damage import nasty, some_offset

if TYPE_CHECKING:
    import random

    from fuzz.target import Target

# Where a lane's logs begin, and the bytes of their entries.
INTERNAL, EXTERNAL, UNDO = (0, 192), (256, 640), (960, 2048)
SET, AND, OR, FILL, COPY = 0, 1, 2, 5, 6

SLOT = 16
SEGMENT_HEADER = 16
NUMBER_BITS = 20
RANGE_SLOTS = (1, 2, 3, 4)
PLACES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 511, 512)
MOST_SLOTS = 40


def _lane(rng: random.Random) -> int:
    lane = rng.choice((0, 0, 1, layout.LANE_COUNT - 1, rng.randrange(layout.LANE_COUNT)))
    return layout.LANES + layout.LANE * lane


def damage_lane(target: Target, rng: random.Random) -> None:
    place = _lane(rng) + 8 * rng.randrange(layout.LANE // 8)
    target.pool.put_word(place, nasty(target, rng, target.pool.word(place)), "lane")


def _target(target: Target, rng: random.Random) -> int:
    """What an entry of a log changes: a word that matters."""
    how = rng.randrange(6)
    if how == 0:
        return rng.choice((layout.ROOT_OFFSET, layout.ROOT_OFFSET + 16, layout.HEAP_SIZE, 0, 8))
    if how == 1:
        return layout.CHUNK_HEADERS + 8 * rng.randrange(100)
    if how == 2:
        return rng.choice(target.runs).bitmap
    if how == 3:
        return target.root + rng.choice(layout.ROOT_FIELDS)
    if how == 4:
        return rng.choice((nasty(target, rng) % (1 << 61), len(target.pool) - 4))
    return some_offset(target, rng)


def forge_redo(target: Target, rng: random.Random) -> None:
    """A redo log that counts."""
    begin, capacity = rng.choice((INTERNAL, EXTERNAL))
    entries = b"".join(
        struct.pack(
            "<QQ",
            rng.choice((SET, SET, AND, OR, 3, 7)) << 61 | _target(target, rng) % (1 << 61),
            nasty(target, rng) % (1 << 64),
        )
        for _ in range(rng.randrange(1, capacity // 16))
    )
    _forge(target, rng, begin, capacity, entries)


def forge_undo(target: Target, rng: random.Random) -> None:
    """An undo log of libpmemobj's transactions that counts."""
    begin, capacity = UNDO
    generation = rng.randrange(3)
    content = bytes(rng.randrange(256) for _ in range(rng.choice((8, 64, 200, 1000))))
    size = len(content) if rng.random() < 0.8 else nasty(target, rng) % (1 << 64)
    place = rng.choice((FILL, COPY)) << 61 | _target(target, rng) % (1 << 61)
    padded = (struct.pack("<QQQ", place, 0, size) + content).ljust(
        -(-(24 + len(content)) // 64) * 64, b"\0"
    )
    sum = fletcher64(struct.pack("<Q", generation), fletcher64(padded))
    entry = padded[:8] + struct.pack("<Q", sum) + padded[16:]
    _forge(target, rng, begin, capacity, entry, generation)


def _forge(
    target: Target,
    rng: random.Random,
    begin: int,
    capacity: int,
    entries: bytes,
    generation: int = 0,
) -> None:
    next = some_offset(target, rng) if rng.random() < 0.15 else 0
    if rng.random() < 0.05:
        capacity = nasty(target, rng, capacity) % (1 << 64)
    header = struct.pack("<QQQQ", 0, next, capacity, generation).ljust(64, b"\0")
    log = header + entries
    log = struct.pack("<Q", fletcher64(log)) + log[8:]
    target.pool.put(_lane(rng) + begin, log + bytes(8), "forged log")


# ---- Our own undo log


def damage_tx(target: Target, rng: random.Random) -> None:
    """Its control block; often the phase alone: what was noted to be undone is then to be freed."""
    place = target.root + layout.TX + 8 * rng.randrange(4)
    old = target.pool.word(target.root + layout.TX)
    if rng.random() < 0.4:
        target.pool.put_word(target.root + layout.TX, old ^ rng.choice((1, 2, 3, 4)), "phase")
    else:
        target.pool.put_word(place, nasty(target, rng, target.pool.word(place)), "undo log")


def forge_entries(target: Target, rng: random.Random) -> None:
    """Slots of the present generation, with anything in them."""
    pool = target.pool
    state = pool.word(target.root + layout.TX)
    segment = pool.word(target.root + layout.TX + 16)
    number = (state >> 2) % (1 << NUMBER_BITS)
    slots: list[tuple[int, int]] = []
    while len(slots) < rng.randrange(1, MOST_SLOTS):
        slots += _forged_entry(target, rng, number)
    first = _first_free_slot(target, segment, number) if rng.random() < 0.7 else 0
    content = b"".join(struct.pack("<QQ", value % (1 << 64), tag) for value, tag in slots)
    pool.put(segment + SEGMENT_HEADER + first * SLOT, content, "forged entries of the undo log")
    if rng.random() < 0.4:
        pool.put_word(target.root + layout.TX, state | 1, "phase: committed")


def _first_free_slot(target: Target, segment: int, number: int) -> int:
    slot = 0
    while slot < 900:
        tag = target.pool.word(segment + SEGMENT_HEADER + slot * SLOT + 8)
        if tag % (1 << NUMBER_BITS) != number:
            break
        slot += 1
    return slot


def _forged_entry(target: Target, rng: random.Random, number: int) -> list[tuple[int, int]]:
    def tag(place: int) -> int:
        return (place << NUMBER_BITS | number) % (1 << 64)

    how = rng.randrange(5)
    if how == 0:
        return [(nasty(target, rng), tag(_target(target, rng) // 8))]
    if how == 1:
        return [(some_offset(target, rng), tag(8))]
    if how == 2:
        count = rng.choice((0, 1, 2, 5))
        batch = [(some_offset(target, rng), tag(6)) for _ in range(count)]
        return [
            (count if rng.random() < 0.8 else nasty(target, rng), tag(rng.choice((5, 7)))),
            *batch,
        ]
    if how == 3:
        destination = _target(target, rng) % (1 << 64)
        payload = some_offset(target, rng) % (1 << 64)
        length = rng.choice((0, 1, 8, 64, 4096, nasty(target, rng) % (1 << 64)))
        generation = target.pool.word(target.root + layout.TX) >> 2
        seed = xxh3(struct.pack("<QQQQ", destination, length, payload, generation))
        sum = xxh3(bytes(target.pool.data[payload : payload + min(length, 1 << 20)]), seed)
        return list(zip((destination, length, payload, sum), map(tag, RANGE_SLOTS)))
    return [(nasty(target, rng), tag(rng.choice(PLACES)))]


KINDS: list[Callable[[Target, random.Random], None]] = [
    *(damage_lane, forge_redo, forge_redo, forge_undo, damage_tx, damage_tx),
    *(forge_entries, forge_entries, forge_entries),
]
