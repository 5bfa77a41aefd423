import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest

import nvm
from nvm import pmemobj

HOLDER = """
import sys, nvm
pool = nvm.open(sys.argv[1], backend="memory", size="64 MiB")
pool.root = 1
print("open", flush=True)
sys.stdin.readline()
"""


def hold(path):
    """A process that has the pool open until its standard input is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "open\n"
    return process


def release(process):
    with process:
        process.stdin.close()
        process.wait(timeout=30)


# ---- Flags


def test_c_creates_and_then_opens(path):
    with nvm.open(path, "c", size="64 MiB") as pool:
        pool.root = 1
    with nvm.open(path, "c") as pool:
        assert pool.root == 1


def test_w_needs_an_existing_pool(path):
    with pytest.raises(FileNotFoundError):
        nvm.open(path, "w")
    nvm.open(path, size="64 MiB").close()
    nvm.open(path, "w").close()


def test_x_refuses_an_existing_file_and_leaves_it_alone(path):
    path.write_bytes(b"precious")
    with pytest.raises(FileExistsError):
        nvm.open(path, "x")
    assert path.read_bytes() == b"precious"


def test_n_begins_anew(path):
    with nvm.open(path, "n", size="64 MiB") as pool:
        pool.root = 1
    with nvm.open(path, "n", size="64 MiB") as pool:
        assert pool.root is None


def test_r_reads_and_changes_nothing(path):
    with nvm.open(path, size="64 MiB") as pool:
        pool["list"] = [1, "two", ("three", [4])]
        pool.root = pool["list"]
    before = path.read_bytes()
    with nvm.open(path, "r") as pool:
        assert pool["list"] == [1, "two", ("three", [4])]
        assert pool.root is pool["list"]
        with pytest.raises(nvm.ReadOnlyError) as caught:
            pool["list"].append(5)
        assert caught.value.errno == errno.EROFS
        with pytest.raises(nvm.ReadOnlyError):
            pool.root = None
        with pytest.raises(nvm.ReadOnlyError):
            pool["new"] = 1
        with pytest.raises(nvm.ReadOnlyError):
            pool.new(pmemobj.PersistentList)
        with pytest.raises(nvm.ReadOnlyError), pool.transaction():
            pass
        assert pool.check() == []
        pool.sync()
    assert path.read_bytes() == before


def test_several_can_read_at_once_but_nobody_writes_meanwhile(path):
    nvm.open(path, size="64 MiB").close()
    with nvm.open(path, "r"), nvm.open(path, "r"):
        with pytest.raises(nvm.PoolLockedError):
            nvm.open(path, "w")


def test_r_needs_no_write_permission(path):
    with nvm.open(path, size="64 MiB") as pool:
        pool.root = 1
    path.chmod(0o400)
    with nvm.open(path, "r") as pool:
        assert pool.root == 1


@pytest.mark.parametrize("flag", ["", "rw", "a", "R"])
def test_unknown_flags_are_refused(path, flag):
    with pytest.raises(ValueError, match="flag"):
        nvm.open(path, flag)
    assert not path.exists()


# ---- Names


def test_names_can_be_str_bytes_and_path_like(path):
    nvm.open(path, size="64 MiB").close()
    for name in (path, str(path), os.fsencode(path)):
        with nvm.open(name, "w") as pool:
            assert pool.filename == str(path)


def test_names_need_not_be_utf_8(folder):
    name = os.fsencode(folder) + b"/p\xff\xfeol"
    with nvm.open(name, size="64 MiB") as pool:
        pool.root = 1
        assert os.fsencode(pool.filename) == name
    with nvm.open(os.fsdecode(name), "w") as pool:
        assert pool.root == 1
    os.unlink(name)
    with pytest.raises(FileNotFoundError) as caught:
        nvm.open(name, "w")
    assert os.fsencode(caught.value.filename) == name


def test_relative_names_stay_valid_when_the_folder_changes(folder, monkeypatch):
    monkeypatch.chdir(folder)
    with nvm.open("pool", size="256 MiB") as pool:
        monkeypatch.chdir("/")
        pool.root = [b"x" * 1000] * 100_000
        assert pool.size > 64 << 20
        assert len(pool.root) == 100_000


def test_names_with_a_null_byte_are_refused():
    with pytest.raises(ValueError, match="null"):
        nvm.open("a\0b")
    with pytest.raises(TypeError):
        nvm.open(3)


# ---- Sizes


@pytest.mark.parametrize(
    ("size", "limit"),
    [
        (64 << 20, 64 << 20),
        ("64 MiB", 64 << 20),
        ("64MiB", 64 << 20),
        (" 0.0625 GiB ", 64 << 20),
        ("70 MB", 70_000_000),
        ("70000 kB", 70_000_000),
        (str(64 << 20), 64 << 20),
    ],
)
def test_sizes_are_bytes_or_text(path, size, limit):
    with nvm.open(path, size=size) as pool:
        # the file consists of whole pages at least
        assert limit - (1 << 20) < pool.limit <= limit
        assert pool.size <= pool.limit
        assert path.stat().st_size == pool.size


@pytest.mark.parametrize("size", ["", "many", "64 XB", "64 MiB more", "1..5 GB", "-64 MiB", "64 G"])
def test_texts_that_are_no_sizes_are_refused(path, size):
    with pytest.raises(ValueError, match="size"):
        nvm.open(path, size=size)
    assert not path.exists()


@pytest.mark.parametrize("size", [0, 1, pmemobj.MIN_POOL_SIZE - 1, "1 MiB"])
def test_too_small_sizes_are_refused(path, size):
    with pytest.raises(ValueError, match=rf"size \d+ smaller than {pmemobj.MIN_POOL_SIZE}"):
        nvm.open(path, size=size)
    assert not path.exists()


@pytest.mark.parametrize("size", [1 << 60, 1 << 63, 1 << 64, 1 << 200, "1000000 TiB"])
def test_absurd_sizes_are_refused(path, size):
    with pytest.raises(ValueError, match="larger"):
        nvm.open(path, size=size)
    assert not path.exists()


def test_negative_sizes_and_floats_are_refused(path):
    with pytest.raises(ValueError):
        nvm.open(path, size=-1)
    with pytest.raises(TypeError):
        nvm.open(path, size=1e9)


def test_more_than_the_disk_has_is_enospc(path):
    with pytest.raises(OSError, match="file system has only") as caught:
        nvm.open(path, size="100 TiB")
    assert caught.value.errno == errno.ENOSPC
    assert not path.exists()


def test_a_pool_grows_to_its_limit_and_then_is_full(path):
    with nvm.open(path, size="80 MiB") as pool:
        pool.root = []
        with pytest.raises(nvm.PoolFullError, match="full"):
            for _ in range(100):
                pool.root.append(b"x" * (1 << 20))
        count = len(pool.root)
        assert count > 40
        assert pool.size == pool.limit
        assert pool.check() == []
        with pytest.raises(nvm.PoolFullError):
            pool.root.extend([b"x" * (1 << 20)] * 20)
        assert len(pool.root) == count
        pool.root.pop()
        pool.root.append(b"y" * (1 << 20))
    with nvm.open(path, size="160 MiB") as pool:
        for _ in range(20):
            pool.root.append(b"x" * (1 << 20))
        assert pool.check() == []


def test_size_raises_an_existing_pools_limit(path):
    nvm.open(path, size="64 MiB").close()
    with nvm.open(path, "w", size="128 MiB") as pool:
        assert pool.limit > pool.size


# ---- Files that are no pools


def refusal(path, content, kind=nvm.PoolCorruptError, flag="w"):
    path.write_bytes(content)
    with pytest.raises(nvm.Error) as caught:
        nvm.open(path, flag)
    assert isinstance(caught.value, kind)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == content
    return caught.value


@pytest.mark.parametrize("flag", ["r", "w", "c"])
def test_an_empty_file_is_refused(path, flag):
    assert refusal(path, b"", flag=flag).errno == errno.EUCLEAN


@pytest.mark.parametrize("flag", ["r", "w", "c"])
def test_a_foreign_file_is_refused(path, flag):
    refusal(path, b"#!/bin/sh\necho hello\n" * 1000, flag=flag)
    refusal(path, bytes(32 << 20), flag=flag)


def test_a_truncated_pool_is_refused(path):
    nvm.open(path, size="64 MiB").close()
    content = path.read_bytes()
    for size in (1, 4096, 8192, 1 << 20, len(content) // 2):
        refusal(path, content[:size])


def test_a_pool_of_another_program_is_a_layout_error(path):
    nvm.open(path, size="16 MiB").close()
    content = bytearray(path.read_bytes())
    at = content.index(b"pynvm-1\0")
    content[at : at + 7] = b"cobbler"
    error = refusal(path, bytes(content), (nvm.LayoutError, nvm.PoolCorruptError))
    assert "cobbler" in str(error) or isinstance(error, nvm.PoolCorruptError)


def test_a_folder_is_refused(folder):
    with pytest.raises(IsADirectoryError):
        nvm.open(folder)


def test_a_device_and_a_pipe_are_refused(folder):
    with pytest.raises(OSError):
        nvm.open("/dev/null")
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError):
        nvm.open(pipe, "w")


def test_a_missing_folder_is_file_not_found(folder):
    with pytest.raises(FileNotFoundError):
        nvm.open(folder / "absent" / "pool")


def test_a_sparse_pool_larger_than_its_file_system_says_how_to_open_it(path):
    size = shutil.disk_usage(path.parent).free + (1 << 30)
    with nvm.open(path, size=size, backend="journal") as pool:
        pool["a"] = "some text"
    used = path.stat().st_blocks
    with pytest.raises(OSError, match='backend="journal" needs only') as caught:
        nvm.open(path, backend="memory")
    assert caught.value.errno == errno.ENOSPC
    assert path.stat().st_blocks == used
    with nvm.open(path, backend="journal") as pool:
        assert pool["a"] == "some text"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do anything")
def test_no_permission_is_a_permission_error(path):
    nvm.open(path, size="64 MiB").close()
    path.chmod(0)
    with pytest.raises(PermissionError):
        nvm.open(path)


def test_mode_is_that_of_the_new_file(path):
    before = os.umask(0o027)
    try:
        nvm.open(path, size="64 MiB", mode=0o666).close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


# ---- Locks


def test_a_pool_is_open_once_in_a_process(path):
    with nvm.open(path, size="64 MiB"):
        with pytest.raises(nvm.PoolLockedError, match="this process"):
            nvm.open(path)
        link = path.with_name("link")
        link.symlink_to(path)
        with pytest.raises(nvm.PoolLockedError, match="this process"):
            nvm.open(link)
    nvm.open(path).close()


def test_a_pool_is_open_in_one_process(path):
    process = hold(path)
    try:
        for flag in "rwcn":
            with pytest.raises(nvm.PoolLockedError, match="another process"):
                nvm.open(path, flag)
    finally:
        release(process)
    with nvm.open(path, "w") as pool:
        assert pool.root == 1


def test_timeout_waits_for_the_other_process(path):
    process = hold(path)
    try:
        start = time.monotonic()
        with pytest.raises(nvm.PoolLockedError):
            nvm.open(path, "w", timeout=0.3)
        assert 0.25 < time.monotonic() - start < 5
        threading.Timer(0.3, process.kill).start()
        with nvm.open(path, "w", timeout=30) as pool:
            assert pool.root == 1
    finally:
        release(process)


@pytest.mark.parametrize("checked_before", [0, 3000])
def test_a_wait_for_a_lock_can_be_interrupted(path, checked_before):
    with nvm.open(path.with_name("other"), size="16 MiB", backend="memory") as other:
        for _ in range(checked_before):  # until what looks for signals has been compiled, on PyPy
            other.gc()
    process = hold(path)

    def interrupt(*_):
        raise InterruptedError

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        with pytest.raises(InterruptedError):
            nvm.open(path, "w", timeout=None)
    finally:
        signal.signal(signal.SIGUSR1, before)
        release(process)


@pytest.mark.parametrize("timeout", [-1, float("nan")])
def test_odd_timeouts_are_refused(path, timeout):
    with pytest.raises(ValueError, match="timeout"):
        nvm.open(path, timeout=timeout)


# ---- Backends


def test_unknown_backends_are_refused(path):
    with pytest.raises(ValueError, match="backend"):
        nvm.open(path, backend="paper")
    assert not path.exists()


def test_sync_that_nobody_knows_is_refused(path):
    with pytest.raises(ValueError, match="sync must be"):
        nvm.open(path, sync="later")
    assert not path.exists()


def file_system_of(path):
    return subprocess.run(
        ["stat", "-f", "-c", "%T", str(path)], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_memory_is_chosen_on_tmpfs_without_a_warning(path):
    if file_system_of(path.parent) != "tmpfs":
        pytest.skip("no tmpfs here")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with nvm.open(path, size="64 MiB") as pool:
            assert pool.backend == "memory"


@pytest.fixture
def disk_path(tmp_path):
    if file_system_of(tmp_path) in ("tmpfs", "ramfs"):
        pytest.skip("no disk here")
    return tmp_path / "pool"


def test_a_file_on_a_disk_survives_power_failures(disk_path):
    with nvm.open(disk_path) as pool:
        assert pool.backend == "journal"
    with pmemobj.PersistentObjectPool(disk_path) as pool:
        assert pool.backend == "journal"


def test_another_backend_may_be_named_on_a_disk(disk_path):
    with nvm.open(disk_path, size="16 MiB", backend="memory") as pool:
        assert pool.backend == "memory"
        pool.root = [1]
    with nvm.open(disk_path) as pool:
        assert pool.backend == "journal"
        pool.root.append(2)
    with nvm.open(disk_path, "r") as pool:
        assert pool.root == [1, 2]


# ---- The names of before


def test_create_and_open(path):
    with pmemobj.create(path) as pool:
        pool.root = 1
        assert pool.limit == pmemobj.MIN_POOL_SIZE
    with pytest.raises(FileExistsError):
        pmemobj.create(path)
    with pmemobj.open(path) as pool:
        assert pool.root == 1


def test_open_needs_an_existing_file(path):
    with pytest.raises(FileNotFoundError):
        pmemobj.open(path)
    with pytest.raises(FileNotFoundError):
        pmemobj.PersistentObjectPool(path)


def test_create_refuses_a_small_size(path):
    with pytest.raises(ValueError, match=rf"size \d+ smaller than {pmemobj.MIN_POOL_SIZE}"):
        pmemobj.create(path, pmemobj.MIN_POOL_SIZE - 1)


def test_the_constructor_takes_flags(path):
    with pmemobj.PersistentObjectPool(path, "c", 32 << 20, debug=True) as pool:
        assert pool.limit == 32 << 20
        assert pool.flag == "c"
        assert pool.debug is True
    with pytest.raises(FileExistsError):
        pmemobj.PersistentObjectPool(path, flag="x")
    with pmemobj.PersistentObjectPool(filename=path, flag="w") as pool:
        assert pool.flag == "w"
        assert pool.debug is False


def test_a_pool_object_is_opened_once(path):
    with pmemobj.PersistentObjectPool(path, "c") as pool:
        with pytest.raises(RuntimeError, match="already"):
            pool.__init__(path)
    unopened = pmemobj.PersistentObjectPool.__new__(pmemobj.PersistentObjectPool)
    assert unopened.closed
    assert "not opened" in repr(unopened)
    with pytest.raises(nvm.PoolClosedError):
        unopened.root
    unopened.close()


def test_libraries_are_those_loaded():
    libraries = nvm.libraries()
    assert set(libraries) == {"libpmem", "libpmemobj"}
    for library in libraries.values():
        assert Path(library["path"]).is_file()
        assert library["version"][0].isdigit()
