"""What there is to do: the same data, drawn in the same order, for every competitor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

WARM = 4_096  # keys that are read again and again
CHUNK = 100  # elements of one update, extend or slice
FILLING = 50_000  # elements stored at once while a container is filled


@dataclass(frozen=True)
class Settings:
    """What competitors need to know to be fair to each other.

    Args:
        text: Whether values are strings of 20 characters instead of integers.
        durability: What a returned write has to survive: "process" (a kill) or "power" (a power
            cut, on a medium that lasts).
        synchronous: SQLite's setting of that name; None: what the durability calls for.
    """

    text: bool = False
    durability: str = "process"
    synchronous: str | None = None

    @property
    def power(self) -> bool:
        return self.durability == "power"

    @property
    def sqlite(self) -> str:
        """SQLite's synchronous: in WAL mode even OFF survives a kill."""
        return self.synchronous or ("FULL" if self.power else "OFF")


@dataclass(frozen=True)
class Work:
    """The data of a group of cases.

    Args:
        size: Elements of a full container.
        batch: Statements of one round, at most.
        text: As in Settings.
    """

    size: int
    batch: int
    text: bool

    def key(self, number: int) -> str:
        key = f"key{number:08d}"
        hash(key)  # which str remembers, so that not only the first competitor computes it
        return key

    def value(self, number: int) -> Any:
        return f"the value {number:010d}" if self.text else number


# ---- Orders: which elements of a container of that length a round is about


def in_order(work: Work, length: int, random: Random) -> range:
    first = random.randrange(max(1, length - work.batch + 1))
    return range(first, min(length, first + work.batch))


def anywhere(work: Work, length: int, random: Random) -> list[int]:
    return random.choices(range(length), k=work.batch)


def a_few(work: Work, length: int, random: Random) -> list[int]:
    """So few that adding them does not make a short container long."""
    return random.choices(range(length), k=min(CHUNK, work.batch))


def distinct(work: Work, length: int, random: Random) -> list[int]:
    return random.sample(range(length), min(length, work.batch))


def warm(work: Work, length: int, random: Random) -> list[int]:
    """The same ones in every round, in another order."""
    step = max(1, length // WARM)
    numbers = list(range(0, length, step))[: min(WARM, work.batch)]
    random.shuffle(numbers)
    return numbers


def fresh(work: Work, length: int, random: Random) -> range:
    """New ones, beyond those that are there."""
    return range(length, length + work.batch)


def fresh_chunks(work: Work, length: int, random: Random) -> range:
    """The first of each of some chunks of new ones."""
    return range(length, length + work.batch, CHUNK)


def from_the_end(work: Work, length: int, random: Random) -> range:
    return range(length - 1, max(-1, length - 1 - work.batch), -1)


def whole(work: Work, length: int, random: Random) -> tuple[int]:
    """The container as a whole, once: its length."""
    return (length,)


# ---- Shapes: what the statement gets for such a number


def as_number(work: Work, number: int) -> int:
    return number


def as_key(work: Work, number: int) -> str:
    return work.key(number)


def as_value(work: Work, number: int) -> Any:
    return work.value(number)


def as_byte(work: Work, number: int) -> int:
    return number & 0xFF


def as_addition(work: Work, number: int) -> tuple[int, Any]:
    """Where, and what."""
    return number, work.value(number)


def as_change(work: Work, number: int) -> tuple[int, Any, Any]:
    """Where, what, and what was there."""
    return number, work.value(number + 1), work.value(number)


def as_byte_change(work: Work, number: int) -> tuple[int, int]:
    return number, (number + 1) & 0xFF


def as_entry(work: Work, number: int) -> tuple[str, Any]:
    return work.key(number), work.value(number)


def as_entry_change(work: Work, number: int) -> tuple[str, Any, Any]:
    return work.key(number), work.value(number + 1), work.value(number)


def as_values(work: Work, number: int) -> list[Any]:
    return [work.value(each) for each in range(number, number + CHUNK)]


def as_keys(work: Work, number: int) -> list[str]:
    return [work.key(each) for each in range(number, number + CHUNK)]


def as_entries(work: Work, number: int) -> dict[str, Any]:
    return dict(as_entry(work, each) for each in range(number, number + CHUNK))


def as_shuffled(work: Work, length: int) -> list[Any]:
    """All values of a list of that length, out of order (7,919 is a prime)."""
    return [work.value(each * 7_919 % length) for each in range(length)]


def as_other_half(work: Work, length: int) -> set[str]:
    """A set that shares half of its elements with one of that length."""
    return {work.key(each) for each in range(length // 2, length + length // 2)}


# ---- Filling a container


def chunks(length: int) -> Iterator[range]:
    """All numbers below `length`, in steps."""
    for first in range(0, length, FILLING):
        yield range(first, min(length, first + FILLING))


def fill_list(work: Work, numbers: range, container: Any) -> None:
    container.extend([work.value(number) for number in numbers])


def fill_dict(work: Work, numbers: range, container: Any) -> None:
    container.update({work.key(number): work.value(number) for number in numbers})


def fill_set(work: Work, numbers: range, container: Any) -> None:
    container.update([work.key(number) for number in numbers])


def fill_bytearray(work: Work, numbers: range, container: Any) -> None:
    container.extend(bytes(number & 0xFF for number in numbers))


def fill_object(work: Work, numbers: range, container: Any) -> None:
    container.alpha = work.value(0)


def fill_nested(work: Work, numbers: range, container: Any) -> None:
    container["x"] = {"y": work.value(0)}


FILL = {
    "list": fill_list,
    "dict": fill_dict,
    "set": fill_set,
    "bytearray": fill_bytearray,
    "object": fill_object,
    "nested": fill_nested,
}
