"""Code of the user's that a list calls, in the middle of it all."""

from __future__ import annotations

import operator
from typing import Any, Callable

import pytest

import nvm
from nvm.pmemobj import PersistentList, PersistentObjectPool

Pool = PersistentObjectPool


class Calls:
    """Calls a function when it is compared, and says what it is told to."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, function: Callable[[], Any], answer: bool = False) -> None:
        self.function = function
        self.answer = answer

    def __eq__(self, other: object) -> bool:
        self.function()
        return self.answer

    def __lt__(self, other: object) -> bool:
        self.function()
        return self.answer

    def __index__(self) -> int:
        self.function()
        return 0


class Stop(Exception):
    pass


def stop() -> None:
    raise Stop


COMPARING: dict[str, Callable[[Any, Any], Any]] = {
    "in": lambda items, value: value in items,
    "index": lambda items, value: items.index(value),
    "count": lambda items, value: items.count(value),
    "remove": lambda items, value: items.remove(value),
    "==": lambda items, value: items == [value] * 3,
    "<": lambda items, value: items < [value] * 3,
}
INDEXING: dict[str, Callable[[Any, Any], Any]] = {
    "get": operator.getitem,
    "set": lambda items, value: operator.setitem(items, value, 1),
    "del": operator.delitem,
    "slice": lambda items, value: items[value:],
    "set slice": lambda items, value: operator.setitem(items, slice(value, None), [1]),
    "del slice": lambda items, value: operator.delitem(items, slice(None, None, value)),
    "pop": lambda items, value: items.pop(value),
    "insert": lambda items, value: items.insert(value, 1),
    "index from": lambda items, value: items.index(1, value),
    "times": lambda items, value: items * value,
    "imul": operator.imul,
}
ANY = {**COMPARING, **INDEXING}


@pytest.mark.parametrize("operation", list(ANY.values()), ids=list(ANY))
def test_an_exception_reaches_the_caller(pool: Pool, operation: Callable[..., Any]) -> None:
    pool["l"] = [1, 2, 3]
    with pytest.raises(Stop):
        operation(pool["l"], Calls(stop))
    assert pool["l"] == [1, 2, 3]


@pytest.mark.parametrize("answer", [False, True])
@pytest.mark.parametrize("operation", list(ANY.values()), ids=list(ANY))
def test_closing_the_pool_is_a_clean_error(
    pool: Pool, operation: Callable[..., Any], answer: bool
) -> None:
    pool["l"] = [1, 2, 3]
    items = pool["l"]
    try:
        operation(items, Calls(pool.close, answer))
    except (nvm.PoolClosedError, ValueError, TypeError):
        pass
    assert pool.closed
    with pytest.raises(nvm.PoolClosedError):
        len(items)


@pytest.mark.parametrize("answer", [False, True])
@pytest.mark.parametrize("change", ["clear", "append", "pop", "reverse"])
@pytest.mark.parametrize("operation", list(ANY.values()), ids=list(ANY))
def test_changing_the_list_is_survived(
    pool: Pool, operation: Callable[..., Any], change: str, answer: bool
) -> None:
    arguments = ("x" * 50,) if change == "append" else ()
    pool["l"] = ["a" * 30, [2], "c" * 30]
    left = [2]

    def meddle() -> None:
        if left[0] > 0:
            left[0] -= 1
            getattr(pool["l"], change)(*arguments)

    try:
        operation(pool["l"], Calls(meddle, answer))
    except (IndexError, ValueError, TypeError):
        pass
    assert pool.check() == []


def test_searches_see_what_list_sees_when_the_list_changes(pool: Pool) -> None:
    def search(items: Any, change: Callable[[Any], Any]) -> list[Any]:
        def meddle() -> None:
            if len(seen) < 2:
                change(items)
            seen.append(len(items))

        seen: list[int] = []
        return [items.count(Calls(meddle)), seen, list(items)]

    changes: list[Callable[[Any], Any]] = [
        lambda items: items.append(9),
        lambda items: items.pop(),
        lambda items: items.clear(),
        lambda items: items.insert(0, 9),
    ]
    for change in changes:
        assert search(pool.new(PersistentList, [1, 2, 3, 4]), change) == search(
            [1, 2, 3, 4], change
        )


@pytest.mark.parametrize(
    "change",
    [
        lambda items: items.append(0),
        lambda items: items.pop(),
        lambda items: items.clear(),
        lambda items: items.reverse(),
        lambda items: operator.setitem(items, 0, 5),
    ],
)
def test_sort_refuses_a_list_that_its_key_changes(pool: Pool, change: Callable[..., Any]) -> None:
    items = pool.new(PersistentList, [3, 1, 2])
    expected = [3, 1, 2]
    change(expected)
    done = []

    def key(item: int) -> int:
        if not done:
            done.append(change(items))
        return item

    with pytest.raises(ValueError, match="list modified during sort"):
        items.sort(key=key)
    assert items == expected


def test_a_failing_sort_changes_nothing(pool: Pool) -> None:
    items = pool.new(PersistentList, [3, 1, 2, "a"])
    with pytest.raises(TypeError, match="'<' not supported between"):
        items.sort()
    with pytest.raises(ZeroDivisionError):
        items.sort(key=lambda item: 1 / 0)
    assert items == [3, 1, 2, "a"]
    with pytest.raises(nvm.PoolClosedError):
        items.sort(key=lambda item: pool.close() or 1)


@pytest.mark.parametrize("backend", ["memory", "journal"])
def test_the_key_of_a_sort_is_called_once_for_each_item(path: Any, backend: Any) -> None:
    for items in ([3, 1.5, 2], ["b", "a", "c"], ["longer texts", "are", "elsewhere"], [(2,), (1,)]):
        called = []
        with nvm.open(f"{path}-{backend}", "n", size="64 MiB", backend=backend) as pool:
            pool["l"] = items
            pool["l"].sort(key=lambda item, called=called: called.append(item) or item)
            assert pool["l"] == sorted(items)
            assert called == items
            pool["l"].sort(reverse=True)
            assert pool["l"] == sorted(items, reverse=True)
            with pytest.raises(ZeroDivisionError):
                pool["l"].sort(key=lambda item: 1 / 0)
            assert pool["l"] == sorted(items, reverse=True)
            assert pool.check() == []


def test_sort_is_stable_and_compares_as_list_does(pool: Pool) -> None:
    pairs = [[i % 3, i] for i in range(50)]
    for reverse in (False, True):
        items = pool.new(PersistentList, pairs)
        items.sort(key=lambda pair: pair[0], reverse=reverse)
        assert items == sorted(pairs, key=lambda pair: pair[0], reverse=reverse)
        assert items[0] is items[0]


def test_extend_reads_all_before_it_changes_anything(pool: Pool) -> None:
    items = pool.new(PersistentList, [1])

    def two_and_stop() -> Any:
        yield 2
        assert items == [1]
        items.append(0)
        raise Stop

    for operation in (items.extend, lambda new: operator.setitem(items, slice(0, 0), new)):
        with pytest.raises(Stop):
            operation(two_and_stop())
        assert items == [1, 0]
        del items[1:]


def test_what_cannot_be_stored_changes_nothing(pool: Pool) -> None:
    items = pool.new(PersistentList, [1, 2])
    bad: Any = object()
    for operation in (
        lambda: items.append(bad),
        lambda: items.extend([3, [4, {"k": bad}]]),
        lambda: items.insert(0, [bad]),
        lambda: operator.setitem(items, 0, (bad,)),
        lambda: operator.setitem(items, slice(0, 1), [1, bad]),
        lambda: operator.iadd(items, [bad]),
    ):
        with pytest.raises(TypeError, match="Don't know how to persist 'object' objects"):
            operation()
        assert items == [1, 2]


def test_items_of_another_pool_are_refused(pool: Pool, path: Any) -> None:
    with nvm.open(f"{path}-2", size="64 MiB", backend="memory") as other:
        with pytest.raises(TypeError, match=r"\.to_python\(\)"):
            pool["l"] = [other.new(PersistentList)]
        assert "l" not in pool
        pool["l"] = [1]
        other["l"] = pool["l"].to_python()
        assert other["l"] == pool["l"]
