"""The journal backend: what is on the disk when, and what a process that ended leaves."""

from __future__ import annotations

import errno
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
from typing import TYPE_CHECKING

import pytest

import nvm
from interpreter import CPYTHON

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nvm.pmemobj import PersistentObjectPool

LIMIT = "64 MiB"
FIRST_RECORD = 8192 + (16 << 20)  # of a new journal: the first generation is in the second half


@pytest.fixture(params=["tmpfs", "disk"])
def place(request: pytest.FixtureRequest, folder: Path, tmp_path: Path) -> Path:
    """The name of a pool, on either kind of file system."""
    return (folder if request.param == "tmpfs" else tmp_path) / "pool"


def open_journal(
    path: Path, flag: nvm.pmemobj.Flag = "c", **options: object
) -> PersistentObjectPool:
    options.setdefault("size", LIMIT)
    return nvm.open(path, flag, backend="journal", **options)  # type: ignore[arg-type]


def journal_of(path: Path) -> Path:
    return path.with_name(path.name + ".journal")


def journal_and(path: Path) -> list[Path]:
    return [path, journal_of(path)]


def run_and_leave(path: Path, code: str) -> None:
    """Runs code with `pool` open in a process that ends without closing it."""
    program = (
        "import os, sys, nvm\n"
        f"pool = nvm.open(sys.argv[1], backend='journal', size={LIMIT!r})\n"
        f"{code}\n"
        "os.kill(os.getpid(), 9)\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", program, os.fspath(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == -signal.SIGKILL, process.stderr


# ---- Files


def test_commits_survive_a_process_that_does_not_close(place: Path) -> None:
    run_and_leave(place, "pool['a'] = [1, 'two', {'three': 3.0}]\nfor i in range(500): pool[i] = i")
    assert journal_of(place).exists()
    with open_journal(place) as pool:
        assert pool["a"] == [1, "two", {"three": 3.0}]
        assert [pool[i] for i in range(500)] == list(range(500))
        assert pool.check() == []
        assert pool.backend == "journal"


def test_there_is_no_journal_before_the_first_change_and_after_the_close(place: Path) -> None:
    pool = open_journal(place)
    assert not journal_of(place).exists()
    pool["a"] = 1
    assert journal_of(place).exists()
    pool.close()
    assert not journal_of(place).exists()


def test_a_closed_pool_is_an_ordinary_one(place: Path) -> None:
    with open_journal(place) as pool:
        pool["a"] = [1, 2]
    with nvm.open(place, "w", backend="memory") as pool:
        assert pool["a"] == [1, 2]
        pool["a"].append(3)
    with open_journal(place) as pool:
        assert pool["a"] == [1, 2, 3]


def test_the_file_takes_only_what_is_used(tmp_path: Path) -> None:
    path = tmp_path / "pool"
    with nvm.open(path, backend="journal") as pool:
        pool["a"] = "x" * 1_000_000
        assert pool.limit == 64 << 30
    assert os.stat(path).st_size == 64 << 30
    assert os.stat(path).st_blocks * 512 < 64 << 20


def used_bytes(path: Path) -> int:
    return os.stat(path).st_blocks * 512


def test_deleting_gives_the_disk_back(tmp_path: Path) -> None:
    path = tmp_path / "pool"
    with nvm.open(path) as pool:
        pool["kept"] = list(range(1000))
        for i in range(15):
            pool[i] = "x" * 3_000_000
        pool.sync()
        assert used_bytes(path) > 40_000_000
        for i in range(15):
            del pool[i]
    assert used_bytes(path) < 20_000_000
    with nvm.open(path) as pool:
        assert pool.check() == []
        assert pool["kept"] == list(range(1000))
        for i in range(15):
            pool[i] = "y" * 3_000_000
    with nvm.open(path, "r") as pool:
        assert all(pool[i] == "y" * 3_000_000 for i in range(15))


def test_large_values_are_written_once(tmp_path: Path) -> None:
    path = tmp_path / "pool"
    with nvm.open(path, size="256 MiB") as pool:
        with pool.transaction():
            pool["a"] = b"x" * 50_000_000
            pool["b"] = bytearray(b"y" * 50_000_000)
        assert used_bytes(journal_of(path)) < 45_000_000
        copy = [
            shutil.copy(file, tmp_path / file.name.replace("pool", "copy"))
            for file in journal_and(path)
        ]
    with nvm.open(copy[0]) as pool:
        assert pool["a"] == b"x" * 50_000_000
        assert pool["b"] == b"y" * 50_000_000


class ControlGroup:
    """Processes that may have so much memory; skips the test where none can be made."""

    def __init__(self, limit: int) -> None:
        if os.path.exists("/sys/fs/cgroup/memory/memory.limit_in_bytes"):
            parent, limit_file = "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
        else:
            parent, limit_file = "/sys/fs/cgroup", "memory.max"
        self.path = f"{parent}/nvm-test-{os.getpid()}"
        try:
            os.mkdir(self.path)
            with open(f"{self.path}/{limit_file}", "w", encoding="ascii") as file:
                file.write(str(limit))
        except OSError as error:
            if os.path.isdir(self.path):
                os.rmdir(self.path)
            pytest.skip(f"control groups cannot be made here: {error}")

    def run(self, code: str, *args: object) -> str:
        join = (
            # What PyPy itself takes would be more than there is.
            f"import os, nvm\nwith open({self.path + '/cgroup.procs'!r}, 'w') as file:\n"
            "    file.write(str(os.getpid()))\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", join + code, *map(str, args)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def remove(self) -> None:
        os.rmdir(self.path)


@pytest.fixture
def small_memory() -> Iterator[ControlGroup]:
    group = ControlGroup(MEMORY)
    yield group
    group.remove()


MEMORY = (96 if CPYTHON else 192) << 20  # PyPy's collector lets more gather
LARGER = """
import gc, random, sys, nvm
pool = nvm.open(sys.argv[1])
count = int(sys.argv[2])
values = pool.setdefault("values", {})
piece = b"0123456789abcdef" * 500
for first in range(0, count, 100):
    with pool.transaction():
        for i in range(first, first + 100):
            values[i] = piece + str(i).encode()
    if first % 500 == 0:
        gc.collect()  # on PyPy C keeps what it was handed until then
order = list(range(count))
random.Random(1).shuffle(order)
for number, i in enumerate(order):
    assert values[i] == piece + str(i).encode()
    if number % 500 == 0:
        gc.collect()
for i in order[: count // 10]:
    values[i] = i
pool.close()
"""


@pytest.mark.slow
def test_a_pool_larger_than_memory(tmp_path: Path, small_memory: ControlGroup) -> None:
    count = 8 * MEMORY // 8000 // 100 * 100
    small_memory.run(LARGER, tmp_path / "pool", count)
    assert used_bytes(tmp_path / "pool") > 7 * MEMORY
    with nvm.open(tmp_path / "pool") as pool:
        assert len(pool["values"]) == count
        assert pool.check() == []


def test_a_transaction_larger_than_memory_is_refused(
    tmp_path: Path, small_memory: ControlGroup
) -> None:
    small_memory.run(
        """
import sys, nvm
pool = nvm.open(sys.argv[1])
pool["before"] = 1
try:
    with pool.transaction():
        for i in range(1000):
            pool[i] = b"x" * 200_000
except OSError as error:
    assert "transaction" in str(error), error
else:
    sys.exit("not refused")
assert list(pool) == ["before"]
pool["after"] = 2
assert pool.check() == []
""",
        tmp_path / "pool",
    )
    with nvm.open(tmp_path / "pool") as pool:
        assert list(pool.items()) == [("before", 1), ("after", 2)]


def test_values_larger_than_memory_in_one_transaction(
    tmp_path: Path, small_memory: ControlGroup
) -> None:
    small_memory.run(
        """
import gc, sys, nvm
pool = nvm.open(sys.argv[1])
pool["before"] = 1
with pool.transaction():
    for i in range(20):
        pool[i] = bytes([i]) * 20_000_000
        gc.collect()  # PyPy's lets more gather than there is memory
for i in range(20):
    assert pool[i][-1] == i
    gc.collect()
assert pool.check() == []
""",
        tmp_path / "pool",
    )
    with nvm.open(tmp_path / "pool") as pool:
        assert all(pool[i] == bytes([i]) * 20_000_000 for i in range(20))


def test_a_limit_is_raised_when_the_pool_is_opened(place: Path) -> None:
    with open_journal(place, size="32 MiB") as pool:
        pool["a"] = "x" * 1_000_000
        with pytest.raises(nvm.PoolFullError):
            pool["b"] = "y" * 40_000_000
        assert pool.check() == []
    with open_journal(place, size="128 MiB") as pool:
        pool["b"] = "y" * 40_000_000
        assert pool.check() == []
    with open_journal(place) as pool:
        assert len(pool["b"]) == 40_000_000


def test_reading_an_unclean_pool_changes_nothing(place: Path) -> None:
    run_and_leave(place, "pool['a'] = list(range(1000))")
    before = journal_of(place).read_bytes()
    for _ in range(2):
        with nvm.open(place, "r") as pool:
            assert pool["a"] == list(range(1000))
            assert pool.check() == []
    assert journal_of(place).read_bytes() == before


def test_pool_and_journal_can_be_renamed_and_copied_together(place: Path) -> None:
    run_and_leave(place, "pool['a'] = 1")
    copy = place.with_name("copy")
    shutil.copy(place, copy)
    shutil.copy(journal_of(place), journal_of(copy))
    moved = place.with_name("moved")
    os.rename(place, moved)
    os.rename(journal_of(place), journal_of(moved))
    for path in (copy, moved):
        with open_journal(path) as pool:
            assert pool["a"] == 1


def test_the_journal_lies_beside_the_file_whatever_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "there")
    pool = nvm.open("pool", backend="journal", size=LIMIT)
    monkeypatch.chdir(tmp_path)
    pool["a"] = 1
    assert journal_of(tmp_path / "there" / "pool").exists()
    pool.close()


# ---- What is refused


def test_a_missing_journal_is_an_error(place: Path) -> None:
    run_and_leave(place, "pool['a'] = 1")
    hidden = place.with_name("hidden")
    os.rename(journal_of(place), hidden)
    for flag in ("w", "r"):
        with pytest.raises(nvm.PoolCorruptError, match=r"journal.*missing"):
            nvm.open(place, flag)  # type: ignore[arg-type]
    os.rename(hidden, journal_of(place))
    with open_journal(place) as pool:
        assert pool["a"] == 1


def test_the_journal_of_another_pool_is_refused(place: Path) -> None:
    other = place.with_name("other")
    run_and_leave(place, "pool['a'] = 1")
    run_and_leave(other, "pool['a'] = 2")
    own = journal_of(place).read_bytes()
    shutil.copy(journal_of(other), journal_of(place))
    with pytest.raises(nvm.PoolLockedError, match="another pool"):
        open_journal(place)
    journal_of(place).write_bytes(own)
    with open_journal(place) as pool:
        assert pool["a"] == 1


def test_the_journal_of_another_pool_is_not_removed_either(place: Path) -> None:
    other = place.with_name("other")
    open_journal(place).close()
    run_and_leave(other, "pool['a'] = 2")
    os.rename(journal_of(other), journal_of(place))
    with pytest.raises(nvm.PoolLockedError, match="another pool"):
        open_journal(place)
    os.rename(journal_of(place), journal_of(other))
    with open_journal(other) as pool:
        assert pool["a"] == 2


def test_a_damaged_journal_ends_where_the_damage_is(place: Path) -> None:
    run_and_leave(place, "for i in range(100): pool[i] = 'x' * 100")
    content = bytearray(journal_of(place).read_bytes())
    content[FIRST_RECORD + 20_000] ^= 1
    journal_of(place).write_bytes(content)
    with open_journal(place) as pool:
        assert 0 < len(pool) < 100
        assert list(pool) == list(range(len(pool)))
        assert pool.check() == []


@pytest.mark.parametrize(
    "content", [b"", b"not a journal", bytes(100_000)], ids=["empty", "text", "zeros"]
)
def test_a_file_that_is_no_journal_is_an_error(place: Path, content: bytes) -> None:
    run_and_leave(place, "pool['a'] = 1")
    journal_of(place).write_bytes(content)
    with pytest.raises(nvm.PoolCorruptError, match="journal"):
        open_journal(place)


# ---- Transactions and promises


def test_transactions_are_there_whole(place: Path) -> None:
    run_and_leave(
        place,
        "pool['l'] = []\n"
        "with pool.transaction():\n"
        "    pool['l'].extend(range(10_000))\n"
        "    pool['done'] = True\n"
        "pool.transaction().begin()\n"
        "pool['l'].clear()\n"
        "pool['done'] = False\n",
    )
    with open_journal(place) as pool:
        assert pool["l"] == list(range(10_000))
        assert pool["done"] is True
        assert pool.check() == []


def test_an_aborted_transaction_leaves_nothing(place: Path) -> None:
    with open_journal(place) as pool:
        pool["l"] = [1, 2, 3]
        with pytest.raises(KeyError), pool.transaction():
            pool["l"].extend(range(1000))
            raise KeyError
        assert pool["l"] == [1, 2, 3]
        pool["l"].append(4)
        assert pool.check() == []
    with open_journal(place) as pool:
        assert pool["l"] == [1, 2, 3, 4]
        assert pool.check() == []


def test_relaxed_commits_survive_the_process(place: Path) -> None:
    run_and_leave(
        place,
        "pool.close()\n"
        f"pool = nvm.open(sys.argv[1], backend='journal', size={LIMIT!r}, sync='relaxed')\n"
        "for i in range(2000): pool[i] = i\n"
        "pool.sync()\n"
        "pool['synced'] = True\n",
    )
    with open_journal(place) as pool:
        assert len(pool) == 2001
        assert pool.check() == []


@pytest.mark.parametrize("sync", ["commit", "relaxed", None])
def test_a_transaction_says_what_it_promises(place: Path, sync: str | None) -> None:
    with open_journal(place) as pool:
        with pool.transaction(sync=sync):  # type: ignore[arg-type]
            pool["a"] = 1
        with pytest.raises(ValueError, match="sync must be"):
            pool.transaction(sync="never")  # type: ignore[arg-type]
    with open_journal(place, sync="relaxed") as pool:
        assert pool["a"] == 1


def test_many_commits_go_through_checkpoints(place: Path) -> None:
    """Some 50 MB of records: the halves of the journal are used in turn."""
    with open_journal(place, sync="relaxed", size="256 MiB") as pool:
        pool["d"] = {}
        d = pool["d"]
        for i in range(20_000):
            d[i % 3000] = ["x" * 200, i]
        assert journal_of(place).stat().st_size < 40_000_000
        assert pool.check() == []
    with open_journal(place) as pool:
        assert {k: v[1] for k, v in pool["d"].items()} == {
            k: max(range(k, 20_000, 3000)) for k in range(3000)
        }


def test_threads_commit_side_by_side(place: Path) -> None:
    with open_journal(place) as pool:
        names = [f"t{n}" for n in range(8)]
        for name in names:
            pool[name] = []

        def append(name: str) -> None:
            for i in range(100):
                pool[name].append(i)

        threads = [threading.Thread(target=append, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert pool.check() == []
    with open_journal(place) as pool:
        assert all(pool[name] == list(range(100)) for name in names)


def test_commits_of_all_promises_come_back(place: Path) -> None:
    """Those that let the interpreter's lock go while they wait, and those that keep it."""
    program = textwrap.dedent("""
        import sys, threading
        import nvm

        pool = nvm.open(sys.argv[1], backend="journal")
        names = [f"{kind}{n}" for n in range(3) for kind in ("durable", "relaxed", "sync")]
        for name in names:
            pool[name] = 0

        def work(name):
            for i in range(300):
                if name.startswith("durable"):
                    pool[name] += 1
                    continue
                with pool.transaction(sync="relaxed"):
                    pool[name] += 1
                if name.startswith("sync"):
                    pool.sync()

        threads = [threading.Thread(target=work, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(pool[name] == 300 for name in names)
        pool.close()
    """)
    subprocess.run([sys.executable, "-c", program, os.fspath(place)], check=True, timeout=60)


# ---- Processes


def test_a_forked_child_cannot_use_the_pool_and_harms_nothing(place: Path) -> None:
    with open_journal(place) as pool:
        pool["a"] = [1]
        a = pool["a"]
        child = os.fork()
        if child == 0:
            code = 1
            try:
                a.append(2)
            except nvm.PoolForkedError:
                own = open_journal(place.with_name("own"))
                own["b"] = 1
                own.close()
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        a.append(3)
    with open_journal(place) as pool:
        assert pool["a"] == [1, 3]
        assert pool.check() == []


def test_a_forked_child_keeps_no_room_of_the_disk(place: Path) -> None:
    with open_journal(place) as pool:
        pool["a"] = 1
        child = os.fork()
        if child == 0:
            links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
            kept = [os.readlink(link) for link in links if os.path.islink(link)]
            nameless = [name for name in kept if name.endswith(" (deleted)")]
            os._exit(sum(name.startswith(os.fspath(place.parent)) for name in nameless))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_forked_child_ends_by_itself(place: Path) -> None:
    """Though the thread that writes checkpoints is not there."""
    program = (
        "import os, sys, nvm\n"
        "pool = nvm.open(sys.argv[1], backend='journal', size='64 MiB')\n"
        "for i in range(100): pool[i] = i\n"
        "child = os.fork()\n"
        "if child: sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "pool.close()\n"
        "del pool\n"
    )
    subprocess.run([sys.executable, "-c", program, os.fspath(place)], check=True, timeout=60)


WORKER = """
import itertools, os, sys, nvm
pool = nvm.open(sys.argv[1], backend="journal", size="256 MiB", sync=sys.argv[3])
numbers, texts = pool.setdefault("numbers", []), pool.setdefault("texts", {})
os.write(1, b"r")
for number in itertools.count(int(sys.argv[2])):
    with pool.transaction():
        numbers.append(number)
        texts[number % 500] = str(number) * 50
        pool["done"] = number + 1
    os.write(1, b".")
"""


@pytest.mark.parametrize("sync", ["commit", "relaxed"])
@pytest.mark.parametrize("rounds", [6, pytest.param(200, marks=pytest.mark.slow)])
def test_killed_under_load(place: Path, sync: str, rounds: int) -> None:
    rng = random.Random(rounds)
    done = 0
    for _ in range(rounds):
        worker = subprocess.Popen(
            [sys.executable, "-c", WORKER, os.fspath(place), str(done), sync],
            stdout=subprocess.PIPE,
        )
        assert worker.stdout is not None
        wanted = rng.randrange(1, 2000 if sync == "relaxed" else 100)
        told = 0
        while told < wanted:
            news = os.read(worker.stdout.fileno(), 64)
            assert news, f"the worker ended by itself: {worker.wait()}"
            told += len(news)
        worker.kill()
        told += len(worker.stdout.read()) - 1
        worker.wait()
        worker.stdout.close()
        with open_journal(place, size="256 MiB") as pool:
            assert done + told <= pool.get("done", 0) <= done + told + 1
            done = pool.get("done", 0)
            assert pool["numbers"] == list(range(done))
            assert pool.check() == []


# ---- A disk that is full


@pytest.fixture
def no_more_than() -> Iterator[object]:
    """Lets files grow no further than so many bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_commit_that_finds_no_room_is_undone(place: Path, no_more_than) -> None:  # type: ignore[no-untyped-def]
    with open_journal(place, size="256 MiB") as pool:
        pool["a"] = [1, 2, 3]
        no_more_than(48 << 20)
        with pytest.raises(OSError, match=r"no room on the disk|File too large") as caught:
            pool["b"] = "x" * 60_000_000  # longer than a half of the journal
        assert caught.value.errno in (errno.EFBIG, errno.ENOSPC)
        assert "b" not in pool
        pool["a"].append(4)
        assert pool["a"] == [1, 2, 3, 4]
        assert pool.check() == []
    with open_journal(place, size="256 MiB") as pool:
        assert pool["a"] == [1, 2, 3, 4]


# ---- A disk that is slow


@pytest.mark.slow
def test_commits_wait_for_a_checkpoint_when_the_journal_is_full(tmp_path: Path) -> None:
    """A quick writer, all of whose values go through the journal, as it is relaxed."""
    with nvm.open(tmp_path / "pool", sync="relaxed") as pool:
        values = pool.setdefault("values", [])
        block = b"x" * 1_000_000
        for number in range(700):
            values.append(block)
            for small in range(10):
                pool[small] = number
        assert len(values) == 700
    with nvm.open(tmp_path / "pool", "r") as pool:
        assert len(pool["values"]) == 700
        assert pool["values"][699] == block
