"""Which damage a trial does: some of it anywhere, most of it aimed at what the format has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

from fuzz import heap_damage, journal_damage, log_damage

if TYPE_CHECKING:
    import random

    from fuzz.target import File, Target

    Damage = Callable[[Target, random.Random], None]

PAGE = 4096
MOST_CHANGES = 4


def flip_bits(target: Target, rng: random.Random) -> None:
    file = _some_file(target, rng)
    page = file.used_page(rng)
    if not len(file):
        return
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        place = min(page + rng.randrange(PAGE), len(file) - 1)
        file.put(place, bytes([file.data[place] ^ 1 << rng.randrange(8)]), "flipped")


def overwrite_word(target: Target, rng: random.Random) -> None:
    file = _some_file(target, rng)
    place = file.used_page(rng) + 8 * rng.randrange(PAGE // 8)
    if place + 8 <= len(file):
        file.put_word(place, heap_damage.nasty(target, rng, file.word(place)), "word")


def spoil_page(target: Target, rng: random.Random) -> None:
    file = _some_file(target, rng)
    one, other = file.used_page(rng), file.used_page(rng)
    content = file.data[one : one + PAGE]
    how = rng.randrange(4)
    if how == 0:
        file.put(one, bytes(PAGE), "zeroed")
    elif how == 1:
        file.put(one, b"\xff" * PAGE, "ones")
    elif how == 2:
        file.put(one, bytes(rng.randrange(256) for _ in range(PAGE)), "noise")
    else:
        file.put(one, file.data[other : other + PAGE], "swapped")
        file.put(other, content, "swapped")


def cut_tail(target: Target, rng: random.Random) -> None:
    file = _some_file(target, rng)
    file.cut(rng.choice((0, 1, PAGE, len(file) // 2, len(file) - PAGE, rng.randrange(len(file)))))


def _some_file(target: Target, rng: random.Random) -> File:
    if target.journal is not None and rng.random() < 0.5:
        return target.journal
    return target.pool


ANYWHERE: list[Damage] = [flip_bits, flip_bits, overwrite_word, overwrite_word, spoil_page]
AIMED: list[Damage] = [*heap_damage.KINDS, *log_damage.KINDS]


def damage(target: Target, rng: random.Random) -> None:
    """Changes something, in one place mostly."""
    if rng.random() < 0.01:
        cut_tail(target, rng)
    kinds = ANYWHERE if rng.random() < 0.15 else AIMED
    if target.journal is not None and rng.random() < 0.7:
        kinds = journal_damage.KINDS
    for _ in range(rng.choice((1, 1, 1, 2, MOST_CHANGES))):
        rng.choice(kinds)(target, rng)
