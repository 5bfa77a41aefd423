"""nvm.pmem: mapped files, what makes them durable, and the buffer of a mapping."""

from __future__ import annotations

import array
import errno
import mmap
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Callable

import pytest

from interpreter import collect
from nvm import pmem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nvm.pmem import MemoryBuffer

SIZE = 64 * 1024
FORCED = os.environ.get("PMEM_IS_PMEM_FORCE") == "1"


@pytest.fixture
def buffer(path: Path) -> Iterator[MemoryBuffer]:
    buffer = pmem.map_file(path, SIZE, pmem.FILE_CREATE | pmem.FILE_EXCL, 0o600)
    yield buffer
    buffer.unmap()


# ---- Mapping


def test_a_new_file_has_the_size_asked_for_and_zeros(path):
    with pmem.map_file(path, SIZE, pmem.FILE_CREATE, 0o640) as buffer:
        assert len(buffer) == SIZE
        assert bytes(buffer) == bytes(SIZE)
    assert path.stat().st_size == SIZE
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.stat().st_blocks * 512 >= SIZE


def test_an_existing_file_is_mapped_whole(path):
    path.write_bytes(b"some bytes")
    with pmem.map_file(path, 0, 0, 0) as buffer:
        assert bytes(buffer) == b"some bytes"


@pytest.mark.parametrize("as_name", [str, os.fsencode, lambda path: path])
def test_names_are_str_bytes_or_paths(path, as_name):
    with pmem.map_file(as_name(path), SIZE, pmem.FILE_CREATE, 0o600) as buffer:
        assert buffer.name == as_name(path)


def test_a_name_need_not_be_utf8(folder):
    name = os.fsencode(folder) + b"/\xff\xfe"
    pmem.map_file(name, SIZE, pmem.FILE_CREATE).unmap()
    with pytest.raises(FileExistsError) as caught:
        pmem.map_file(name, SIZE, pmem.FILE_CREATE | pmem.FILE_EXCL)
    assert os.fsencode(caught.value.filename) == name


def test_sparse_files_take_no_room(path):
    size = 64 << 20
    with pmem.map_file(path, size, pmem.FILE_CREATE | pmem.FILE_SPARSE) as buffer:
        assert len(buffer) == size
        assert path.stat().st_blocks * 512 < size // 2


def test_temporary_files_have_no_name(folder):
    flags = pmem.FILE_CREATE | pmem.FILE_TMPFILE
    with pmem.map_file(folder, SIZE, flags) as buffer:
        buffer[:3] = b"tmp"
        assert list(folder.iterdir()) == []


def test_is_pmem_is_false_on_ordinary_files(buffer):
    assert pmem.is_pmem(buffer) is FORCED
    assert buffer.is_pmem is FORCED
    assert pmem.is_pmem(buffer[10:20]) is FORCED


@pytest.mark.parametrize(
    ("arguments", "number"),
    [
        ((0, 0), errno.ENOENT),
        ((SIZE, 0), errno.EINVAL),
        ((0, pmem.FILE_CREATE), errno.EINVAL),
        ((SIZE, 1 << 20), errno.EINVAL),
        ((SIZE, pmem.FILE_EXCL), errno.EINVAL),
        ((1 << 62, pmem.FILE_CREATE), None),
    ],
)
def test_what_libpmem_refuses_is_an_oserror_with_its_message(path, arguments, number):
    with pytest.raises(OSError) as caught:
        pmem.map_file(path, *arguments, 0o600)
    assert caught.value.errno == number or number is None
    assert caught.value.filename == str(path)
    assert len(caught.value.strerror) > 10


@pytest.mark.parametrize(
    ("size", "error"),
    [(-1, ValueError), (1 << 64, OverflowError), (-(1 << 80), OverflowError), ("9", TypeError)],
)
def test_sizes_that_are_none(path, size, error):
    with pytest.raises(error):
        pmem.map_file(path, size, pmem.FILE_CREATE, 0o600)
    assert not path.exists()


def test_names_that_are_none():
    for name in 3, None, "a\0b":
        with pytest.raises((TypeError, ValueError)):
            pmem.map_file(name, 0)


def test_check_version():
    assert pmem.check_version(1, 0) is True
    with pytest.raises(RuntimeError, match="need 9"):
        pmem.check_version(9, 0)
    with pytest.raises(TypeError):
        pmem.check_version("1", 0)


# ---- The position


def test_write_read_seek_and_tell(buffer):
    assert buffer.tell() == 0
    assert buffer.write(b"abc") == 3
    assert buffer.write("dé") == 3
    assert buffer.write(array.array("H", [1, 2])) == 4
    assert buffer.tell() == 10
    buffer.seek(1)
    assert buffer.read(2) == b"bc"
    assert buffer.tell() == 3
    assert buffer.read() == "dé".encode() + b"\1\0\2\0" + bytes(SIZE - 10)
    assert buffer.tell() == SIZE


def test_reading_at_the_end_is_an_eof(buffer):
    buffer.seek(SIZE)
    for size in (), (0,), (1,):
        with pytest.raises(EOFError):
            buffer.read(*size)


def test_out_of_range_is_a_runtime_error_and_changes_nothing(buffer):
    buffer.seek(SIZE - 2)
    with pytest.raises(RuntimeError, match="out of range"):
        buffer.write(b"abc")
    with pytest.raises(RuntimeError, match="out of range"):
        buffer.read(3)
    for position in -1, SIZE + 1:
        with pytest.raises(RuntimeError, match="out of range"):
            buffer.seek(position)
    with pytest.raises(RuntimeError):
        buffer.read(-1)
    assert buffer.tell() == SIZE - 2
    assert buffer.read() == b"\0\0"


def test_positions_and_data_of_other_types(buffer):
    for call in lambda: buffer.seek("1"), lambda: buffer.seek(1.0), lambda: buffer.read("1"):
        with pytest.raises(TypeError):
            call()
    for position in 1 << 63, -(1 << 90):
        with pytest.raises(OverflowError):
            buffer.seek(position)
    for data in 3, None, ["a"]:
        with pytest.raises(TypeError):
            buffer.write(data)
    with pytest.raises(BufferError, match="not contiguous"):
        buffer.write(memoryview(b"abcdef")[::2])
    assert buffer.tell() == 0


def test_a_buffer_can_be_written_from_itself(buffer):
    buffer.write(b"0123456789")
    buffer.seek(2)
    buffer.write(buffer[0:10])
    assert bytes(buffer[:12]) == b"010123456789"


# ---- The buffer protocol


def test_items_and_slices(buffer):
    buffer[0] = 7
    buffer[-1] = 9
    buffer[1:4] = b"abc"
    assert buffer[0] == 7
    assert buffer[SIZE - 1] == 9
    assert bytes(buffer[:5]) == b"\7abc\0"
    assert bytes(buffer[3:0:-1]) == b"cba"
    with pytest.raises(IndexError):
        buffer[SIZE]
    with pytest.raises(ValueError):
        buffer[0:2] = b"abc"
    with pytest.raises(TypeError):
        buffer["a"]
    with pytest.raises(TypeError):
        del buffer[0]


def test_views_are_zero_copy_and_writable(buffer):
    view = memoryview(buffer)
    assert not view.readonly
    assert view.nbytes == SIZE
    view[100:104] = b"view"
    assert bytes(buffer[100:104]) == b"view"
    numbers = view.cast("q")
    numbers[1] = -5
    assert int.from_bytes(buffer[8:16], sys.byteorder, signed=True) == -5


def test_numpy_arrays_are_zero_copy_and_writable(buffer, path):
    numpy = pytest.importorskip("numpy")
    array = numpy.frombuffer(buffer, dtype=numpy.float64)
    array[:] = numpy.arange(len(array))
    pmem.persist(array[10:20])
    assert numpy.frombuffer(buffer[80:88], dtype=numpy.float64)[0] == 10.0
    assert numpy.fromfile(path, dtype=numpy.float64)[-1] == len(array) - 1


def test_views_keep_the_mapping_alive(path):
    view = memoryview(pmem.map_file(path, SIZE, pmem.FILE_CREATE))
    collect()
    view[0] = 1
    assert path.read_bytes()[0] == 1


def test_views_outlive_unmap(buffer, path):
    view = memoryview(buffer)
    part = buffer[8:16]
    buffer.unmap()
    view[8] = 42
    pmem.persist(part)
    assert part[0] == 42
    view.release()
    assert part[0] == 42
    part.release()
    assert path.read_bytes()[8] == 42


def mappings_of(path: Path) -> int:
    with open("/proc/self/maps") as maps:
        return sum(str(path) in line for line in maps)


def test_unmapping_happens_with_the_last_view(buffer, path):
    view = memoryview(buffer)
    assert mappings_of(path) == 1
    buffer.unmap()
    assert mappings_of(path) == 1
    view.release()
    del view
    if sys.implementation.name == "cpython":
        assert mappings_of(path) == 0


def test_a_forgotten_buffer_is_unmapped(path):
    buffer = pmem.map_file(path, SIZE, pmem.FILE_CREATE)
    del buffer
    collect()
    assert mappings_of(path) == 0


def test_after_unmap_nothing_works_but_unmap(buffer):
    buffer.unmap()
    assert buffer.closed
    assert "unmapped" in repr(buffer)
    uses: list[Callable[[], object]] = [
        lambda: buffer.write(b""),
        lambda: buffer.read(),
        lambda: buffer.seek(0),
        lambda: buffer.tell(),
        lambda: len(buffer),
        lambda: buffer[0],
        lambda: memoryview(buffer),
        lambda: buffer.__enter__(),
        lambda: pmem.persist(buffer),
        lambda: pmem.memcpy_persist(buffer, b"abc"),
    ]
    for use in uses:
        with pytest.raises(ValueError, match="closed"):
            use()
    buffer.unmap()
    pmem.unmap(buffer)
    with pytest.raises(TypeError):
        pmem.unmap(b"abc")


def test_a_buffer_is_made_by_map_file_only():
    with pytest.raises(TypeError):
        pmem.MemoryBuffer()


# ---- Durability


def test_what_was_persisted_is_in_the_file(buffer, path):
    for place, make_durable in enumerate(
        [
            pmem.persist,
            pmem.msync,
            pmem.deep_persist,
            lambda part: (pmem.flush(part), pmem.drain()),
            lambda part: (pmem.flush(part), pmem.drain(buffer)),
            lambda part: (pmem.deep_flush(part), pmem.deep_drain(part)),
        ]
    ):
        part = buffer[place * 64 : place * 64 + 64]
        part[:] = bytes([place + 1]) * 64
        make_durable(part)
        assert path.read_bytes()[place * 64] == place + 1


def test_what_the_functions_return(buffer):
    assert pmem.persist(buffer) is None
    assert pmem.msync(buffer) == 0
    assert pmem.flush(buffer) is None
    assert pmem.drain() is None
    assert pmem.deep_drain(buffer) == 0
    assert pmem.deep_persist(buffer) == 0
    assert isinstance(pmem.has_hw_drain(), bool)
    assert isinstance(pmem.has_auto_flush(), bool)


def test_ranges_of_no_bytes(buffer):
    for function in pmem.persist, pmem.flush, pmem.msync, pmem.deep_persist:
        function(buffer[5:5])
    assert pmem.memcpy_persist(buffer, b"") is buffer


def test_msync_is_what_makes_an_ordinary_file_durable(path):
    strace = subprocess.run(["which", "strace"], capture_output=True, check=False)
    if strace.returncode != 0:
        pytest.skip("no strace here")
    program = (
        "import sys; from nvm import pmem; b = pmem.map_file(sys.argv[1], 65536, 1);"
        "pmem.persist(b[0:64]); pmem.flush(b[64:128]); pmem.memcpy_persist(b, b'x')"
    )
    done = subprocess.run(
        ["strace", "-f", "-e", "trace=msync", sys.executable, "-c", program, str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.count("MS_SYNC") == (0 if FORCED else 3)


def test_other_mappings_become_durable_too(path):
    path.write_bytes(bytes(SIZE))
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), SIZE) as mapping:
        view = memoryview(mapping)
        pmem.memcpy_persist(view[10:], b"abc")
        pmem.persist(view[10:13])
        view.release()
    assert path.read_bytes()[10:13] == b"abc"


def test_objects_that_are_no_ranges(buffer):
    numbers = memoryview(bytearray(64)).cast("B", (8, 8))
    for function in pmem.persist, pmem.flush, pmem.msync, pmem.is_pmem, pmem.deep_persist:
        for other in "text", 3, None, [1]:
            with pytest.raises(TypeError):
                function(other)
        with pytest.raises(BufferError, match="not contiguous"):
            function(buffer[::2])
        with pytest.raises(BufferError, match="not contiguous"):
            function(buffer[::-1])
        function(numbers)


def test_numpy_arrays_as_ranges():
    numpy = pytest.importorskip("numpy")
    square = numpy.zeros((8, 8))
    pmem.persist(square)
    pmem.persist(square[2:4])
    pmem.persist(square.T)
    for apart in square[:, 1], square[::2], square[1:3, 1:3]:
        with pytest.raises(BufferError, match="ndarray is not contiguous"):
            pmem.persist(apart)
    objects = numpy.array([[], ()], dtype=object)
    pmem.persist(objects)
    for holding in objects, numpy.zeros(3, dtype=[("number", "i4"), ("name", "O")]):
        with pytest.raises(BufferError, match="holds Python objects"):
            pmem.memset_persist(holding, 1)
    square.flags.writeable = False
    pmem.persist(square)
    with pytest.raises(BufferError, match="read-only"):
        pmem.memset_persist(square, 1)


# ---- Copies

COPIES = [
    pmem.memcpy,
    pmem.memcpy_persist,
    pmem.memcpy_nodrain,
    pmem.memmove,
    pmem.memmove_persist,
    pmem.memmove_nodrain,
]
FILLS = [pmem.memset, pmem.memset_persist, pmem.memset_nodrain]


@pytest.mark.parametrize("copy", COPIES)
def test_copies_return_the_destination_and_are_in_the_file(buffer, path, copy):
    assert copy(buffer, b"abcdef") is buffer
    part = buffer[100:200]
    assert copy(part, b"abcdef", 3) is part
    copy(pmemdest=buffer[300:], src=array.array("B", [1, 2, 3]), len=2)
    pmem.drain()
    content = path.read_bytes()
    assert content[:8] == b"abcdef\0\0"
    assert content[100:105] == b"abc\0\0"
    assert content[300:304] == b"\1\2\0\0"


@pytest.mark.parametrize("fill", FILLS)
def test_fills(buffer, path, fill):
    assert fill(buffer[10:20], 7) is not None
    fill(buffer[30:40], 255, 5)
    pmem.drain()
    assert path.read_bytes()[10:40] == b"\7" * 10 + bytes(10) + b"\xff" * 5 + bytes(5)


def test_large_copies(path):
    size = 3 << 20
    data = os.urandom(size)
    with pmem.map_file(path, size, pmem.FILE_CREATE) as buffer:
        pmem.memcpy_persist(buffer, data)
        assert bytes(buffer) == data
        pmem.memmove_persist(buffer[1:], buffer[:-1])
        assert bytes(buffer[1:]) == data[:-1]
        pmem.memset_persist(buffer, 1)
        assert bytes(buffer) == b"\1" * size


def test_flags(buffer):
    flags = pmem.F_MEM_NODRAIN | pmem.F_MEM_NONTEMPORAL
    pmem.memcpy(buffer, b"abc", flags=flags)
    pmem.memmove(buffer[3:], b"def", 3, pmem.F_MEM_NOFLUSH | pmem.F_MEM_TEMPORAL)
    pmem.memset(buffer[6:8], 1, flags=pmem.F_MEM_WC)
    assert bytes(buffer[:9]) == b"abcdef\1\1\0"
    for unknown in 1 << 10, -1:
        with pytest.raises(ValueError):
            pmem.memcpy(buffer, b"abc", flags=unknown)
    with pytest.raises(TypeError):
        pmem.memset(buffer, 1, flags="NODRAIN")


@pytest.mark.parametrize("copy", COPIES)
def test_lengths_beyond_the_end_copy_nothing(buffer, copy):
    with pytest.raises(ValueError, match="do not fit"):
        copy(buffer[:2], b"abc")
    with pytest.raises(ValueError, match="the source has 3 bytes"):
        copy(buffer, b"abc", 4)
    for length, error in (-1, ValueError), (1 << 70, OverflowError), (1.5, TypeError):
        with pytest.raises(error):
            copy(buffer, b"abc", length)
    assert bytes(buffer[:4]) == bytes(4)


@pytest.mark.parametrize("fill", FILLS)
def test_fills_beyond_the_end_store_nothing(buffer, fill):
    with pytest.raises(ValueError, match="do not fit"):
        fill(buffer[:4], 1, 5)
    for byte, error in (-1, ValueError), (256, ValueError), (b"a", TypeError), (1.0, TypeError):
        with pytest.raises(error):
            fill(buffer[:4], byte)
    assert bytes(buffer[:5]) == bytes(5)


@pytest.mark.parametrize("copy", [pmem.memcpy, pmem.memcpy_persist, pmem.memcpy_nodrain])
def test_memcpy_refuses_ranges_that_overlap(buffer, copy):
    with pytest.raises(ValueError, match="use memmove"):
        copy(buffer[1:], buffer[:10])
    copy(buffer[:10], buffer[:10])
    copy(buffer[10:20], buffer[:10])


def test_copies_into_what_cannot_be_written(buffer):
    for copy in COPIES:
        with pytest.raises(BufferError, match="read-only"):
            copy(b"abc", b"x")
        with pytest.raises(BufferError, match="not contiguous"):
            copy(buffer[::2], b"x")
        with pytest.raises(BufferError, match="not contiguous"):
            copy(buffer, memoryview(b"abc")[::2])
        with pytest.raises(TypeError):
            copy(buffer)
        with pytest.raises(TypeError):
            copy(buffer, b"x", 1, 0, 0)
        with pytest.raises(TypeError):
            copy(buffer, b"x", other=1)
        with pytest.raises(TypeError):
            copy(buffer, b"x", src=b"y")


# ---- Contexts


def test_a_buffer_is_a_context_that_persists_and_unmaps(path):
    with pmem.map_file(path, SIZE, pmem.FILE_CREATE) as buffer:
        buffer[:3] = b"abc"
    assert buffer.closed
    assert path.read_bytes()[:3] == b"abc"


def test_a_context_may_be_unmapped_inside(buffer):
    with buffer:
        buffer.unmap()
    with pmem.FlushContext(buffer_again(buffer), unmap=False) as inner:
        inner.unmap()


def buffer_again(buffer: MemoryBuffer) -> MemoryBuffer:
    return pmem.map_file(buffer.name)


@pytest.mark.parametrize("context", [pmem.FlushContext, pmem.DrainContext])
def test_contexts_that_flush_or_drain(buffer, path, context):
    with context(buffer, unmap=False) as inner:
        assert inner is buffer
        pmem.memcpy_nodrain(inner, b"abc")
    assert not buffer.closed
    assert path.read_bytes()[:3] == b"abc"
    with context(buffer):
        pass
    assert buffer.closed


def test_an_error_inside_a_context_reaches_the_caller(buffer):
    with pytest.raises(ZeroDivisionError):
        with pmem.FlushContext(buffer):
            1 / 0
    assert buffer.closed


# ---- Threads and processes


def test_threads_persist_while_others_map_and_unmap(folder):
    failures = []

    def work(number: int) -> None:
        try:
            for turn in range(30):
                path = folder / f"{number}-{turn}"
                with pmem.map_file(path, 1 << 20, pmem.FILE_CREATE) as buffer:
                    pmem.memset_persist(buffer, number + 1)
                    pmem.persist(buffer[turn : turn + 300_000])
                    assert bytes(buffer[:4]) == bytes([number + 1]) * 4
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_forked_child_shares_the_mapping(buffer):
    child = os.fork()
    if child == 0:
        try:
            pmem.memcpy_persist(buffer, b"child")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert bytes(buffer[:5]) == b"child"


@pytest.mark.skipif(FORCED, reason="this is that run")
def test_all_of_this_on_persistent_memory(path):
    environment = {**os.environ, "PMEM_IS_PMEM_FORCE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout
