"""nvm.pmemlog."""

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

pmemlog = pytest.importorskip("nvm.pmemlog", exc_type=ImportError)

HEADER = 8192


@pytest.fixture(params=["tmpfs", "disk"])
def file(request, folder, tmp_path):
    """A name for a log, in memory and on the disk of the tests."""
    return (folder if request.param == "tmpfs" else tmp_path) / "log"


@pytest.fixture
def log(folder):
    with pmemlog.create(folder / "log") as log:
        yield log


def content(log):
    found = []
    log.walk(lambda data: found.append(data) or 1)
    return found[0]


def test_what_is_appended_is_there_when_it_is_opened_again(file):
    log = pmemlog.create(file, mode=0o600)
    assert log.append("text\n") == 0
    assert log.append(b"bytes\0\xff") == 0
    assert log.append(array.array("i", [1, 2])) == 0
    assert log.appendv(["ä", b"", bytearray(b"b"), memoryview(b"--c--")[2:3]]) == 0
    wanted = b"text\nbytes\0\xff" + struct.pack("ii", 1, 2) + "ä".encode() + b"bc"
    assert content(log) == wanted
    assert len(log) == log.tell() == len(wanted)
    log.close()
    assert pmemlog.check(file)
    assert os.stat(file).st_mode & 0o777 == 0o600
    with pmemlog.open(os.fsencode(file)) as again:
        assert content(again) == wanted
        assert again.filename == str(file)
        again.rewind()
        assert len(again) == 0
        assert content(again) == b""


def test_walk_gives_chunks_until_the_function_says_stop(log):
    log.append(bytes(range(10)))
    found = []
    assert log.walk(lambda data: found.append(data) or 1, 4) is None
    assert found == [b"\0\1\2\3", b"\4\5\6\7", b"\10\11"]
    log.walk(lambda data: found.append(data) or 0, chunk_size=9)
    assert found[3:] == [bytes(range(9))]
    assert list(log.chunks(6)) == [bytes(range(6)), bytes(range(6, 10))]
    assert list(log) == [bytes(range(10))]
    log.append(bytes(10000))
    assert [len(chunk) for chunk in log] == [4096, 4096, 10010 - 8192]


def test_what_a_walk_raises_reaches_the_caller(log):
    log.append(b"abc")
    with pytest.raises(ZeroDivisionError):
        log.walk(lambda data: 1 // 0)
    with pytest.raises(TypeError):
        log.walk(lambda: 1)
    with pytest.raises(TypeError, match="wants a function"):
        log.walk(5)
    assert log.append(b"still works") == 0


def test_the_function_may_do_what_it_likes_with_the_log(log):
    log.append(b"abc")
    log.walk(lambda data: log.append(data.upper()) or 1, 1)
    assert content(log) == b"abcABC"
    with pytest.raises(RuntimeError, match="rewound"):
        log.walk(lambda data: log.rewind() or 1, 1)
    log.append(b"abc")
    chunks = log.chunks(1)
    assert next(chunks) == b"a"
    log.rewind()
    with pytest.raises(RuntimeError, match="rewound"):
        next(chunks)
    log.append(b"abc")
    with pytest.raises(nvm.PoolClosedError):
        log.walk(lambda data: log.close() or 1, 1)


def test_a_full_log_says_so_and_stays_as_it_is(log):
    assert log.nbyte() == pmemlog.MIN_POOL_SIZE - HEADER
    log.append(bytes(log.nbyte() - 5))
    for attempt in (lambda: log.append(b"sixsix"), lambda: log.appendv([b"six", b"six"])):
        with pytest.raises(OSError, match=r".+") as caught:
            attempt()
        assert caught.value.errno == errno.ENOSPC
        assert caught.value.filename == log.filename
    assert log.append(b"five!") == 0
    assert len(log) == log.nbyte()


def test_arguments_of_other_kinds_are_refused(log, folder):
    for data in (5, None, [b"a"], object()):
        with pytest.raises(TypeError):
            log.append(data)
    with pytest.raises(BufferError, match="not contiguous"):
        log.append(memoryview(b"abcd")[::2])
    for data in ("abc", b"abc", 5):
        with pytest.raises(TypeError):
            log.appendv(data)
    with pytest.raises(ValueError, match="must not be negative"):
        log.walk(print, -1)
    with pytest.raises(OverflowError):
        log.walk(print, 1 << 64)
    with pytest.raises(ValueError, match="no bytes"):
        log.chunks(0)
    with pytest.raises(ValueError, match="smaller than"):
        pmemlog.create(folder / "small", pmemlog.MIN_POOL_SIZE - 1)
    with pytest.raises(ValueError, match="must not be negative"):
        pmemlog.create(folder / "small", -1)
    with pytest.raises(OSError, match=r".+"):
        pmemlog.create(folder / "huge", 1 << 62)
    with pytest.raises(TypeError):
        pmemlog.create(folder / "typed", 2.5e6)
    with pytest.raises(TypeError):
        pmemlog.LogPool()
    assert sorted(os.listdir(folder)) == ["log"]


def test_files_that_are_there_or_not(log, folder):
    with pytest.raises(FileExistsError):
        pmemlog.create(folder / "log")
    with pytest.raises(FileNotFoundError) as caught:
        pmemlog.open(folder / "absent")
    assert caught.value.filename == str(folder / "absent")
    with pytest.raises(IsADirectoryError):
        pmemlog.open(folder)
    with pytest.raises(nvm.PoolLockedError):
        pmemlog.open(folder / "log")


def test_a_log_can_be_made_in_a_file_of_zeros(folder):
    (folder / "zeros").write_bytes(bytes(3 << 20))
    with pmemlog.create(folder / "zeros", 0) as log:
        assert log.nbyte() == (3 << 20) - HEADER


def test_a_pool_set_is_a_log_as_well(folder):
    path = folder / "log.set"
    path.write_text(f"PMEMPOOLSET\n2M {folder / 'a'}\n4M {folder / 'b'}\n")
    with pmemlog.create(path) as log:
        assert log.nbyte() == (6 << 20) - 4096 - HEADER
        log.append(b"x" * (5 << 20))
    with pmemlog.open(path) as log:
        assert content(log) == b"x" * (5 << 20)
    os.truncate(folder / "b", 3 << 20)
    with pytest.raises(nvm.PoolCorruptError, match="not of the size"):
        pmemlog.open(path)


@pytest.mark.parametrize(
    ("at", "data", "why"),
    [
        (0, b"NOTAPOOL", "signature"),
        (24, b"x", "checksum"),
        (4096, struct.pack("<Q", 0), "begins at 0"),
        (4104, struct.pack("<Q", 1 << 62), "truncated"),
        (4112, struct.pack("<Q", 8191), "would be written at 8191"),
        (4112, struct.pack("<Q", 1 << 63), "would be written at"),
    ],
)
def test_a_damaged_log_is_refused(folder, at, data, why):
    path = folder / "log"
    pmemlog.create(path).close()
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)
    with pytest.raises(nvm.PoolCorruptError, match=why):
        pmemlog.open(path)
    assert pmemlog.check(path) is False


def test_a_truncated_log_is_refused(folder):
    path = folder / "log"
    pmemlog.create(path).close()
    for size in (pmemlog.MIN_POOL_SIZE - 4096, 8192, 4096, 100, 0):
        os.truncate(path, size)
        with pytest.raises(nvm.PoolCorruptError):
            pmemlog.open(path)


def test_pools_of_another_kind_are_refused(path):
    nvm.open(path).close()
    with pytest.raises(nvm.LayoutError, match="another kind: obj, not log"):
        pmemlog.open(path)
    with pytest.raises(nvm.LayoutError):
        pmemlog.check(path)


def test_a_closed_log_says_so(folder):
    log = pmemlog.create(folder / "log")
    chunks = log.chunks(5)
    log.close()
    log.close()
    assert log.closed
    assert "closed" in repr(log)
    for use in (
        lambda: log.append(b""),
        lambda: log.appendv([]),
        log.tell,
        log.nbyte,
        log.rewind,
        lambda: len(log),
        lambda: log.walk(print),
        lambda: iter(log),
        log.__enter__,
    ):
        with pytest.raises(nvm.PoolClosedError):
            use()
    assert list(chunks) == []


def test_a_dropped_log_is_closed(folder):
    from interpreter import collect

    log = pmemlog.create(folder / "log")
    del log
    collect()
    pmemlog.open(folder / "log").close()


def test_a_forked_child_cannot_use_it_and_keeps_no_lock(log, folder):
    log.append(b"parent")
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            log.append(b"child")
        except nvm.PoolForkedError:
            log.close()
            code = 0
        os.write(ready[1], b"r")
        os.close(go[1])
        os.read(go[0], 1)
        os._exit(code)
    os.read(ready[0], 1)
    log.close()
    with pmemlog.open(folder / "log") as again:
        assert content(again) == b"parent"
    os.close(go[1])
    assert os.waitpid(child, 0)[1] == 0


def test_threads_append_at_once(file):
    log = pmemlog.create(file)

    def work(number):
        for i in range(50):
            log.append(b"%d:%03d\n" % (number, i))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = content(log).splitlines()
    log.close()
    for number in range(4):
        own = [line for line in lines if line.startswith(b"%d:" % number)]
        assert own == [b"%d:%03d" % (number, i) for i in range(50)]


def test_a_log_can_be_closed_while_threads_use_it(file):
    log = pmemlog.create(file)
    started = threading.Barrier(4)
    unexpected = []

    def work():
        started.wait()
        try:
            while True:
                log.append(b"x")
                log.walk(lambda data: 1, 50)
        except nvm.PoolClosedError:
            pass
        except OSError as error:
            if error.errno != errno.ENOSPC:
                unexpected.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    started.wait()
    log.close()
    for thread in threads:
        thread.join()
    assert unexpected == []


APPENDER = """
import sys
from nvm import pmemlog
log = pmemlog.open(sys.argv[1])
for number in range(100000):
    log.append(b"%08d" % number)
    print(number, flush=True)
"""


def test_a_killed_program_leaves_whole_appends(file):
    pmemlog.create(file).close()
    program = subprocess.Popen([sys.executable, "-c", APPENDER, str(file)], stdout=subprocess.PIPE)
    for _ in range(30):
        line = program.stdout.readline()
    program.kill()
    rest = program.stdout.read().splitlines()
    program.stdout.close()
    program.wait()
    promised = int(rest[-1] if rest else line)
    with pmemlog.open(file) as log:
        found = list(log.chunks(8))
    assert found == [b"%08d" % number for number in range(len(found))]
    assert len(found) - 1 in (promised, promised + 1)


def test_versions_and_controls():
    assert pmemlog.check_version(1, 0) is True
    with pytest.raises(RuntimeError):
        pmemlog.check_version(99, 0)
    for name in ("prefault.at_open", "prefault.at_create", "copy_on_write.at_open"):
        assert pmemlog.ctl_get(name) is False
    pmemlog.ctl_set("prefault.at_open", True)
    assert pmemlog.ctl_get("prefault.at_open") is True
    pmemlog.ctl_set("prefault.at_open", False)
    with pytest.raises(ValueError, match="no control"):
        pmemlog.ctl_get("heap.size")
    with pytest.raises(TypeError):
        pmemlog.ctl_set("prefault.at_open")
    with pytest.raises(TypeError):
        pmemlog.ctl_get(5)
