"""The buffer of PersistentByteArray: writable, and in place whatever becomes of the pool."""

from __future__ import annotations

import os
import re
import shutil
import struct
import threading
import time
from pathlib import Path
from typing import Any, Callable

import pytest

import nvm
from interpreter import CPYTHON, collect
from nvm.pmemobj import PersistentByteArray, PersistentObjectPool

Pool = PersistentObjectPool
Reopen = Callable[[Pool], Pool]
MIB = 2**20


@pytest.fixture
def array(pool: Pool) -> PersistentByteArray:
    pool["b"] = bytearray(b"hello world")
    return pool["b"]  # type: ignore[no-any-return]


def test_stores_write_through(pool: Pool, array: Any, reopen: Reopen) -> None:
    with memoryview(array) as view:
        assert not view.readonly
        assert (len(view), view.format, view.itemsize) == (11, "B", 1)
        view[0] = ord("H")
        assert array == b"Hello world"
        array[1] = ord("E")
        assert bytes(view) == b"HEllo world"
        view[6:] = b"there"
    pool = reopen(pool)
    assert pool["b"] == b"HEllo there"


def test_it_works_wherever_a_buffer_does(array: Any) -> None:
    assert bytes(array) == bytearray(array) == b"hello world"
    assert b"say " + array == b"say hello world"
    assert int.from_bytes(array[:2], "little") == int.from_bytes(b"he", "little")
    read_end, write_end = os.pipe()
    os.write(write_end, array)
    with open(read_end, "rb", buffering=0) as file:
        array[:] = bytes(11)
        assert file.readinto(array) == 11
    os.close(write_end)
    assert array == b"hello world"


RESIZING: dict[str, Callable[[Any], Any]] = {
    "append": lambda b: b.append(1),
    "extend": lambda b: b.extend(b"x"),
    "insert": lambda b: b.insert(0, 1),
    "pop": lambda b: b.pop(),
    "remove": lambda b: b.remove(b[0]),
    "clear": lambda b: b.clear(),
    "del": lambda b: b.__delitem__(0),
    "del slice": lambda b: b.__delitem__(slice(0, 2)),
    "del extended": lambda b: b.__delitem__(slice(0, None, 2)),
    "slice": lambda b: b.__setitem__(slice(0, 2), b"abc"),
    "iadd": lambda b: b.__iadd__(b"abc"),
    "imul": lambda b: b.__imul__(2),
    "init": lambda b: b.__init__(),
}


@pytest.mark.parametrize("operation", list(RESIZING.values()), ids=list(RESIZING))
def test_the_size_is_fixed_while_a_view_is_alive(array: Any, operation: Any) -> None:
    view, other = memoryview(array), memoryview(array)
    with pytest.raises(BufferError, match="Existing exports of data: object cannot be re-sized"):
        operation(array)
    view.release()
    with pytest.raises(BufferError):
        operation(array)
    assert array == b"hello world"
    assert bytes(other) == b"hello world"
    array[0:5] = b"HELLO"
    array.reverse()
    array.reverse()
    array[::2] = array[::2].upper()
    array.__init__(b"HELLO WORLD")
    array += b""
    array *= 1
    assert bytes(other) == b"HELLO WORLD"
    other.release()
    operation(array)
    assert array != b"HELLO WORLD"


def test_an_empty_one(pool: Pool) -> None:
    b = pool.new(PersistentByteArray)
    with memoryview(b) as view:
        assert len(view) == 0
        with pytest.raises(BufferError):
            b.append(1)
        b.clear()
    b.append(1)
    assert b == b"\1"


def test_an_abort_does_not_undo_stores(pool: Pool, array: Any) -> None:
    view = memoryview(array)
    with pytest.raises(LookupError), pool.transaction():
        view[0] = ord("J")
        array[10] = ord("!")
        raise LookupError
    assert array == b"Jello world"
    view.release()


def test_a_view_of_bytes_that_an_abort_takes_away(pool: Pool, array: Any) -> None:
    with pytest.raises(LookupError), pool.transaction():
        array.extend(b"x" * 1000)
        young = pool.new(PersistentByteArray, b"young" * 100)
        views = [memoryview(array), memoryview(young)]
        for view in views:
            view[0] = ord("!")
        raise LookupError
    assert array == b"hello world"
    pool["other"] = [bytearray(b"y" * 1000), bytearray(b"z" * 500)]
    for view in views:
        assert view[0] == ord("!")
        view[:] = bytes(len(view))
    assert pool["other"] == [b"y" * 1000, b"z" * 500]
    assert array == b"hello world"
    assert pool.check() == []
    with pytest.raises(BufferError):
        array.append(1)
    views.clear()
    del view
    array.append(1)


def test_a_view_in_a_transaction_that_is_committed(pool: Pool, reopen: Reopen) -> None:
    with pool.transaction():
        pool["b"] = bytearray(100)
        view = memoryview(pool["b"])
        view[:] = b"x" * 100
    view[0] = ord("y")
    view.release()
    pool = reopen(pool)
    assert pool["b"] == b"y" + b"x" * 99


def test_it_stays_in_place_when_the_pool_grows(path: Path) -> None:
    with nvm.open(path, size=160 * MIB, backend="memory") as pool:
        pool["b"] = bytearray(b"hello world")
        view = memoryview(pool["b"])
        size = pool.size
        pool["large"] = [bytearray(MIB) for _ in range(80)]
        assert pool.size > size
        view[0] = ord("J")
        assert pool["b"] == b"Jello world"
        view.release()
        assert pool.check() == []


def test_it_stays_readable_when_the_pool_is_closed(pool: Pool, array: Any, path: Path) -> None:
    view = memoryview(array)
    view[0] = ord("J")
    pool.close()
    assert bytes(view) == b"Jello world"
    view[0] = ord("M")  # the file is nobody's any more
    assert bytes(view) == b"Mello world"
    with nvm.open(path, "w") as again:
        assert again["b"] == b"Jello world"
        again["b"].extend(b"x" * 1000)
        assert bytes(view) == b"Mello world"
        view.release()
        assert again.check() == []


def test_it_keeps_what_is_freed_otherwise(pool: Pool, array: Any, reopen: Reopen) -> None:
    view = memoryview(array)
    del pool["b"]
    del array
    pool["other"] = bytearray(b"x" * 11)
    view[:] = b"z" * 11
    assert pool["other"] == b"x" * 11
    pool = reopen(pool)
    assert bytes(view) == b"z" * 11
    assert pool["other"] == b"x" * 11
    assert pool.stats()["types"]["bytearray"]["count"] == 1


def test_sync_makes_stores_durable(pool: Pool, array: Any, folder: Path, tmp_path: Path) -> None:
    view = memoryview(array)
    view[0] = ord("J")
    pool.sync()
    copy = shutil.copytree(folder, tmp_path / "copy")  # with its journal, if it has one
    view.release()
    pool.close()
    with nvm.open(copy / "pool", "w") as copied:
        assert copied["b"] == b"Jello world"


def test_in_a_pool_for_reading_it_is_read_only(pool: Pool, array: Any, open_pool: Any) -> None:
    pool.close()
    pool = open_pool("r")
    view = memoryview(pool["b"])
    assert view.readonly
    assert bytes(view) == b"hello world"
    with pytest.raises(TypeError, match="read-only"):
        view[0] = 1
    pool.close()
    assert bytes(view) == b"hello world"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_does_not_store_into_its_parents_pool(pool: Pool, array: Any) -> None:
    view = memoryview(array)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            assert bytes(view) == b"hello world"
            view[0] = ord("X")
            assert bytes(view) == b"Xello world"
            with pytest.raises(nvm.PoolForkedError):
                memoryview(array)
            view.release()
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert array == b"hello world"
    view[0] = ord("J")
    assert array == b"Jello world"
    view.release()


def test_it_may_be_of_many_pages_and_begin_anywhere(pool: Pool) -> None:
    for size in (1, 100, 4095, 4096, 4097, 3 * MIB):
        pool["b"] = bytearray(size)
        with memoryview(pool["b"]) as view:
            assert view.nbytes == size
            view[0], view[-1] = 1, 2
        assert pool["b"][0] == (1 if size > 1 else 2)
        assert pool["b"][-1] == 2
        assert sum(pool["b"]) == 3 or size == 1
    assert pool.check() == []


def test_who_only_reads_is_not_in_the_way(array: Any) -> None:
    for _ in range(100):
        assert bytes(array)[:5] == bytearray(array)[:5] == b"hello"
        array.append(1)


def test_a_view_in_a_cycle_ends_when_nothing_refers_to_it(array: Any) -> None:
    cycle: list[Any] = [memoryview(array)]
    cycle.append(cycle)
    with pytest.raises(BufferError):
        array.append(1)
    del cycle
    collect()
    array.append(1)


def test_views_that_are_gone_take_no_room(pool: Pool) -> None:
    pool["b"] = [bytearray(b"x") for _ in range(20000)]
    for array in pool["b"]:
        memoryview(array)[0] = 1
    assert len(Path("/proc/self/maps").read_text().splitlines()) < 15000
    assert all(array == b"\1" for array in pool["b"])


@pytest.mark.skipif(CPYTHON, reason="there a match keeps the view")
def test_what_was_found_in_a_view_outlives_it(pool: Pool, array: Any) -> None:
    view = memoryview(array)
    match = re.match(b"(h.*) ", view)
    numbers = struct.iter_unpack("2s", view[:4])
    assert match is not None
    view.release()
    collect()
    array[:] = b"others' bytes"
    pool["other"] = bytearray(b"z" * 100)
    assert match.group(1) == b"hello"
    pool.close()
    assert match.string == b"hello world"
    assert list(numbers) == [(b"he",), (b"ll",)]


@pytest.mark.skipif(CPYTHON, reason="there a view is of the array itself")
def test_what_a_view_is_of_cannot_be_closed(array: Any) -> None:
    view = memoryview(array)
    with pytest.raises(BufferError):
        view.obj.close()
    with pytest.raises(BufferError):
        view.obj.resize(1)
    with pytest.raises(BufferError), view.obj:
        pass
    assert bytes(view) == b"hello world"


def test_threads_that_view_and_resize(pool: Pool) -> None:
    pool["b"] = bytearray(b"x" * 5000)
    array, failed, ends = pool["b"], [], time.monotonic() + 2

    def view_it() -> None:
        while time.monotonic() < ends:
            with memoryview(array) as view:
                view[0] = view[-1] = ord("x")
            if set(array) != {ord("x")}:
                failed.append(bytes(array))

    thread = threading.Thread(target=view_it)
    thread.start()
    while time.monotonic() < ends:
        try:
            array.extend(b"x" * 3000)
            del array[5000:]
        except BufferError:
            pass
    thread.join()
    assert failed == []
    assert pool.check() == []


def test_numpy_stores_through_it(pool: Pool) -> None:
    numpy = pytest.importorskip("numpy")
    pool["b"] = bytearray(8 * 100)
    numbers = numpy.frombuffer(pool["b"], dtype="float64")
    numbers[:] = 1.5
    assert pool["b"][:8] == numpy.float64(1.5).tobytes()
    with pytest.raises(BufferError):
        pool["b"].append(1)
    del numbers
    pool["b"].append(1)


# ---- Where an exported array was, a large value may come to lie


LARGE = 5_000_000


def test_a_large_value_in_the_place_of_an_array_that_was_undone(pool: Pool, reopen: Reopen) -> None:
    with pool.transaction(sync="relaxed"):
        pool["a"] = 1  # not durable yet: the array passes through memory
    view = None
    with pytest.raises(ZeroDivisionError), pool.transaction():
        pool["b"] = bytearray(b"a" * LARGE)
        view = memoryview(pool["b"])
        raise ZeroDivisionError
    pool.sync()
    content = b"v" * (LARGE + 1_000_000)
    pool["v"] = bytearray(content)
    pool["v"][4096] = ord("v")
    assert bytes(pool["v"]) == content
    del view
    pool = reopen(pool)
    assert bytes(pool["v"]) == content


def test_a_large_value_in_the_place_of_an_array_whose_view_ended_in_anothers_transaction(
    pool: Pool, reopen: Reopen
) -> None:
    pool["b"] = bytearray(b"a" * LARGE)
    views = [memoryview(pool["b"])]
    begun, end = threading.Event(), threading.Event()

    def transact() -> None:
        with pool.transaction():
            pool["t"] = 1
            begun.set()
            assert end.wait(60)

    other = threading.Thread(target=transact)
    other.start()
    assert begun.wait(60)
    views.pop().release()
    collect()
    end.set()
    other.join()
    del pool["b"]
    content = b"v" * (LARGE - 100_000)
    numbers = pool.setdefault("numbers", list(range(3000)))
    for turn in range(600):  # until checkpoints have come
        with pool.transaction():
            for number in range(0, 3000, 8):
                numbers[number] = turn + number
    for name in "uvwxyz":
        pool[name] = content
        assert pool[name] == content
    pool = reopen(pool)
    for name in "uvwxyz":
        assert pool[name] == content
