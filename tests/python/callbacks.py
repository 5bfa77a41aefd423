"""Operations that call code of the user's, each with a hook in that code."""

from __future__ import annotations

import contextlib
import operator
import weakref
from typing import TYPE_CHECKING, Any, Callable

import nvm
from interpreter import CPYTHON, collect
from nvm.pmemobj import PersistentList, PersistentObject, PersistentSet
from outcome import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nvm.pmemobj import PersistentObjectPool

    Pool = PersistentObjectPool

Hook = Callable[[], Any]


class Current:
    """The hook of what a pool makes by itself: there is no other way to hand it over."""

    hook: Hook | None = None

    @classmethod
    def call(cls) -> None:
        if cls.hook is not None:
            cls.hook()

    @classmethod
    @contextlib.contextmanager
    def set_to(cls, hook: Hook) -> Iterator[None]:
        cls.hook = hook
        try:
            yield
        finally:
            cls.hook = None


class Equal:
    """Hashable as 1, equal to nothing; asks the hook first."""

    def __init__(self, hook: Hook) -> None:
        self.hook = hook

    def __eq__(self, other: object) -> bool:
        self.hook()
        return False

    def __gt__(self, other: object) -> bool:
        self.hook()
        return False

    def __hash__(self) -> int:
        return hash(1)


class Hashed(Equal):
    def __eq__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        self.hook()
        return hash(1)


class Index:
    def __init__(self, hook: Hook) -> None:
        self.hook = hook

    def __index__(self) -> int:
        self.hook()
        return 1


def elements(hook: Hook, *values: Any) -> Iterator[Any]:
    yield values[0]
    hook()
    yield from values[1:]


class Pairs:
    """A mapping for update()."""

    def __init__(self, hook: Hook) -> None:
        self.hook = hook

    def keys(self) -> list[str]:
        return ["x", "y"]

    def __getitem__(self, key: str) -> str:
        self.hook()
        return key * 30


class Made(PersistentObject):
    def __init__(self) -> None:
        self.value = 1
        Current.call()
        self.other = [2]


class Returned(PersistentObject):
    def _v__init__(self) -> None:
        Current.call()

    def __repr__(self) -> str:
        return "Returned"


class Told(PersistentObject):
    def __repr__(self) -> str:
        Current.call()
        return "Told"


class Dying(PersistentObject):
    def __del__(self) -> None:
        Current.call()


class Registered:
    def __init__(self, number: int) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Registered) and self.number == other.number

    __hash__ = None  # type: ignore[assignment]


def to_state(value: Registered) -> int:
    Current.call()
    return value.number


def from_state(state: int) -> Registered:
    Current.call()
    return Registered(state)


nvm.register_type(Registered, to_state, from_state)


class Pickled:
    def __getstate__(self) -> dict[str, int]:
        Current.call()
        return {"number": 1}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pickled)

    __hash__ = None  # type: ignore[assignment]


def fill(pool: Pool) -> None:
    """What the operations find."""
    pool["l"] = [1, 2, "a text that fits no cell"]
    pool["d"] = {"a": 1, "b": [2], 1: "another text that fits no cell"}
    pool["s"] = {1, 2, "c"}
    pool["b"] = bytearray(b"abc")
    pool["o"] = pool.new(Returned)
    pool["o"].value = 1
    pool["t"] = pool.new(Told)
    pool["r"] = Registered(5)


def content(pool: Pool) -> Any:
    """All of it, comparable."""
    result = {}
    for key, value in pool.items():
        if isinstance(value, PersistentObject):
            result[key] = {name: plain(part) for name, part in vars(value).items()}
        elif isinstance(value, Registered):
            result[key] = value.number
        else:
            result[key] = plain(value)
    return result


def through_current(operation: Callable[[Pool], Any]) -> Callable[[Pool, Hook], Any]:
    def operate(pool: Pool, hook: Hook) -> Any:
        with Current.set_to(hook):
            return operation(pool)

    return operate


def read_what_no_proxy_holds(pool: Pool) -> Any:
    if not CPYTHON:
        collect()
    return pool["o"].value


def let_an_object_die(pool: Pool) -> None:
    pool.new(Dying)
    collect()


def let_a_weak_reference_end(pool: Pool, hook: Hook) -> None:
    items = pool.new(PersistentList, [1, [2]])
    reference = weakref.ref(items, lambda _: hook())
    del items
    collect()
    assert reference() is None


def set_item(index: Any, value: Any) -> Callable[[Any], None]:
    return lambda items: operator.setitem(items, index, value)


OPERATIONS: dict[str, Callable[[Any, Hook], Any]] = {
    # __eq__ and __lt__
    "eq: value in list": lambda pool, hook: Equal(hook) in pool["l"],
    "eq: list.index": lambda pool, hook: 0 if pool["l"].count(Equal(hook)) else 1,
    "eq: list == list": lambda pool, hook: pool["l"] == [Equal(hook), 2, 3],
    "lt: list < list": lambda pool, hook: pool["l"] < [1, 2, Equal(hook)],
    "eq: dict == dict": lambda pool, hook: pool["d"] == {"a": Equal(hook), "b": 1, 1: 2},
    "eq: item in items": lambda pool, hook: ("a", Equal(hook)) in pool["d"].items(),
    "eq: value in values": lambda pool, hook: Equal(hook) in pool["d"].values(),
    "eq: set & set": lambda pool, hook: pool["s"] & {Equal(hook)},
    "eq: set <= set": lambda pool, hook: pool["s"] <= {Equal(hook), 2, "c"},
    # __hash__
    "hash: dict.get": lambda pool, hook: pool["d"].get(Hashed(hook)),
    "hash: dict.pop": lambda pool, hook: pool["d"].pop(Hashed(hook), None),
    "hash: value in set": lambda pool, hook: Hashed(hook) in pool["s"],
    "hash: set.discard": lambda pool, hook: pool["s"].discard(Hashed(hook)),
    "hash: pool.get": lambda pool, hook: pool.get(Hashed(hook)),
    # __index__
    "index: list[i]": lambda pool, hook: pool["l"][Index(hook)],
    "index: list[i] = x": lambda pool, hook: set_item(Index(hook), "new " * 9)(pool["l"]),
    "index: list[i:] = x": lambda pool, hook: set_item(slice(Index(hook), None), [7])(pool["l"]),
    "index: list.insert": lambda pool, hook: pool["l"].insert(Index(hook), "new " * 9),
    "index: list.pop": lambda pool, hook: pool["l"].pop(Index(hook)),
    "index: del list[i]": lambda pool, hook: operator.delitem(pool["l"], Index(hook)),
    "index: list *= n": lambda pool, hook: operator.imul(pool["l"], Index(hook)),
    "index: bytearray[i] = x": lambda pool, hook: set_item(0, Index(hook))(pool["b"]),
    "index: bytearray.append": lambda pool, hook: pool["b"].append(Index(hook)),
    "index: bytearray.insert": lambda pool, hook: pool["b"].insert(Index(hook), 1),
    # __iter__, keys()
    "iter: list.extend": lambda pool, hook: pool["l"].extend(elements(hook, 1, "x" * 30, [])),
    "iter: list += x": lambda pool, hook: operator.iadd(pool["l"], elements(hook, 1, "x" * 30)),
    "iter: list[1:2] = x": lambda pool, hook: set_item(slice(1, 2), elements(hook, 1, []))(
        pool["l"]
    ),
    "iter: set.update": lambda pool, hook: pool["s"].update(elements(hook, 8, "x" * 30)),
    "iter: set.difference_update": lambda pool, hook: pool["s"].difference_update(
        elements(hook, 1, "c")
    ),
    "iter: set.intersection_update": lambda pool, hook: pool["s"].intersection_update(
        elements(hook, 1, "c")
    ),
    "iter: dict.update": lambda pool, hook: pool["d"].update(elements(hook, ("n", 1), ("m", []))),
    "keys: dict.update": lambda pool, hook: pool["d"].update(Pairs(hook)),
    "iter: bytearray.extend": lambda pool, hook: pool["b"].extend(elements(hook, 1, 2)),
    "iter: bytearray[1:] = x": lambda pool, hook: set_item(slice(1, None), elements(hook, 1, 2))(
        pool["b"]
    ),
    "iter: pool.new": lambda pool, hook: pool.new(PersistentSet, elements(hook, 1, "x" * 30)),
    # The key of a sort
    "key: list.sort": lambda pool, hook: pool["l"].sort(key=lambda item: [hook(), str(item)][1]),
    # Classes
    "init: pool.new": through_current(lambda pool: pool.new(Made)),
    "init: stored": through_current(lambda pool: pool.update(o=pool.new(Made))),
    "_v__init__": through_current(read_what_no_proxy_holds),
    "repr: list": through_current(lambda pool: repr([pool["t"], pool["l"]])),
    "del": through_current(let_an_object_die),
    "weakref": let_a_weak_reference_end,
    # Registered and pickled types
    "to_state: list.append": through_current(lambda pool: pool["l"].append([Registered(1)])),
    "to_state: dict.update": through_current(lambda pool: pool["d"].update(x=[Registered(1)])),
    "to_state: pool.root": through_current(lambda pool: setattr(pool, "root", (Registered(1),))),
    "from_state": through_current(lambda pool: pool["r"].number),
    "getstate: list.append": through_current(lambda pool: pool["l"].append(Pickled())),
    # What reports
    "progress: check": lambda pool, hook: pool.check(progress=lambda done, of: hook()),
    "progress: gc": lambda pool, hook: pool.gc(progress=lambda done, of: hook()),
}
# Where Python reports an exception and goes on.
NOBODY_IS_TOLD = {"del", "weakref"}
