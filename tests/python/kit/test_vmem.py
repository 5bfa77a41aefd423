"""nvm.vmem: volatile heaps, their buffers, and NumPy's arrays in them."""

from __future__ import annotations

import errno
import os
import queue
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, Callable

import pytest

import nvm
from interpreter import collect, cpython_only

if TYPE_CHECKING:
    from pathlib import Path

vmem = pytest.importorskip("nvm.vmem", exc_type=ImportError)

SIZE = 32 << 20


@pytest.fixture(params=["folder", "file", "kind"])
def heap(request: pytest.FixtureRequest, folder: Path) -> Any:
    if request.param == "kind":
        return vmem.Heap.of(vmem.Kind.DEFAULT)
    return vmem.Heap(folder if request.param == "folder" else folder / "heap", SIZE)


# ---- Heaps


def test_a_heap_in_a_folder_has_no_name_there(folder):
    heap = vmem.Heap(folder, SIZE)
    assert list(folder.iterdir()) == []
    assert heap.capacity == SIZE
    assert heap.name == folder
    heap.allocate(1000)[0] = 1
    assert vmem.Heap(folder).capacity is None
    assert len(vmem.Heap(folder, SIZE, conservative=True).allocate(10)) == 10


def test_a_heap_over_a_file_lies_in_it(path):
    heap = vmem.Heap(path, SIZE)
    assert path.stat().st_size == SIZE
    assert path.stat().st_blocks * 512 >= SIZE
    buffer = heap.allocate(1000)
    buffer[:9] = b"in a file"
    assert b"in a file" in path.read_bytes()


def test_a_file_belongs_to_one_heap_at_a_time(path):
    heap = vmem.Heap(path, SIZE)
    with pytest.raises(BlockingIOError, match="another heap"):
        vmem.Heap(path, SIZE)
    buffer = heap.allocate(10)
    heap.close()
    with pytest.raises(BlockingIOError):
        vmem.Heap(path, SIZE)
    del heap, buffer
    collect()
    vmem.Heap(path, SIZE)


@pytest.mark.parametrize("as_name", [str, os.fsencode, lambda path: path])
def test_names_are_str_bytes_or_paths(folder, as_name):
    assert vmem.Heap(as_name(folder), SIZE).name == as_name(folder)


def test_heaps_that_cannot_be_had(folder, path):
    for size in 0, 1, vmem.MIN_SIZE - 1:
        with pytest.raises(ValueError, match=f"max_size {size} smaller than {vmem.MIN_SIZE}"):
            vmem.Heap(path, size)
    assert not path.exists()
    with pytest.raises(FileNotFoundError) as missing:
        vmem.Heap(folder / "none" / "none", SIZE)
    assert missing.value.filename == str(folder / "none" / "none")
    with pytest.raises(OSError) as large:
        vmem.Heap(path, 1 << 61)
    assert large.value.errno in (errno.ENOSPC, errno.EFBIG)
    assert not path.exists()
    for size, error in (-1, ValueError), ("1", TypeError), (1 << 64, OverflowError):
        with pytest.raises(error):
            vmem.Heap(folder, size)
    with pytest.raises(ValueError, match="in a folder"):
        vmem.Heap(path, SIZE, conservative=True)
    for name in None, 3:
        with pytest.raises(TypeError):
            vmem.Heap(name, SIZE)


def test_kinds_that_the_machine_lacks_say_so():
    assert vmem.Kind.DEFAULT in vmem.kinds()
    lacking = set(vmem.Kind) - set(vmem.kinds())
    for kind in lacking:
        assert not kind.available
        with pytest.raises(OSError, match=f"no memory of the kind {kind.name}") as caught:
            vmem.Heap.of(kind)
        assert caught.value.errno in (errno.ENODEV, errno.ENOMEM)
    for kind in vmem.kinds():
        buffer = vmem.Heap.of(kind).allocate(100)
        buffer[99] = 1
    with pytest.raises(ValueError):
        vmem.Heap.of("plutonium")


def test_every_kind_of_the_library_is_a_member():
    from nvm._kit import vmem_kind_names

    assert vmem_kind_names() == [kind.name for kind in vmem.Kind]


def test_policies():
    heap = vmem.Heap.of_policy(vmem.MemoryType.DEFAULT, vmem.Policy.PREFERRED_LOCAL)
    heap.allocate(100)[0] = 1
    with pytest.raises(OSError):
        vmem.Heap.of_policy(vmem.MemoryType.DEFAULT, vmem.Policy.BIND_ALL)
    with pytest.raises(ValueError):
        vmem.Heap.of_policy(vmem.MemoryType.DEFAULT, 9)


def test_statistics_count_what_is_allocated(heap):
    before = heap.statistics()
    buffer = heap.allocate(1 << 20)
    during = heap.statistics()
    assert during.allocated >= before.allocated + (1 << 20)
    assert during.active >= during.allocated - before.allocated
    assert during.resident >= 0
    buffer.free()
    assert heap.statistics().allocated <= during.allocated - (1 << 20)


def test_what_concerns_all_heaps(folder):
    assert vmem.version() >= (1, 10, 0)
    assert isinstance(vmem.is_dax(folder), bool)
    assert "jemalloc" in vmem.report()
    assert len(str(vmem.report(detailed=True))) > len(str(vmem.report()))
    vmem.set_background_threads(True)
    vmem.set_background_threads(False)


def test_a_full_heap_is_a_memory_error(folder):
    heap = vmem.Heap(folder, SIZE)
    kept = []
    with pytest.raises(MemoryError, match="no room for 1048576 bytes"):
        for _ in range(SIZE >> 20):
            kept.append(heap.allocate(1 << 20))
    assert len(kept) > 10
    kept.pop().free()
    heap.allocate(1 << 20)


# ---- Buffers


def test_a_buffer_is_writable_memory(heap):
    buffer = heap.allocate(1000)
    assert len(buffer) == 1000
    assert buffer.usable_size >= 1000
    assert buffer.heap is heap
    buffer[:] = bytes(range(250)) * 4
    view = memoryview(buffer)
    view[5] = 77
    assert buffer[5] == 77
    assert bytes(buffer[248:252]) == b"\xf8\xf9\0\1"


def test_zeros_and_alignment(heap):
    for alignment in 8, 64, 4096, 1 << 16, 1 << 21:
        buffer = heap.allocate(100, alignment=alignment, zero=True)
        assert buffer.address % alignment == 0
        with pytest.raises(ValueError, match="alignment"):
            buffer.resize(10)
        assert buffer.defragment() is False
        assert bytes(buffer) == bytes(100)
    dirty = heap.allocate(5000)
    dirty[:] = b"x" * 5000
    dirty.free()
    assert bytes(heap.allocate(5000, zero=True)) == bytes(5000)


def test_sizes_and_alignments_that_are_none(heap):
    for size, error in (-1, ValueError), ("1", TypeError), (1.0, TypeError):
        with pytest.raises(error):
            heap.allocate(size)
    for size in (1 << 62), (1 << 63) - 1:
        with pytest.raises(MemoryError):
            heap.allocate(size)
    with pytest.raises(OverflowError):
        heap.allocate(1 << 64)
    for alignment in 1, 3, 7, 48, 1 << 22, 1 << 62:
        with pytest.raises(ValueError, match="power of two"):
            heap.allocate(10, alignment=alignment)
    empty = heap.allocate(0)
    assert len(empty) == 0
    assert bytes(empty) == b""


def test_resizing_keeps_what_is_there(heap):
    buffer = heap.allocate(10)
    buffer[:] = b"0123456789"
    for size in 100, 100_000, 1_000_000, 5, 0, 20:
        common = min(size, len(buffer), 10)
        before = [buffer[place] for place in range(common)]
        buffer.resize(size)
        assert len(buffer) == size
        assert [buffer[place] for place in range(common)] == before
    with pytest.raises(MemoryError):
        buffer.resize(1 << 62)
    with pytest.raises(ValueError):
        buffer.resize(-1)
    assert len(buffer) == 20


@cpython_only("a view of a buffer does not end there")
def test_what_is_looked_at_is_not_moved(heap):
    buffer = heap.allocate(100)
    with memoryview(buffer):
        for move in lambda: buffer.resize(10), buffer.defragment:
            with pytest.raises(BufferError):
                move()
    buffer.resize(10)


def test_defragmentation_moves_what_it_may(folder):
    heap = vmem.Heap(folder, SIZE)
    buffers = [heap.allocate(100) for _ in range(2000)]
    for number, buffer in enumerate(buffers):
        buffer[:] = bytes([number % 256]) * 100
    kept = {number: buffers[number] for number in range(0, 2000, 50)}
    del buffers, buffer
    collect()
    moved = sum(buffer.defragment() for buffer in kept.values())
    assert moved >= 0
    assert all(bytes(b) == bytes([n % 256]) * 100 for n, b in kept.items())


def test_views_outlive_free_close_and_heap(heap):
    buffer = heap.allocate(100)
    view = memoryview(buffer)
    buffer.free()
    buffer.free()
    heap.close()
    del heap
    view[5] = 5
    assert view[5] == 5
    uses: list[Callable[[], object]] = [
        lambda: len(buffer),
        lambda: buffer[0],
        lambda: buffer.address,
        lambda: buffer.usable_size,
        lambda: buffer.resize(1),
        buffer.defragment,
        buffer.__enter__,
        lambda: memoryview(buffer),
    ]
    for use in uses:
        with pytest.raises(ValueError, match="closed"):
            use()


def test_buffers_free_themselves(folder):
    heap = vmem.Heap(folder, SIZE)
    for _ in range(200):
        with heap.allocate(1 << 20) as buffer:
            buffer[0] = 1
    before = heap.statistics().allocated
    buffers = [heap.allocate(1 << 20) for _ in range(5)]
    assert heap.statistics().allocated > before
    del buffers
    collect()
    assert heap.statistics().allocated <= before


def test_a_closed_heap_gives_no_more(heap):
    with heap:
        buffer = heap.allocate(10)
    heap.close()
    assert heap.closed
    for use in lambda: heap.allocate(1), heap.__enter__, lambda: buffer.resize(20):
        with pytest.raises(ValueError, match="closed"):
            use()
    buffer[0] = 1


def test_buffers_are_made_by_heaps_only():
    with pytest.raises(TypeError):
        vmem.Buffer()


def test_threads_free_what_others_allocated(heap):
    given: queue.Queue[Any] = queue.Queue()
    failures = []

    def work(number: int) -> None:
        try:
            for turn in range(200):
                buffer = heap.allocate(100 + turn)
                buffer[:4] = bytes([number]) * 4
                given.put(buffer)
                other = given.get()
                assert other[0] == other[3]
                other.free()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_forked_child_does_not_allocate_from_its_parent_s_file(folder):
    heap = vmem.Heap(folder, SIZE)
    own = vmem.Heap.of(vmem.Kind.DEFAULT)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            own.allocate(10)[0] = 1
            with pytest.raises(nvm.PoolForkedError, match="forked child"):
                heap.allocate(10)
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    heap.allocate(10)


# ---- NumPy


@pytest.fixture
def numpy() -> Any:
    return pytest.importorskip("numpy")


def handler_of(array: Any) -> str:
    try:
        from numpy._core.multiarray import get_handler_name
    except ImportError:
        from numpy.core.multiarray import get_handler_name
    return str(get_handler_name(array))


def test_the_data_of_arrays_made_inside_lies_in_the_heap(numpy, path):
    heap = vmem.Heap(path, SIZE)
    with heap.numpy() as inside:
        assert inside is heap
        array = numpy.empty(1000, dtype="S16")
        array[:] = b"data of an array"
    assert handler_of(array) == "nvm.vmem"
    assert path.read_bytes().count(b"data of an array") >= 1000
    assert handler_of(numpy.empty(10)) == "default_allocator"


def test_arrays_of_all_makings(heap, numpy):
    with heap.numpy():
        arrays = [
            numpy.zeros((10, 10)),
            numpy.ones(5),
            numpy.arange(1000) ** 2,
            numpy.array([1, 2, 3]),
            numpy.empty(0),
            numpy.linspace(0, 1, 100).copy(),
            numpy.concatenate([numpy.ones(3), numpy.zeros(4)]),
        ]
    assert all(handler_of(array) == "nvm.vmem" for array in arrays if array.base is None)
    assert not arrays[0].any()
    assert arrays[2][31] == 961


def test_arrays_outlive_the_block_close_and_the_heap(heap, numpy):
    with heap.numpy():
        array = numpy.arange(100_000.0)
        part = array[1000:2000]
    heap.close()
    del heap
    collect()
    assert array.sum() == 4999950000.0
    array[1500] = -1
    del array
    collect()
    assert part[500] == -1


def test_an_array_is_resized_where_it_lies(heap, numpy):
    with heap.numpy():
        array = numpy.arange(100)
    heap.close()
    array.resize(100_000, refcheck=False)
    assert handler_of(array) == "nvm.vmem"
    assert array[99] == 99
    assert not array[100:].any()


def test_the_memory_comes_back(folder, numpy):
    heap = vmem.Heap(folder, SIZE)
    for _ in range(50):
        with heap.numpy():
            array = numpy.ones(1 << 20, dtype=numpy.uint8)
        del array
    with heap.numpy():
        with pytest.raises(MemoryError):
            numpy.ones(2 * SIZE, dtype=numpy.uint8)
        numpy.ones(1 << 20, dtype=numpy.uint8)
    assert heap.statistics().allocated < 1 << 20


def test_blocks_nest(folder, numpy):
    outer, inner = vmem.Heap(folder, SIZE), vmem.Heap.of(vmem.Kind.DEFAULT)
    with outer.numpy():
        before = outer.statistics().allocated
        with inner.numpy():
            numpy.empty(1 << 20)
            assert outer.statistics().allocated == before
        array = numpy.empty(1 << 17)
        assert outer.statistics().allocated >= before + array.nbytes
    assert handler_of(numpy.empty(1)) == "default_allocator"


def test_an_error_inside_ends_the_block(heap, numpy):
    with pytest.raises(ZeroDivisionError), heap.numpy():
        1 / 0
    assert handler_of(numpy.empty(1)) == "default_allocator"


def test_a_block_is_entered_once(heap, numpy):
    block = heap.numpy()
    with block, pytest.raises(RuntimeError, match="entered already"):
        block.__enter__()
    with block:
        assert handler_of(numpy.empty(10)) == "nvm.vmem"


def test_it_is_a_decorator(heap, numpy):
    @heap.numpy()
    def ones(depth: int) -> Any:
        return numpy.ones(10) if depth == 0 else ones(depth - 1) + 1

    assert handler_of(ones(3)) == "nvm.vmem"
    assert handler_of(numpy.ones(10)) == "default_allocator"


def test_each_thread_has_its_own_allocator(folder, numpy):
    heaps = [vmem.Heap(folder, SIZE) for _ in range(3)]
    arrays: dict[int, Any] = {}
    others: list[str] = []
    barrier = threading.Barrier(4, timeout=30)

    def inside(number: int) -> None:
        with heaps[number].numpy():
            barrier.wait()
            arrays[number] = numpy.full(1 << 20, number, dtype=numpy.uint8)
            barrier.wait()

    def outside() -> None:
        barrier.wait()
        others.append(handler_of(numpy.empty(100)))
        barrier.wait()

    threads = [threading.Thread(target=inside, args=(number,)) for number in range(3)]
    threads.append(threading.Thread(target=outside))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert others == ["default_allocator"]
    for number, heap in enumerate(heaps):
        assert heap.statistics().allocated >= 1 << 20
        assert (arrays[number] == number).all()
    heaps.clear()
    collect()
    assert all((array == number).all() for number, array in arrays.items())


def test_a_heap_closed_inside_gives_no_more_arrays(heap, numpy):
    with heap.numpy():
        array = numpy.ones(10)
        heap.close()
        with pytest.raises(MemoryError):
            numpy.ones(10)
    assert numpy.ones(10).sum() == array.sum()
    with pytest.raises(ValueError, match="closed"):
        heap.numpy()


def test_arrays_alive_at_exit_do_no_harm(folder, numpy):
    program = (
        "import sys, numpy; from nvm import vmem;"
        "heap = vmem.Heap(sys.argv[1], 1 << 25); block = heap.numpy(); block.__enter__();"
        "kept = [numpy.ones(1000) for _ in range(10)]; other = heap.allocate(10); print('done')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "done\n"
    assert done.stderr == ""


def test_without_numpy_the_error_is_numpy_s(heap, monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(ImportError, match="numpy"):
        heap.numpy()


def test_importing_vmem_does_not_import_numpy():
    program = "import sys, nvm.vmem; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b"False\n"
