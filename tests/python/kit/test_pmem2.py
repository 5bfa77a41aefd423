"""nvm.pmem2: sources, configs, maps, reservations and their errors."""

from __future__ import annotations

import errno
import mmap
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, Callable

import pytest

from interpreter import collect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pmem2 = pytest.importorskip("nvm.pmem2", exc_type=ImportError)

SIZE = 1 << 20
GIVEN = int(os.environ.get("TEST_GRANULARITY", "2"))
PAGE = pmem2.Granularity.PAGE
READ, WRITE = pmem2.Protection.READ, pmem2.Protection.WRITE


@pytest.fixture
def source(path: Path) -> Iterator[Any]:
    path.write_bytes(bytes(SIZE))
    with pmem2.Source.from_file(path) as source:
        yield source


@pytest.fixture
def new_map(source: Any) -> Callable[..., Any]:
    def new_map(**settings: object) -> Any:
        return pmem2.Map(source, pmem2.Config(granularity=PAGE, **settings))

    return new_map


def code_of(call: Callable[[], object]) -> Any:
    with pytest.raises(pmem2.Error) as caught:
        call()
    assert caught.value.strerror
    return caught.value.code


# ---- Sources


def test_a_source_from_a_file(source, path):
    assert source.size == SIZE
    assert source.alignment == mmap.PAGESIZE
    assert source.name == path
    assert os.path.sameopenfile(source.fileno(), os.open(path, os.O_RDONLY))


def test_a_source_has_a_descriptor_of_its_own(path):
    path.write_bytes(bytes(SIZE))
    with open(path, "r+b") as file:
        source = pmem2.Source.from_fd(file)
        by_number = pmem2.Source.from_fd(file.fileno())
        assert source.fileno() != file.fileno()
    for one in source, by_number:
        assert len(pmem2.Map(one, pmem2.Config(granularity=PAGE))) == SIZE


def test_an_anonymous_source(path):
    source = pmem2.Source.anonymous(SIZE)
    assert source.size == SIZE
    assert source.name is None
    map = pmem2.Map(source, pmem2.Config(granularity=PAGE))
    map[:3] = b"abc"
    map.persist()
    assert bytes(map[:4]) == b"abc\0"
    E = pmem2.ErrorCode
    assert code_of(source.fileno) == E.E_FILE_DESCRIPTOR_NOT_SET
    assert code_of(lambda: source.pread(bytearray(1))) == E.E_SOURCE_TYPE_NOT_SUPPORTED
    assert code_of(lambda: source.numa_node) in (E.E_NOSUPP, E.E_SOURCE_TYPE_NOT_SUPPORTED)


def test_what_cannot_be_a_source(folder, path):
    with pytest.raises(FileNotFoundError) as missing:
        pmem2.Source.from_file(path)
    assert missing.value.filename == str(path)
    descriptor = os.open(folder, os.O_RDONLY)
    assert code_of(lambda: pmem2.Source.from_fd(descriptor)) == pmem2.ErrorCode.E_INVALID_FILE_TYPE
    os.close(descriptor)
    path.write_bytes(b"x")
    descriptor = os.open(path, os.O_WRONLY)
    code = code_of(lambda: pmem2.Source.from_fd(descriptor))
    assert code == pmem2.ErrorCode.E_INVALID_FILE_HANDLE
    os.close(descriptor)
    with pytest.raises(OSError) as closed:
        pmem2.Source.from_fd(descriptor)
    assert closed.value.errno == errno.EBADF
    for wrong in "text", 1.5, None:
        with pytest.raises(TypeError):
            pmem2.Source.from_fd(wrong)
    with pytest.raises(ValueError):
        pmem2.Source.anonymous(-1)
    with pytest.raises(OverflowError):
        pmem2.Source.anonymous(1 << 64)
    with pytest.raises(TypeError):
        pmem2.Source()


def test_reading_and_writing_past_bad_blocks(source, path):
    source.pwrite(b"written", 100)
    assert path.read_bytes()[100:107] == b"written"
    buffer = bytearray(9)
    source.pread(buffer, offset=99)
    assert buffer == b"\0written\0"
    E = pmem2.ErrorCode
    assert code_of(lambda: source.pread(buffer, SIZE - 8)) == E.E_LENGTH_OUT_OF_RANGE
    assert code_of(lambda: source.pwrite(b"123", SIZE)) == E.E_LENGTH_OUT_OF_RANGE
    with pytest.raises(BufferError, match="read-only"):
        source.pread(b"abc")
    with pytest.raises(ValueError):
        source.pread(buffer, -1)


def test_what_only_nvdimms_can_tell(source):
    E = pmem2.ErrorCode
    assert code_of(source.unsafe_shutdown_count) == E.E_NOSUPP
    assert code_of(lambda: source.numa_node) in (E.E_NOSUPP, E.E_DAX_REGION_NOT_FOUND)
    assert code_of(source.device_id) == E.E_NOSUPP


def test_bad_blocks_are_cleared_only_if_they_were_given(source, path):
    path.write_bytes(b"x" * SIZE)
    blocks = source.bad_blocks()
    assert iter(blocks) is blocks
    assert list(blocks) == []
    with pytest.raises(ValueError, match="not a block that this iterator has given"):
        blocks.clear(pmem2.BadBlock(0, 4096))
    with pytest.raises(TypeError):
        blocks.clear((0, 4096))
    assert path.read_bytes() == b"x" * SIZE
    source.close()
    with pytest.raises(ValueError, match="closed"):
        next(blocks)


def test_a_closed_source(source):
    map = pmem2.Map(source, pmem2.Config(granularity=PAGE))
    source.close()
    source.close()
    assert source.closed
    uses: list[Callable[[], object]] = [
        lambda: source.size,
        lambda: source.alignment,
        lambda: source.numa_node,
        source.fileno,
        source.device_id,
        source.unsafe_shutdown_count,
        source.bad_blocks,
        source.__enter__,
        lambda: source.pread(bytearray(1)),
        lambda: source.pwrite(b"x"),
        lambda: pmem2.Map(source, pmem2.Config(granularity=PAGE)),
    ]
    for use in uses:
        with pytest.raises(ValueError, match="closed"):
            use()
    map[0] = 1
    map.persist()


# ---- Configs


def test_a_config_s_settings_are_arguments_and_attributes():
    config = pmem2.Config()
    assert config.granularity is None
    assert config.length is None
    assert config.offset == 0
    assert config.sharing is pmem2.Sharing.SHARED
    assert config.protection == READ | WRITE
    assert config.reservation is None
    assert config.reservation_offset == 0
    config = pmem2.Config(granularity=1, length=4096, offset=8192, sharing=pmem2.Sharing.PRIVATE)
    assert config.granularity is pmem2.Granularity.CACHE_LINE
    assert (config.length, config.offset) == (4096, 8192)
    config.length = None
    assert config.length is None
    config.protection = READ
    assert config.protection is READ


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"granularity": 3}, ValueError),
        ({"sharing": 2}, ValueError),
        ({"protection": 3}, pmem2.Error),
        ({"length": -1}, ValueError),
        ({"length": "1"}, TypeError),
        ({"offset": -1}, ValueError),
        ({"offset": 1 << 63}, OverflowError),
        ({"reservation": 3}, TypeError),
        ({"reservation_offset": -1}, ValueError),
        ({"colour": 3}, TypeError),
    ],
)
def test_settings_that_are_none(settings, error):
    with pytest.raises(error):
        pmem2.Config(**settings)


# ---- Maps


def test_a_map_is_writable_and_zero_copy(new_map, path):
    map = new_map()
    assert len(map) == SIZE
    map[0] = 7
    map[1:4] = b"abc"
    view = memoryview(map)
    view[4] = 9
    map.persist()
    assert path.read_bytes()[:6] == b"\7abc\x09\0"
    assert map.granularity == GIVEN
    assert map.address % mmap.PAGESIZE == 0


def test_offset_and_length(new_map, path):
    map = new_map(offset=4096, length=8192)
    assert len(map) == 8192
    map[0] = 1
    map.persist()
    assert path.read_bytes()[4096] == 1


def test_a_private_map_leaves_the_file_alone(new_map, path):
    map = new_map(sharing=pmem2.Sharing.PRIVATE)
    map[0] = 1
    map.persist()
    assert map[0] == 1
    assert path.read_bytes()[0] == 0


def test_protection(new_map, path):
    reader = new_map(protection=READ)
    assert memoryview(reader).readonly
    with pytest.raises(TypeError):
        reader[0] = 1
    with pytest.raises(BufferError, match="read-only"):
        reader.memset(reader, 1)
    with reader:
        pass
    with pytest.raises(BufferError, match="cannot be read"):
        memoryview(new_map(protection=pmem2.Protection.NONE))
    with pmem2.Source.from_file(path, writable=False) as source:
        config = pmem2.Config(granularity=PAGE)
        assert code_of(lambda: pmem2.Map(source, config)) == pmem2.ErrorCode.E_NO_ACCESS
        config.protection = READ
        assert pmem2.Map(source, config)[0] == 0


def test_numpy_arrays_in_a_map(new_map):
    numpy = pytest.importorskip("numpy")
    map = new_map()
    numbers = numpy.frombuffer(map, dtype=numpy.int64)
    numbers[5] = 1815
    map.persist(numbers[5:6])
    assert map[40] == 1815 % 256
    map.delete()
    assert numbers[5] == 1815
    with pytest.raises(BufferError, match="not contiguous"):
        new_map().persist(numbers[::2])


def test_each_function_makes_bytes_durable(new_map, path):
    map = new_map()
    map[0:2] = b"ab"
    map.persist(map[0:2])
    map[100:102] = b"cd"
    map.flush(map[100:102])
    map.drain()
    map.memcpy(map[200:], b"efg")
    map.memmove(dest=map[300:], src=b"hij", len=2)
    map.memset(map[400:404], 7)
    map.memset(map[500:], 8, 2, pmem2.F_MEM_NODRAIN)
    map.drain()
    map.deep_flush(map[0:600])
    map.persist(None)
    content = path.read_bytes()
    assert content[:2] + content[100:102] + content[200:203] == b"abcdefg"
    assert content[300:303] == b"hi\0"
    assert content[400:405] == b"\7\7\7\7\0"
    assert content[500:503] == b"\x08\x08\0"


def test_copies_return_their_destination(new_map):
    map = new_map()
    part = map[10:20]
    assert map.memcpy(part, b"x") is part
    assert map.memset(map, 0) is map
    map.memmove(map[1:], map[:100])


def test_ranges_outside_of_the_map_are_refused(new_map):
    map, other = new_map(), new_map()
    uses: list[Callable[..., object]] = [
        map.persist,
        map.flush,
        map.deep_flush,
        lambda part: map.memcpy(part, b"x"),
        lambda part: map.memmove(part, b"x"),
        lambda part: map.memset(part, 1),
    ]
    for use in uses:
        for outside in other, bytearray(10), other[5:9]:
            with pytest.raises(ValueError, match="not in this Map"):
                use(outside)
        with pytest.raises(TypeError):
            use("text")
        with pytest.raises(BufferError, match="not contiguous"):
            use(map[::2])
    map.persist(map[5:5])


def test_copies_beyond_the_end(new_map):
    map = new_map()
    for copy in map.memcpy, map.memmove:
        with pytest.raises(ValueError, match="do not fit"):
            copy(map[SIZE - 2 :], b"abc")
        with pytest.raises(ValueError, match="only 3 bytes"):
            copy(map, b"abc", 4)
        with pytest.raises(ValueError, match="flags"):
            copy(map, b"abc", 3, 1 << 20)
    with pytest.raises(ValueError, match="overlap"):
        map.memcpy(map[1:], map[:10])
    for byte in -1, 256:
        with pytest.raises(ValueError):
            map.memset(map, byte)
    with pytest.raises(ValueError):
        map.memset(map[:4], 1, 5)


def test_a_map_of_what_is_mapped_already(source, path):
    with mmap.mmap(source.fileno(), SIZE) as mapping:
        map = pmem2.Map.from_existing(source, mapping, PAGE)
        again = lambda: pmem2.Map.from_existing(source, mapping, PAGE)  # noqa: E731
        assert code_of(again) == pmem2.ErrorCode.E_MAP_EXISTS
        map.memcpy(map, b"abc")
        map.memset(map[10:12], 7, flags=pmem2.F_MEM_NOFLUSH)
        map.memmove(map[20:], b"def")
        map.flush(map[10:12])
        map.drain()
        map.persist()
        map.deep_flush()
        if sys.implementation.name == "cpython":
            with pytest.raises(BufferError):
                mapping.close()
        map.delete()
        assert mapping[:3] == b"abc"
        del map
        collect()
    assert path.read_bytes()[:12] == b"abc" + bytes(7) + b"\7\7"


def test_what_cannot_be_mapped(source, new_map, folder):
    E = pmem2.ErrorCode
    assert code_of(lambda: pmem2.Map(source, pmem2.Config())) == E.E_GRANULARITY_NOT_SET
    assert code_of(lambda: new_map(length=2 * SIZE)) == E.E_MAP_RANGE
    assert code_of(lambda: new_map(offset=2 * SIZE)) == E.E_MAP_RANGE
    assert code_of(lambda: new_map(offset=100)) == E.E_OFFSET_UNALIGNED
    assert code_of(lambda: new_map(length=100)) == E.E_LENGTH_UNALIGNED
    assert code_of(lambda: new_map(offset=(1 << 62), length=1 << 62)) == E.E_MAP_RANGE
    (folder / "empty").touch()
    with pmem2.Source.from_file(folder / "empty") as empty:
        config = pmem2.Config(granularity=PAGE)
        assert code_of(lambda: pmem2.Map(empty, config)) == E.E_SOURCE_EMPTY
    for arguments in (source, None), (None, pmem2.Config()), ():
        with pytest.raises(TypeError):
            pmem2.Map(*arguments)
    if GIVEN == PAGE:
        byte = pmem2.Config(granularity=pmem2.Granularity.BYTE)
        assert code_of(lambda: pmem2.Map(source, byte)) == E.E_GRANULARITY_NOT_SUPPORTED


def test_errors_tell_code_errno_meaning_and_file(new_map, path):
    with pytest.raises(OSError) as caught:
        new_map(length=2 * SIZE)
    error = caught.value
    assert isinstance(error, pmem2.Error)
    assert error.errno == errno.EINVAL
    assert error.filename == path
    assert error.code.meaning in error.strerror
    assert "mapping larger than file size" in error.strerror


def test_each_error_code_has_a_meaning_of_its_own():
    codes = list(pmem2.ErrorCode)
    assert len(codes) == 37
    meanings = {code.meaning for code in codes}
    assert len(meanings) >= len(codes)


def test_views_outlive_delete(new_map, path):
    map = new_map()
    view = map[8:16]
    map.delete()
    map.delete()
    assert map.closed
    view[0] = 5
    assert path.read_bytes()[8] == 5
    uses: list[Callable[[], object]] = [
        lambda: len(map),
        lambda: map[0],
        lambda: map.address,
        lambda: memoryview(map),
        map.persist,
        map.drain,
        map.__enter__,
        lambda: map.memcpy(map, b"x"),
        lambda: map.memset(view, 1),
    ]
    for use in uses:
        with pytest.raises(ValueError, match="closed"):
            use()


def test_a_map_is_a_context_that_persists(new_map, path):
    with new_map() as map:
        map[0] = 3
    assert map.closed
    assert path.read_bytes()[0] == 3


def test_threads_use_one_map(new_map):
    map = new_map()
    failures = []

    def work(number: int) -> None:
        try:
            part = map[number * 4096 : (number + 1) * 4096]
            for turn in range(50):
                map.memset(part, turn)
                map.persist(part)
                assert bytes(part) == bytes([turn]) * 4096
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


# ---- Reservations


def test_maps_are_found_in_their_reservation(new_map):
    reservation = pmem2.Reservation(8 << 20)
    assert len(reservation) >= 8 << 20
    assert reservation.first() is None
    assert reservation.last() is None
    places = [0, 1 << 20, 4 << 20]
    maps = [new_map(reservation=reservation, reservation_offset=place) for place in places]
    for map, place in zip(maps, places):
        assert map.address == reservation.address + place
        assert map.reservation is reservation
    assert reservation.first() is maps[0]
    assert reservation.last() is maps[2]
    assert reservation.next(maps[0]) is maps[1]
    assert reservation.next(maps[2]) is None
    assert reservation.previous(maps[1]) is maps[0]
    assert reservation.previous(maps[0]) is None
    assert reservation.find(0, 8 << 20) is maps[0]
    assert reservation.find(2 << 20, 1 << 20) is None
    assert reservation.find(2 << 20, 3 << 20) is maps[2]
    with pytest.raises(ValueError, match="not in this reservation"):
        reservation.next(new_map())
    with pytest.raises(TypeError):
        reservation.previous(3)


def test_a_reservation_with_maps_is_not_deleted(new_map):
    reservation = pmem2.Reservation(4 << 20)
    map = new_map(reservation=reservation)
    E = pmem2.ErrorCode
    assert code_of(reservation.delete) == E.E_VM_RESERVATION_NOT_EMPTY
    assert code_of(lambda: new_map(reservation=reservation)) == E.E_MAPPING_EXISTS
    over = lambda: new_map(reservation=reservation, reservation_offset=7 << 19)  # noqa: E731
    assert code_of(over) in (E.E_ADDRESS_UNALIGNED, E.E_LENGTH_OUT_OF_RANGE)
    map.delete()
    config = pmem2.Config(reservation=reservation)
    reservation.delete()
    reservation.delete()
    assert reservation.closed
    for use in reservation.first, lambda: len(reservation), lambda: reservation.address:
        with pytest.raises(ValueError, match="deleted"):
            use()
    with pytest.raises(ValueError, match="deleted"):
        pmem2.Map(pmem2.Source.anonymous(4096), config)


def test_a_map_keeps_its_reservation(new_map):
    map = new_map(reservation=pmem2.Reservation(4 << 20))
    collect()
    map[0] = 1
    assert map.reservation.first() is map


def test_a_reservation_grows_and_shrinks():
    reservation = pmem2.Reservation(8 << 20)
    size = len(reservation)
    reservation.shrink(size - (2 << 20), 2 << 20)
    assert len(reservation) == size - (2 << 20)
    reservation.extend(1 << 20)
    assert len(reservation) == size - (1 << 20)
    E = pmem2.ErrorCode
    assert code_of(lambda: reservation.extend(100)) == E.E_LENGTH_UNALIGNED
    assert code_of(lambda: reservation.shrink(100, 4096)) == E.E_OFFSET_UNALIGNED
    assert code_of(lambda: reservation.shrink(0, len(reservation))) == E.E_NOSUPP
    assert code_of(lambda: reservation.shrink(4096, 4096)) == E.E_NOSUPP
    with pytest.raises(ValueError):
        reservation.extend(-1)


def test_reservations_that_cannot_be_had():
    E = pmem2.ErrorCode
    assert code_of(lambda: pmem2.Reservation(100)) == E.E_LENGTH_UNALIGNED
    assert code_of(lambda: pmem2.Reservation(4096, address=5)) == E.E_ADDRESS_UNALIGNED
    taken = pmem2.Reservation(1 << 20)
    again = lambda: pmem2.Reservation(1 << 20, address=taken.address)  # noqa: E731
    assert code_of(again) == E.E_MAPPING_EXISTS
    with pytest.raises(OSError) as caught:
        pmem2.Reservation(1 << 62)
    assert caught.value.errno == errno.ENOMEM
    for size, error in ("1", TypeError), (-4096, ValueError), (1 << 64, OverflowError):
        with pytest.raises(error):
            pmem2.Reservation(size)


@pytest.mark.skipif(GIVEN != PAGE, reason="this is that run")
@pytest.mark.parametrize("granularity", [pmem2.Granularity.CACHE_LINE, pmem2.Granularity.BYTE])
def test_all_of_this_with_finer_granularity(granularity):
    environment = {
        **os.environ,
        "PMEM2_FORCE_GRANULARITY": granularity.name,
        "TEST_GRANULARITY": str(granularity.value),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout
