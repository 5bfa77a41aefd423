"""Damage of what the heap holds: objects, cells, blocks, chunks, the root, the headers."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Callable

from fuzz import layout
from fuzz.checksums import fletcher64

if TYPE_CHECKING:
    import random

    from fuzz.layout import Block
    from fuzz.target import Target

HEADER_WORDS = 8  # of a block: where most of its fields lie
TYPES = (*range(12), 64, 65, 1 << 63, (1 << 63) + 7)


def nasty(target: Target, rng: random.Random, old: int = 0) -> int:
    """A word that code without checks would stumble over."""
    how = rng.randrange(8)
    if how == 0:
        return rng.choice((0, 1, 2, 1 << 31, 1 << 32, 1 << 47, 1 << 48, 1 << 62, 1 << 63, -1, -8))
    if how == 1:
        return old + rng.choice((-64, -16, -8, -1, 1, 2, 7, 8, 16, 64, 4096))
    if how == 2:
        return old ^ 1 << rng.randrange(64)
    if how == 3:
        return some_offset(target, rng)
    if how == 4:
        return layout.OBJECT_CELL << 48 | some_offset(target, rng)
    if how == 5:
        return layout.BLOB_CELL << 48 | some_offset(target, rng)
    if how == 6:
        return rng.getrandbits(rng.choice((4, 8, 16, 32, 48, 64)))
    return old & ~0xFFFF_FFFF | rng.getrandbits(32) if rng.random() < 0.5 else old << 32


def some_offset(target: Target, rng: random.Random) -> int:
    """Of a block mostly, or of what is in one or near one."""
    block = rng.choice(target.blocks)
    how = rng.randrange(6)
    if how == 0:
        return block.offset + 8 * rng.randrange(max(1, block.size // 8))
    if how == 1:
        return max(0, len(target.pool) - rng.choice((0, 8, 16, 64, 4096)))
    if how == 2:
        return block.offset + rng.choice((-16, -8, 1, 8, 16, block.size))
    return block.offset


def damage_header(target: Target, rng: random.Random) -> None:
    """A block's size, flags and type number."""
    block = rng.choice(target.counted)
    if rng.random() < 0.5:
        kind = rng.choice(TYPES)
        target.pool.put_word(block.offset - 8, kind, f"type of the block at {block.offset:#x}")
    else:
        place = block.offset - 16
        old = target.pool.word(place)
        target.pool.put_word(place, nasty(target, rng, old), "size in a block's header")


def damage_field(target: Target, rng: random.Random) -> None:
    """One of the first words of a counted object."""
    _damage_word_of(target, rng, rng.choice(target.counted), HEADER_WORDS)


def damage_owned(target: Target, rng: random.Random) -> None:
    """One of the first words of a body, segment, index, table, shape or large value."""
    owned = [block for block in target.blocks if block.type in (0, 64)]
    _damage_word_of(target, rng, rng.choice(owned), HEADER_WORDS)


def damage_inside(target: Target, rng: random.Random) -> None:
    """Any word of any block, large ones oftener."""
    block = rng.choice(target.blocks)
    if rng.random() < 0.3:
        block = max(block, rng.choice(target.blocks), key=lambda b: b.size)
    _damage_word_of(target, rng, block, block.size // 8)


def _damage_word_of(target: Target, rng: random.Random, block: Block, words: int) -> None:
    place = block.offset + 8 * rng.randrange(max(1, min(words, block.size // 8)))
    why = f"in the block at {block.offset:#x} of type {block.type}"
    target.pool.put_word(place, nasty(target, rng, target.pool.word(place)), why)


def damage_count(target: Target, rng: random.Random) -> None:
    block = rng.choice(target.counted)
    old = target.pool.word(block.offset)
    count = rng.choice((0, 1, 2, (old & 0xFF) - 1, (old & 0xFF) + 1, (1 << 40) - 1))
    class_id = rng.choice((old >> 40, old >> 40, 0, 1, rng.randrange(60), (1 << 24) - 1))
    word = class_id << 40 | count % (1 << 40)
    target.pool.put_word(block.offset, word, f"count and class of type {block.type}")


def retarget(target: Target, rng: random.Random) -> None:
    """A cell or link of some block leads to another block, its own perhaps."""
    for _ in range(20):
        block = rng.choice(target.blocks)
        first = rng.randrange(max(1, block.size // 8))
        for index in range(first, min(block.size // 8, first + 64)):
            place = block.offset + 8 * index
            old = target.pool.word(place)
            if old >> 48 not in (0, 4, 5) or not _is_offset(target, old):
                continue
            new = rng.choice((block.offset, some_offset(target, rng), some_offset(target, rng)))
            kind = old >> 48 if rng.random() < 0.8 else rng.choice((0, 4, 5, 6, 0x8000))
            target.pool.put_word(place, kind << 48 | new, f"reference in {block.offset:#x}")
            return


def _is_offset(target: Target, word: int) -> bool:
    return layout.FIRST_CHUNK <= word & layout.OFFSET_MASK < len(target.pool)


def damage_root(target: Target, rng: random.Random) -> None:
    place = target.root + rng.choice(layout.ROOT_FIELDS)
    target.pool.put_word(
        place, nasty(target, rng, target.pool.word(place)), f"root object + {place - target.root}"
    )


def damage_table(target: Target, rng: random.Random) -> None:
    """The class table, a shape or the limbo list's segment."""
    field = rng.choice((layout.CLASS_TABLE, layout.CLASS_TABLE, layout.LIMBO))
    table = target.pool.word(target.root + field)
    place = table + 8 * rng.randrange(100)
    if field == layout.CLASS_TABLE and rng.random() < 0.6:
        shape = target.pool.word(table + 16 + 16 * rng.randrange(4))
        place = (shape or table) + 8 * rng.randrange(6)
    target.pool.put_word(place, nasty(target, rng, target.pool.word(place)), "table or shape")


def damage_chunk(target: Target, rng: random.Random) -> None:
    known = layout.chunks(target.pool.data)
    index = rng.choice(known)[0] if rng.random() < 0.8 else rng.randrange(100)
    place = layout.CHUNK_HEADERS + 8 * index
    kind, flags, length = struct.unpack_from("<HHI", target.pool.data, place)
    how = rng.randrange(3)
    if how == 0:
        kind = rng.randrange(7)
    elif how == 1:
        flags ^= 1 << rng.randrange(5)
    else:
        length = rng.choice((0, 1, 2, length - 1, length + 1, 1 << 31, index))
    content = struct.pack("<HHI", kind, flags, length % (1 << 32))
    target.pool.put(place, content, f"header of chunk {index}")


def damage_run(target: Target, rng: random.Random) -> None:
    """A run's unit size, or its bitmap."""
    run = rng.choice(target.runs)
    how = rng.randrange(4)
    if how == 0:
        unit = rng.choice((0, 1, 8, 16, run.unit - 8, run.unit + 16, run.unit * 2, 1 << 40))
        return target.pool.put_word(run.begin, unit, "unit of a run")
    bytes_of_bitmap = run.first_unit - run.bitmap
    if how == 1:
        place = run.bitmap + 8 * rng.randrange(bytes_of_bitmap // 8)
        target.pool.put_word(place, rng.choice((0, -1, rng.getrandbits(64))), "bitmap of a run")
    else:
        place = run.bitmap + rng.randrange(min(bytes_of_bitmap, 16))
        content = bytes([target.pool.data[place] ^ 1 << rng.randrange(8)])
        target.pool.put(place, content, "bitmap of a run")
    return None


def damage_descriptor(target: Target, rng: random.Random) -> None:
    """With the right checksum afterwards, three times out of four."""
    begin = layout.DESCRIPTOR
    field = rng.choice((0x0, 0x3FF, 0x400, 0x408, 0x410, 0x418, 0x800, 0x808, 0x810, 0x820))
    old = target.pool.word(begin + field)
    target.pool.put_word(begin + field, nasty(target, rng, old), f"descriptor + {field:#x}")
    if rng.random() < 0.75:
        checked = bytes(target.pool.data[begin : begin + 2040]) + bytes(8)
        target.pool.put_word(begin + 2040, fletcher64(checked), "checksum")


def damage_pool_header(target: Target, rng: random.Random) -> None:
    field = rng.choice((0, 8, 12, 16, 20, 24, 40, 56, 72, 120, 128, 136, 4024, 4040))
    old = target.pool.word(field)
    new = old ^ 1 << rng.randrange(64) if rng.random() < 0.7 else nasty(target, rng, old)
    target.pool.put_word(field, new, f"pool header + {field}")
    if rng.random() < 0.75:
        covered = 2048 if target.pool.data[16] & 2 else 4088
        checked = bytes(target.pool.data[:covered]).ljust(4096, b"\0")
        target.pool.put_word(4088, fletcher64(checked), "checksum")


def damage_heap_header(target: Target, rng: random.Random) -> None:
    begin = layout.HEAP
    field = rng.choice((16, 24, 32, 40, 48))
    old = target.pool.word(begin + field)
    target.pool.put_word(begin + field, nasty(target, rng, old), f"heap header + {field}")
    if rng.random() < 0.75:
        checked = bytes(target.pool.data[begin : begin + 1016]) + bytes(8)
        target.pool.put_word(begin + 1016, fletcher64(checked), "checksum")


def damage_zone(target: Target, rng: random.Random) -> None:
    old = target.pool.word(layout.ZONE)
    target.pool.put_word(layout.ZONE, old ^ 1 << rng.randrange(64), "zone header")


OFTEN: list[Callable[[Target, random.Random], None]] = [
    *(damage_header, damage_field, damage_owned, damage_inside, damage_count, retarget, retarget),
    *(damage_root, damage_table),
]
SELDOM: list[Callable[[Target, random.Random], None]] = [
    *(damage_chunk, damage_run, damage_descriptor, damage_pool_header, damage_heap_header),
    *(damage_zone,),
]
KINDS = OFTEN * 3 + SELDOM
