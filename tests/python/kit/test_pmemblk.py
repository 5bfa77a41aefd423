"""nvm.pmemblk."""

from __future__ import annotations

import array
import errno
import os
import struct
import subprocess
import sys
import threading

import pytest

import nvm

pmemblk = pytest.importorskip("nvm.pmemblk", exc_type=ImportError)

INFO = 8192  # of the first arena
BTT = "<16s16s16sIHHIIIIIIQQQQQ"


@pytest.fixture(params=["tmpfs", "disk"])
def file(request, folder, tmp_path):
    """A name for a pool, in memory and on the disk of the tests."""
    return (folder if request.param == "tmpfs" else tmp_path) / "blocks"


@pytest.fixture
def blocks(folder):
    with pmemblk.create(folder / "blocks") as blocks:
        yield blocks


def test_what_is_written_is_there_when_it_is_opened_again(file):
    blocks = pmemblk.create(file, 1000, mode=0o600)
    assert blocks.bsize() == 1000
    assert len(blocks) == blocks.nblock() > 10000
    assert blocks.read(5) == bytes(1000)
    assert blocks.write(bytes(range(250)) * 4, 5) is None
    blocks.write("ä", 6)
    blocks.write(array.array("i", [7] * 250), 7)
    blocks[8] = b"8\0"
    blocks.close()
    assert pmemblk.check(file)
    assert pmemblk.check(file, 1000)
    assert os.stat(file).st_mode & 0o777 == 0o600
    with pmemblk.open(os.fsencode(file), block_size=1000) as again:
        assert again.read(5) == bytes(range(250)) * 4
        assert again[6] == "ä".encode() + bytes(998)
        assert again[7] == struct.pack("i", 7) * 250
        assert again[8] == b"8" + bytes(999)
        assert again[-1] == bytes(1000)
        assert again.filename == str(file)


def test_a_pool_is_a_sequence_of_blocks(blocks):
    blocks[0] = b"first"
    blocks[-1] = b"last"
    assert blocks[len(blocks) - 1] == b"last" + bytes(508)
    assert next(iter(blocks)) == b"first" + bytes(507)
    for index in (len(blocks), -len(blocks) - 1, 1 << 70):
        with pytest.raises(IndexError):
            blocks[index]
    with pytest.raises(IndexError):
        blocks[len(blocks)] = b""
    with pytest.raises(TypeError, match="set_zero"):
        del blocks[0]
    with pytest.raises(TypeError):
        blocks["0"]
    count = 0
    for block in blocks:
        assert len(block) == 512
        count += 1
    assert count == len(blocks)


def test_a_block_in_error_is_one_until_it_is_written(blocks):
    blocks.write(b"x", 3)
    blocks.set_error(3)
    for read in (lambda: blocks.read(3), lambda: blocks[3]):
        with pytest.raises(OSError, match=r".+") as caught:
            read()
        assert caught.value.errno == errno.EIO
        assert caught.value.filename == blocks.filename
    blocks.write(b"y", 3)
    assert blocks[3] == b"y" + bytes(511)
    blocks.set_zero(3)
    assert blocks[3] == bytes(512)
    blocks.set_error(3)
    blocks.set_zero(3)
    assert blocks[3] == bytes(512)


def test_arguments_of_other_kinds_are_refused(blocks, folder):
    for number in (-1, len(blocks), (1 << 63) - 1):
        for use in (
            blocks.read,
            blocks.set_zero,
            blocks.set_error,
            lambda block: blocks.write(b"", block),
        ):
            with pytest.raises(OSError, match=r".+") as caught:
                use(number)
            assert caught.value.errno == errno.EINVAL
    with pytest.raises(OverflowError):
        blocks.read(1 << 64)
    for number in (1.5, "1", None):
        with pytest.raises(TypeError):
            blocks.read(number)
    with pytest.raises(ValueError, match="513 bytes do not fit in a block of 512"):
        blocks.write(bytes(513), 0)
    with pytest.raises(BufferError, match="not contiguous"):
        blocks.write(memoryview(bytes(1024))[::2], 0)
    with pytest.raises(TypeError):
        blocks.write(5, 0)
    with pytest.raises(TypeError):
        blocks.write(b"")
    for size in (0, -1, 1 << 32):
        with pytest.raises(ValueError, match="block"):
            pmemblk.create(folder / "other", size)
    with pytest.raises(ValueError, match="smaller than"):
        pmemblk.create(folder / "other", 512, pmemblk.MIN_POOL_SIZE - 1)
    with pytest.raises(OSError, match=r".+"):
        pmemblk.create(folder / "other", 1 << 31)
    with pytest.raises(TypeError):
        pmemblk.BlockPool()


def test_blocks_may_be_small(folder):
    with pmemblk.create(folder / "small", 10) as blocks:
        blocks[0] = b"0123456789"
        assert blocks[0] == b"0123456789"
        assert blocks.bsize() == 10
    with pytest.raises(OSError, match="bsize") as caught:
        pmemblk.open(folder / "small", 512)
    assert caught.value.errno == errno.EINVAL


def test_files_that_are_there_or_not(blocks, folder):
    with pytest.raises(FileExistsError):
        pmemblk.create(folder / "blocks")
    with pytest.raises(FileNotFoundError):
        pmemblk.open(folder / "absent")
    with pytest.raises(nvm.PoolLockedError):
        pmemblk.open(folder / "blocks")


def test_a_pool_set_has_blocks_as_well(folder):
    path = folder / "blocks.set"
    path.write_text(f"PMEMPOOLSET\n10M {folder / 'a'}\n10M {folder / 'b'}\n")
    with pmemblk.create(path) as blocks:
        blocks[len(blocks) - 1] = b"in the last part"
    with pmemblk.open(path) as blocks:
        assert blocks[-1].startswith(b"in the last part")


def poke(path, at, data):
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def fletcher64(data):
    low = high = 0
    for (word,) in struct.iter_unpack("<I", data):
        low = (low + word) & 0xFFFFFFFF
        high = (high + low) & 0xFFFFFFFF
    return high << 32 | low


def change_info(path, index, value):
    """Another value in the first arena's header, with a right checksum."""
    info = bytearray(path.read_bytes()[INFO : INFO + 4096])
    fields = list(struct.unpack_from(BTT, info))
    fields[index] = value
    struct.pack_into(BTT, info, 0, *fields)
    info[4088:] = bytes(8)
    info[4088:] = struct.pack("<Q", fletcher64(info))
    poke(path, INFO, info)


@pytest.fixture
def written(folder):
    with pmemblk.create(folder / "blocks") as blocks:
        blocks[7] = b"seven"
    return folder / "blocks"


def test_a_damaged_header_is_refused(written):
    for at, data, why in (
        (INFO + 20, b"x", "arena 0"),
        (INFO, b"NO ARENA", "arena 0"),
        (4096, struct.pack("<I", 0), "no bytes"),
        (4096, struct.pack("<I", 1024), "another size"),
        (24, b"x", "checksum"),
        (0, b"x", "signature"),
    ):
        before = written.read_bytes()
        poke(written, at, data)
        with pytest.raises(nvm.PoolCorruptError, match=why):
            pmemblk.open(written)
        assert pmemblk.check(written) is False
        written.write_bytes(before)
    os.truncate(written, 16 << 20)
    with pytest.raises(nvm.PoolCorruptError):
        pmemblk.open(written)


@pytest.mark.parametrize(
    ("index", "value"),
    [
        (6, 0),
        (7, 1 << 31),
        (8, 1),
        (9, 1 << 31),
        (10, 0),
        (10, 1 << 31),
        (11, 5),
        (12, 1 << 63),
        (13, (1 << 64) - 4096),
        (14, (1 << 64) - 4096),
        (15, 100),
        (16, 1 << 40),
    ],
)
def test_a_crafted_arena_is_refused(written, index, value):
    change_info(written, index, value)
    with pytest.raises(nvm.PoolCorruptError, match="arena 0"):
        pmemblk.open(written)


def test_a_map_that_leads_nowhere_is_refused(written):
    fields = struct.unpack_from(BTT, written.read_bytes(), INFO)
    before = written.read_bytes()
    poke(written, INFO + fields[14] + 4 * 9, struct.pack("<I", 0xFFFFFFFF))
    with pytest.raises(nvm.PoolCorruptError, match="block 9"):
        pmemblk.open(written)
    written.write_bytes(before)
    poke(written, INFO + fields[15] + 64 * 3 + 4, struct.pack("<I", 0x3FFFFFFF))
    with pytest.raises(nvm.PoolCorruptError, match="entry 3 of the flog"):
        pmemblk.open(written)


def test_pools_of_another_kind_are_refused(path):
    nvm.open(path).close()
    with pytest.raises(nvm.LayoutError, match="another kind: obj, not blk"):
        pmemblk.open(path)


def test_a_closed_pool_says_so(folder):
    blocks = pmemblk.create(folder / "blocks")
    blocks.close()
    blocks.close()
    assert blocks.closed
    assert "closed" in repr(blocks)
    for use in (
        lambda: blocks.read(0),
        lambda: blocks.write(b"", 0),
        lambda: blocks.set_zero(0),
        lambda: blocks.set_error(0),
        blocks.bsize,
        blocks.nblock,
        lambda: len(blocks),
        lambda: blocks[0],
        blocks.__enter__,
    ):
        with pytest.raises(nvm.PoolClosedError):
            use()


def test_a_forked_child_cannot_use_it_and_keeps_no_lock(blocks, folder):
    blocks[0] = b"parent"
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            blocks[0] = b"child"
        except nvm.PoolForkedError:
            code = 0
        os.write(ready[1], b"r")
        os.close(go[1])
        os.read(go[0], 1)
        os._exit(code)
    os.read(ready[0], 1)
    blocks.close()
    with pmemblk.open(folder / "blocks") as again:
        assert again[0].startswith(b"parent")
    os.close(go[1])
    assert os.waitpid(child, 0)[1] == 0


def test_threads_read_and_write_whole_blocks(file):
    blocks = pmemblk.create(file)
    unexpected = []

    def work(letter):
        for i in range(40):
            blocks[i % 4] = letter * 512
            if len(set(blocks[i % 4])) != 1:
                unexpected.append(i)

    threads = [threading.Thread(target=work, args=(letter,)) for letter in (b"a", b"b", b"c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    blocks.close()
    assert unexpected == []
    assert pmemblk.check(file)


WRITER = """
import itertools, sys
from nvm import pmemblk
blocks = pmemblk.open(sys.argv[1])
for number in itertools.count():
    blocks[number % 3] = b"%08d" % number * 64
    print(number, flush=True)
"""


def test_a_killed_program_leaves_whole_blocks(file):
    pmemblk.create(file).close()
    program = subprocess.Popen([sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE)
    for _ in range(30):
        line = program.stdout.readline()
    program.kill()
    rest = program.stdout.read().splitlines()
    program.stdout.close()
    program.wait()
    promised = int(rest[-1] if rest else line)
    with pmemblk.open(file) as blocks:
        for number in range(promised - 2, promised + 1):
            data = blocks[number % 3]
            assert data == data[:8] * 64
            assert int(data[:8]) in (number, number + 3)


def test_versions_and_controls():
    assert pmemblk.check_version(1, 0) is True
    with pytest.raises(RuntimeError):
        pmemblk.check_version(99, 0)
    assert pmemblk.ctl_get("prefault.at_open") is False
    pmemblk.ctl_set("prefault.at_create", True)
    assert pmemblk.ctl_get("prefault.at_create") is True
    pmemblk.ctl_set("prefault.at_create", False)
    with pytest.raises(ValueError, match="no control"):
        pmemblk.ctl_set("nothing", 1)
