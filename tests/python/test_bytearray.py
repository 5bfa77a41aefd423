"""PersistentByteArray answers as bytearray does, and stays what it is."""

from __future__ import annotations

import collections.abc
import copy
import itertools
import operator
import pickle
from typing import Any, Callable

import pytest

import nvm
from interpreter import CPYTHON
from nvm.pmemobj import PersistentByteArray, PersistentObjectPool
from outcome import outcome, plain, undone

Pool = PersistentObjectPool
Reopen = Callable[[Pool], Pool]
Operation = Callable[[Any], Any]

CONTENTS: list[bytes] = [
    b"",
    b"a",
    b"hello world",
    b"Hello, World!\r\nsecond line\tTab",
    bytes(range(256)),
    b"ab" * 500,
]
INDEXES: list[Any] = [0, 1, -1, -2, 10, -11, 255, 256, 10**30, True, "a", 1.0, None]
BYTES: list[Any] = [0, 97, 255, 256, -1, True, "a", b"a", None, 1.5, 10**30]
BUFFERS: list[Any] = [
    b"",
    b"l",
    b"lo w",
    bytearray(b"ab"),
    memoryview(b"hello"),
    "text",
    5,
    None,
    [104, 105],
    [300],
    ["a"],
    range(3),
]

READING: dict[str, Operation] = {
    "len": len,
    "bool": bool,
    "list": list,
    "bytes": bytes,
    "bytearray": bytearray,
    "hash": hash,
    "reversed": lambda b: bytes(reversed(b)),
    "copy": lambda b: b.copy(),
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    "sorted": sorted,
    "length_hint": lambda b: operator.length_hint(iter(b)),
    "max": max,
    "unpack": lambda b: [*b],
    "hex": lambda b: b.hex(),
    "hex with separator": lambda b: b.hex("-", 2),
    "hex with keywords": lambda b: b.hex(sep=":", bytes_per_sep=-2),
    "decode": lambda b: b.decode(),
    "decode latin-1": lambda b: b.decode("latin-1"),
    "decode with keywords": lambda b: b.decode(encoding="ascii", errors="replace"),
    "decode by nothing": lambda b: b.decode("no such encoding"),
    "split": lambda b: b.split(),
    "split l": lambda b: b.split(b"l", 1),
    "rsplit keywords": lambda b: b.rsplit(sep=b"l", maxsplit=1),
    "splitlines": lambda b: b.splitlines(True),
    "partition": lambda b: b.partition(b"o"),
    "rpartition": lambda b: b.rpartition(b"o"),
    "replace": lambda b: b.replace(b"l", b"LL", 2),
    "strip": lambda b: b.strip(b"hd"),
    "lstrip": lambda b: b.lstrip(b"h"),
    "rstrip": lambda b: b.rstrip(),
    "removeprefix": lambda b: b.removeprefix(b"hello"),
    "removesuffix": lambda b: b.removesuffix(b"world"),
    "center": lambda b: b.center(20, b"*"),
    "ljust": lambda b: b.ljust(20),
    "rjust": lambda b: b.rjust(20, b"."),
    "zfill": lambda b: b.zfill(20),
    "expandtabs": lambda b: b.expandtabs(tabsize=4),
    "translate": lambda b: b.translate(bytes(range(255, -1, -1)), delete=b"l"),
    "translate by maketrans": lambda b: b.translate(b.maketrans(b"lo", b"01")),
    "join": lambda b: b.join([b"1", bytearray(b"2"), b"3"]),
    "join text": lambda b: b.join(["1"]),
    "fromhex": lambda b: b.fromhex("68 65"),
    "fromhex of odd digits": lambda b: b.fromhex("6"),
    "fromhex of int": lambda b: b.fromhex(5),
    "% number": lambda b: b % 5,
    "percent": lambda b: b"%s %b" % (b, b),
    "slice of a slice": lambda b: b[1:5][1:],
    "+ itself": lambda b: b + b,
    "== itself": lambda b: (b == b, b != b, b <= b, b < b),
    "attribute": lambda b: b.no_such_attribute,
    "set attribute": lambda b: setattr(b, "name", 1),
    "call": lambda b: b(),
    "keyword": lambda b: b.find(sub=b"l"),
    "in text": lambda b: "l" in b,
    "int": lambda b: int(b),
    "int.from_bytes": lambda b: int.from_bytes(b, "little"),
    "startswith several": lambda b: b.startswith((b"x", b"he")),
    "find between": lambda b: b.find(b"o", 5, 9),
}
for name in ["isalnum", "isalpha", "isascii", "isdigit", "islower", "isspace", "istitle"]:
    READING[name] = lambda b, name=name: getattr(b, name)()
for name in ["isupper", "capitalize", "lower", "swapcase", "title", "upper"]:
    READING[name] = lambda b, name=name: getattr(b, name)()
for index in INDEXES:
    READING[f"[{index!r}]"] = lambda b, index=index: b[index]
SLICES = list(itertools.product([None, 0, 1, -4, 100], [None, 3, -1, -100], [None, 1, 2, -1, -3]))
for bounds in [*SLICES, (None, None, 0)]:
    READING[f"slice {bounds!r}"] = lambda b, bounds=bounds: b[slice(*bounds)]
for value, name in itertools.product(
    [*BUFFERS, 108, 300], ["find", "rfind", "index", "rindex", "count", "startswith", "endswith"]
):
    READING[f"{name} {value!r}"] = lambda b, name=name, value=value: getattr(b, name)(value)
for value in [*BUFFERS, *BYTES]:
    READING[f"in {value!r}"] = lambda b, value=value: value in b
for other, name in itertools.product([*BUFFERS, b"hello world", bytearray(b"hi")], ["eq", "ne"]):
    call = getattr(operator, name)
    READING[f"{name} {other!r}"] = lambda b, call=call, other=other: call(b, other)
    READING[f"{name} {other!r} on the left"] = lambda b, call=call, other=other: call(other, b)
for other, name in itertools.product([*BUFFERS, b"hello world"], ["lt", "le", "gt", "ge", "add"]):
    call = getattr(operator, name)
    READING[f"{name} {other!r}"] = lambda b, call=call, other=other: call(b, other)
for other, name in itertools.product([b"hello", bytearray(b"hi")], ["lt", "gt", "add"]):
    call = getattr(operator, name)
    READING[f"{name} {other!r} on the left"] = lambda b, call=call, other=other: call(other, b)
for times in [-1, 0, 1, 3, "a"]:
    READING[f"* {times!r}"] = lambda b, times=times: b * times
READING["* on the left"] = lambda b: 3 * b

CHANGING: dict[str, Operation] = {
    "clear": lambda b: b.clear(),
    "reverse": lambda b: b.reverse(),
    "pop": lambda b: b.pop(),
    "pop all": lambda b: [b.pop() for _ in range(len(b))],
    "pop first": lambda b: [b.pop(0) for _ in range(len(b))],
    "many": lambda b: [b.append(i % 256) for i in range(1000)],
    "extend by itself": lambda b: b.extend(b),
    "put itself into itself": lambda b: operator.setitem(b, slice(1, 1), b),
    "extend by generator": lambda b: b.extend(i for i in range(10)),
    "extend by too much": lambda b: b.extend(i for i in (1, 2, 300)),
    "init": lambda b: b.__init__(b"new content"),
    "init text": lambda b: b.__init__("text", "utf-8"),
    "init text without encoding": lambda b: b.__init__("text"),
    "init size": lambda b: b.__init__(5),
    "init nothing": lambda b: b.__init__(),
    "delete all": lambda b: operator.delitem(b, slice(None)),
    "in and out": lambda b: [(b.append(i), b.pop(0)) for i in range(100)],
    "* too large": lambda b: b and operator.imul(b, 2**62),
}
for index in INDEXES:
    CHANGING[f"del [{index!r}]"] = lambda b, index=index: operator.delitem(b, index)
    CHANGING[f"pop {index!r}"] = lambda b, index=index: b and b.pop(index)
    CHANGING[f"insert at {index!r}"] = lambda b, index=index: b.insert(index, 65)
for index, value in itertools.product([0, -1, 100, "a"], BYTES):
    CHANGING[f"[{index!r}] = {value!r}"] = lambda b, index=index, value=value: (
        None if index == 100 else operator.setitem(b, index, value)
    )
CHANGING["[100] = 1"] = lambda b: operator.setitem(b, 100, 1)
for value in BYTES:
    CHANGING[f"append {value!r}"] = lambda b, value=value: b.append(value)
    CHANGING[f"insert {value!r}"] = lambda b, value=value: b.insert(2, value)
    CHANGING[f"remove {value!r}"] = lambda b, value=value: b.remove(value)
for value in BUFFERS:
    CHANGING[f"extend {value!r}"] = lambda b, value=value: b.extend(value)
    CHANGING[f"+= {value!r}"] = lambda b, value=value: operator.iadd(b, value)
for bounds in [*SLICES, (None, None, 0)]:
    CHANGING[f"del slice {bounds!r}"] = lambda b, bounds=bounds: operator.delitem(b, slice(*bounds))
    for value in [b"", b"XY", b"12345", [1, 2], "text", 3]:
        CHANGING[f"slice {bounds!r} = {value!r}"] = lambda b, bounds=bounds, value=value: (
            operator.setitem(b, slice(*bounds), value)
        )
for times in [-1, 0, 1, 3, "a"]:
    CHANGING[f"*= {times!r}"] = lambda b, times=times: operator.imul(b, times)

# What PyPy's built-in refuses, or refuses with another error than CPython's, which ours is like.
if not CPYTHON:
    READING.pop("percent")
    CHANGING.pop(f"remove {10**30!r}")
    for bounds in [*SLICES, (None, None, 0)]:
        for value in [b"", "text", 3]:
            if bounds[2] not in (None, 1):
                CHANGING.pop(f"slice {bounds!r} = {value!r}")


def parametrize(operations: dict[str, Operation]) -> Any:
    return pytest.mark.parametrize("operation", list(operations.values()), ids=list(operations))


@pytest.fixture(scope="module")
def shared_pool(tmp_path_factory: Any) -> Any:
    pool = nvm.open(tmp_path_factory.mktemp("bytes") / "pool", size="64 MiB", backend="memory")
    yield pool
    assert pool.check() == []
    pool.close()


@parametrize(READING)
def test_reading_answers_as_bytearray(shared_pool: Pool, operation: Operation) -> None:
    for content in CONTENTS:
        ours = shared_pool.new(PersistentByteArray, content)
        assert outcome(operation, ours) == outcome(operation, bytearray(content))
        assert plain(ours) == content


@parametrize(CHANGING)
def test_changing_leaves_what_bytearray_leaves(shared_pool: Pool, operation: Operation) -> None:
    for content in CONTENTS:
        theirs = bytearray(content)
        ours = shared_pool.new(PersistentByteArray, content)
        answer, expected = outcome(operation, ours), outcome(operation, theirs)
        assert answer == expected
        # What fails has changed nothing.
        assert bytes(ours) == (content if answer[0] == "raised" else theirs)
        assert len(ours) == len(bytes(ours))


@parametrize(CHANGING)
def test_an_abort_undoes_it(shared_pool: Pool, operation: Operation) -> None:
    for content in CONTENTS:
        ours = shared_pool.new(PersistentByteArray, content)
        with undone(shared_pool):
            outcome(operation, ours)
        assert ours == content


def test_changes_are_there_after_reopening(pool: Pool, reopen: Reopen) -> None:
    theirs: dict[str, Any] = {}
    for name, operation in CHANGING.items():
        theirs[name] = bytearray(b"hello world, " * 3)
        pool[name] = theirs[name]
        answer, expected = outcome(operation, pool[name]), outcome(operation, theirs[name])
        assert answer == expected
        if answer[0] == "raised":
            theirs[name] = plain(pool[name])
    assert pool.check() == []
    pool = reopen(pool)
    for name in pool:
        assert type(pool[name]) is PersistentByteArray
        assert pool[name] == theirs[name]


def test_persistent_ones_take_each_other(pool: Pool) -> None:
    for left, right in itertools.product(CONTENTS, CONTENTS):
        one, other = (pool.new(PersistentByteArray, content) for content in (left, right))
        for call in (operator.eq, operator.lt, operator.ge, operator.add, operator.contains):
            assert outcome(call, one, other) == outcome(call, bytearray(left), bytearray(right))
        assert one.find(other) == left.find(right)
        assert b"".join([one, other]) == left + right
        one += other
        other += other  # which CPython's refuses
        assert other == right * 2
        del other[len(right) :]
        one[:0] = other
        one.extend(other)
        assert one == right + left + right + right


def test_repr_shows_the_bytes(pool: Pool) -> None:
    assert repr(pool.new(PersistentByteArray, b"a\x00'")) == 'PersistentByteArray(b"a\\x00\'")'
    assert str(pool.new(PersistentByteArray)) == "PersistentByteArray(b'')"


def test_an_assigned_bytearray_is_one_object(pool: Pool, reopen: Reopen) -> None:
    shared = bytearray(b"shared")
    pool["b"] = [shared, shared, bytearray(b"other"), b"bytes"]
    first, second, third, fourth = pool["b"]
    assert first is second
    assert third == b"other"
    assert type(fourth) is bytes
    first += b"!"
    pool = reopen(pool)
    assert pool["b"][1] == b"shared!"
    assert shared == b"shared"
    assert pool["b"].index(b"other") == 2
    assert pool["b"].index(bytearray(b"bytes")) == 3
    assert pool["b"]._p_pool is pool


def test_it_is_unhashable(pool: Pool) -> None:
    b = pool.new(PersistentByteArray, b"x")
    for operation in (lambda: {b}, lambda: pool.setdefault(b), lambda: pool.setdefault((b,))):
        with pytest.raises(TypeError, match=r"unhashable type: '.*PersistentByteArray'"):
            operation()
    with pytest.raises(TypeError, match="unhashable"):
        pool[(bytearray(),)] = 1


def test_iterating_follows_changes(pool: Pool) -> None:
    def walk(b: Any) -> Any:
        seen = []
        for byte in b:
            seen.append(byte)
            if len(seen) < 5:
                b.append(byte + 1)
        return seen

    assert walk(pool.new(PersistentByteArray, b"a")) == walk(bytearray(b"a"))
    iterator = iter(pool.new(PersistentByteArray, b"ab"))
    assert list(iterator) == [97, 98]
    assert list(iterator) == []


def test_copies_are_ordinary(pool: Pool) -> None:
    b = pool.new(PersistentByteArray, b"abc")
    for made in (
        copy.copy(b),
        copy.deepcopy(b),
        pickle.loads(pickle.dumps(b)),
        b.to_python(),
        b.copy(),
        b[:],
    ):
        assert type(made) is bytearray
        assert made == b"abc"
    pool["nested"] = [b, {"b": b}, (b,)]
    deep = pool["nested"].to_python()
    assert type(deep[0]) is bytearray
    assert deep[0] is deep[1]["b"] is deep[2][0]


def test_making_them(pool: Pool) -> None:
    assert pool.new(PersistentByteArray) == b""
    assert pool.new(PersistentByteArray, 3) == b"\0\0\0"
    assert pool.new(PersistentByteArray, "é", "utf-8") == "é".encode()
    assert pool.new(PersistentByteArray, [1, 2]) == b"\1\2"
    assert pool.new(PersistentByteArray, pool.new(PersistentByteArray, b"x")) == b"x"
    for wrong in (("é",), ([300],), (-1,), (1, 2), (object(),)):
        ours = outcome(pool.new, PersistentByteArray, *wrong)
        assert ours == outcome(bytearray, *wrong)
    with pytest.raises(TypeError, match=r"pool\.new\(PersistentByteArray"):
        PersistentByteArray(b"x")
    with pool.transaction():
        made = PersistentByteArray(b"abc")
        assert made == b"abc"
        assert made._p_pool is pool
    assert PersistentByteArray.fromhex("6162") == b"ab"
    assert PersistentByteArray.maketrans(b"a", b"b")[97] == 98
    with pytest.raises(TypeError, match="not an acceptable base type"):
        type("Sub", (PersistentByteArray,), {})
    with pytest.raises(TypeError, match=r"a subclass of bytearray"):
        pool["b"] = type("Sub", (bytearray,), {})()


def test_it_has_every_method_of_bytearray(pool: Pool) -> None:
    missing = set(dir(bytearray)) - set(dir(PersistentByteArray))
    assert missing <= {"__alloc__", "__release_buffer__", "__buffer__", "resize", "__rmod__"}
    assert isinstance(pool.new(PersistentByteArray), collections.abc.MutableSequence)
    for name in ("find", "split", "decode", "append"):  # PyPy shows no docstrings of C
        assert getattr(PersistentByteArray, name).__doc__ or not CPYTHON


def test_large_ones(pool: Pool, reopen: Reopen) -> None:
    theirs = bytearray(range(256)) * 4000
    pool["b"] = theirs
    b = pool["b"]
    for change in (
        lambda x: operator.setitem(x, slice(1000, 2000), b"short"),
        lambda x: operator.delitem(x, slice(None, None, 3)),
        lambda x: x.extend(b"more" * 100_000),
        lambda x: x.insert(5, 1),
        lambda x: x.reverse(),
        lambda x: operator.setitem(x, slice(7, None, 2), bytes(len(x[7::2]))),
        lambda x: operator.delitem(x, slice(5000, None)),
    ):
        change(b)
        change(theirs)
        assert b == theirs
    pool = reopen(pool)
    assert pool["b"] == theirs


def test_an_index_may_change_the_array_or_close_the_pool(pool: Pool) -> None:
    class Index:
        def __init__(self, action: Callable[[], Any], value: int) -> None:
            self.action = action
            self.value = value

        def __index__(self) -> int:
            self.action()
            return self.value

    b = pool.new(PersistentByteArray, b"abc")
    with pytest.raises(IndexError):
        b[0] = Index(b.clear, 5)
    b.extend(b"abc")
    with pytest.raises(IndexError):
        b[Index(b.clear, 1)]
    b.extend(b"abc")
    b.append(Index(b.clear, 100))
    assert b == b"d"
    with pytest.raises(nvm.PoolClosedError):
        b.append(Index(pool.close, 100))


def test_what_is_given_is_read_before_anything_changes(pool: Pool) -> None:
    b = pool.new(PersistentByteArray, b"abc")

    def stopping() -> Any:
        yield 1
        raise KeyError("stop")

    def changing() -> Any:
        b.clear()
        yield 1

    for operation in (
        lambda: b.extend(stopping()),
        lambda: operator.setitem(b, slice(1), stopping()),
    ):
        with pytest.raises(KeyError):
            operation()
        assert b == b"abc"
    b.extend(changing())
    assert b == b"\1"


def test_an_array_that_was_undone_is_stale(pool: Pool) -> None:
    with pytest.raises(LookupError), pool.transaction():
        young = pool.new(PersistentByteArray, b"abc")
        raise LookupError
    for operation in (
        lambda: len(young),
        lambda: young[0],
        lambda: young.append(1),
        lambda: young.find(b"a"),
        lambda: young == b"abc",
        lambda: memoryview(young),
        lambda: pool.setdefault("b", young),
    ):
        with pytest.raises(nvm.StaleObjectError):
            operation()


def test_a_closed_pool_says_so(pool: Pool) -> None:
    b = pool.new(PersistentByteArray, b"abc")
    iterator = iter(b)
    pool.close()
    for operation in (
        lambda: len(b),
        lambda: b[0],
        lambda: b[:],
        lambda: b.append(1),
        lambda: b.upper(),
        lambda: b == b"abc",
        lambda: next(iterator),
        lambda: memoryview(b),
        lambda: repr(b),
        b.to_python,
    ):
        with pytest.raises(nvm.PoolClosedError):
            operation()
