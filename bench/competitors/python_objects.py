"""The cases for whatever looks like a list, a dict and an object."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from bench.competitors.base import Competitor
from bench.measure import Run
from bench.work import ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.work import Work


class PythonObjects(Competitor):
    """A subclass says how its lists, dicts and objects are made."""

    def make_list(self, values: list[Any]) -> Any:
        raise NotImplementedError

    def make_dict(self, values: dict[str, Any]) -> Any:
        raise NotImplementedError

    def make_object(self) -> Any:
        raise NotImplementedError

    def _run(
        self, work: Work, loop: Callable[[], None], prepare: Callable[[], None] | None = None
    ) -> Run:
        def call() -> None:
            with self.context(work):
                loop()

        return Run(call, work.batch, prepare)

    # The loops are written out, so that there is nothing in them but what is measured.

    def list_read(self, work: Work) -> Run:
        items, places = self.make_list(work.values()), work.places()

        def loop() -> None:
            for place in places:
                items[place]

        return self._run(work, loop)

    def list_write(self, work: Work) -> Run:
        items = self.make_list(work.values())
        changes = [(place, work.value(place)) for place in work.places()]

        def loop() -> None:
            for place, value in changes:
                items[place] = value

        return self._run(work, loop)

    def list_append(self, work: Work) -> Run:
        items = self.make_list([])
        values = [work.value(number) for number in range(work.batch)]

        def loop() -> None:
            for value in values:
                items.append(value)

        return self._run(work, loop, items.clear)

    def dict_read(self, work: Work) -> Run:
        keys = work.keys()
        mapping = self.make_dict(dict(zip(keys, work.values())))
        wanted = [keys[place] for place in work.places()]

        def loop() -> None:
            for key in wanted:
                mapping[key]

        return self._run(work, loop)

    def dict_write(self, work: Work) -> Run:
        keys = work.keys()
        mapping = self.make_dict(dict(zip(keys, work.values())))
        changes = [(keys[place], work.value(place)) for place in work.places()]

        def loop() -> None:
            for key, value in changes:
                mapping[key] = value

        return self._run(work, loop)

    def dict_insert(self, work: Work) -> Run:
        mapping = self.make_dict({})
        fresh = [(f"key{number:07d}", work.value(number)) for number in range(work.batch)]

        def loop() -> None:
            for key, value in fresh:
                mapping[key] = value

        return self._run(work, loop, mapping.clear)

    def attribute_read(self, work: Work) -> Run:
        target = self.make_object()
        for name in ATTRIBUTES:
            setattr(target, name, work.value(0))
        turns = range(work.batch // len(ATTRIBUTES))

        def loop() -> None:
            for _ in turns:
                target.alpha
                target.beta
                target.gamma
                target.delta
                target.epsilon
                target.zeta
                target.eta
                target.theta

        return self._run(work, loop)

    def attribute_write(self, work: Work) -> Run:
        target = self.make_object()
        values = [work.value(number) for number in range(work.batch // len(ATTRIBUTES))]

        def loop() -> None:
            for value in values:
                target.alpha = value
                target.beta = value
                target.gamma = value
                target.delta = value
                target.epsilon = value
                target.zeta = value
                target.eta = value
                target.theta = value

        return self._run(work, loop)


def chunks(entries: int, length: int = 100_000) -> Any:
    """Dicts that together are `entries` keys and values, for filling in steps."""
    numbers = iter(range(entries))
    while chunk := {f"key{number}": number for number in islice(numbers, length)}:
        yield chunk
