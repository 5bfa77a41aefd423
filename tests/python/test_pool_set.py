"""Pools that lie in the files of a pool set, with and without replicas."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import pytest

import nvm
from nvm import pmemobj

MIB = 1 << 20


@pytest.fixture
def pool_set(tmp_path, folder):
    """Makes a pool set file of parts and replicas: lists of (size in MiB, name)."""

    def make(*replicas):
        text = ["PMEMPOOLSET"]
        for number, parts in enumerate(replicas):
            text += ["REPLICA"] * (number > 0)
            text += [f"{size}M {folder / name}" for size, name in parts]
        path = tmp_path / "pool.set"
        path.write_text("\n".join(text) + "\n")
        return path

    return make


@pytest.fixture
def mirrored(pool_set):
    return pool_set([(16, "a"), (8, "b")], [(32, "copy")])


def test_a_set_is_a_pool_like_any_other(pool_set):
    path = pool_set([(16, "a"), (16, "b")])
    with nvm.open(path) as pool:
        assert pool.size == pool.limit == 32 * MIB - 4096
        pool["list"] = list(range(1000))
        pool["large"] = "x" * (20 * MIB)
    with nvm.open(path, "w") as pool:
        assert pool["list"] == list(range(1000))
        assert pool["large"] == "x" * (20 * MIB)
        assert pool.check() == []
    with nvm.open(path, "r") as pool, pytest.raises(OSError, match="reading"):
        pool["list"].append(1)


def test_flags_mean_what_they_do_for_files(pool_set, folder):
    path = pool_set([(16, "a"), (8, "b")])
    for flag in "rw":
        with pytest.raises(FileNotFoundError, match="none of the set's parts"):
            nvm.open(path, flag)
    nvm.open(path, "x").close()
    with pytest.raises(FileExistsError):
        nvm.open(path, "x")
    with pytest.raises(FileExistsError, match="not replaced"):
        nvm.open(path, "n")
    nvm.open(path, "c").close()
    assert sorted(os.listdir(folder)) == ["a", "b"]


def test_pmemobj_opens_sets_too(pool_set):
    path = pool_set([(16, "a"), (8, "b")])
    with pmemobj.create(path) as pool:
        pool.root = [1, 2]
    with pmemobj.open(path) as pool:
        assert pool.root == [1, 2]
    with pytest.raises(FileExistsError):
        pmemobj.create(path)


def test_a_set_that_is_full_does_not_grow(pool_set):
    with nvm.open(pool_set([(16, "a"), (8, "b")])) as pool:
        pool["kept"] = 1
        with pytest.raises(nvm.PoolFullError):
            pool["large"] = bytes(30 * MIB)
        assert dict(pool) == {"kept": 1}
        del pool["kept"]


def test_a_size_beyond_the_set_is_an_error(pool_set):
    path = pool_set([(16, "a"), (8, "b")])
    with pytest.raises(ValueError, match="does not grow"):
        nvm.open(path, size="1 GiB")
    nvm.open(path, size="16 MiB").close()


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("32M /nowhere/a\nREPLICA node far.set", "another machine"),
        ("32M /dev/shm", "is a directory"),
        ("AUTO /dev/dax0.0", "device DAX"),
    ],
)
def test_what_cannot_be_safe_is_refused(tmp_path, lines, why):
    path = tmp_path / "pool.set"
    path.write_text(f"PMEMPOOLSET\n{lines}\n")
    with pytest.raises(OSError, match=why) as caught:
        nvm.open(path)
    assert caught.value.filename == str(path)


def test_a_damaged_set_file_tells_the_line(tmp_path):
    path = tmp_path / "pool.set"
    path.write_text("PMEMPOOLSET\n32M relative\n")
    with pytest.raises(nvm.PoolCorruptError, match="line 2: the path 'relative' is not absolute"):
        nvm.open(path)


def test_a_missing_part_is_named(mirrored, folder):
    nvm.open(mirrored).close()
    (folder / "b").unlink()
    with pytest.raises(nvm.PoolCorruptError, match=r"b' is missing.*nvm\.pmempool\.sync\(\)"):
        nvm.open(mirrored)


def copied(folder):
    """The replica's bytes behind its header and what is not kept from one opening to the next."""
    return (folder / "copy").read_bytes()[0x302000:]


def test_a_part_that_is_truncated_under_an_open_pool_is_named_and_made_again(mirrored, folder):
    pmempool = pytest.importorskip("nvm.pmempool", exc_type=ImportError)
    with nvm.open(mirrored) as pool:
        pool["large"] = "x" * (14 * MIB)
    script = (
        "import os, sys, nvm\n"
        "pool = nvm.open(sys.argv[1])\n"
        "os.truncate(sys.argv[2], 4096)\n"
        "try:\n"
        "    len(pool['large'])\n"
        "except OSError as error:\n"
        "    sys.exit('cut it short' not in str(error))\n"
        "sys.exit('nothing was noticed')\n"
    )
    subprocess.run([sys.executable, "-c", script, mirrored, folder / "b"], check=True)
    for look in (nvm.open, pmempool.info, lambda path: list(pmempool.chunks(path))):
        with pytest.raises(nvm.PoolCorruptError, match=str(folder / "b")):
            look(mirrored)
    pmempool.sync(mirrored)
    with nvm.open(mirrored) as pool:
        assert pool["large"] == "x" * (14 * MIB)
        assert pool.check() == []


@pytest.mark.parametrize("left", [0, 4096, 12 * MIB])
def test_a_replica_that_is_truncated_under_an_open_pool_is_noticed(pool_set, folder, left):
    path = pool_set([(16, "a"), (16, "b")], [(32, "copy")])
    with nvm.open(path) as pool:
        pool["large"] = bytearray(20 * MIB)
    script = (
        "import contextlib, os, sys, nvm\n"
        "pool = nvm.open(sys.argv[1])\n"
        "os.truncate(sys.argv[2], int(sys.argv[3]))\n"
        "try:\n"
        "    for i in range(0, 20 << 20, 4096):\n"
        "        pool['large'][i] = 1\n"
        "    pool['another'] = 'x' * 4096\n"
        "except OSError as error:\n"
        "    assert 'cut it short' in str(error), error\n"
        "else:\n"
        "    sys.exit('nothing was noticed')\n"
        "with contextlib.suppress(OSError):\n"
        "    pool.close()\n"
    )
    command = [sys.executable, "-c", script, path, folder / "copy", str(left)]
    subprocess.run(command, check=True)
    with pytest.raises(nvm.PoolCorruptError, match=str(folder / "copy")):
        nvm.open(path)


def test_every_store_is_in_the_replica_when_it_returns(mirrored, folder):
    with nvm.open(mirrored) as pool:
        for text in ("a text that is long enough", "and another one of these"):
            pool["text"] = text
            assert text.encode() in copied(folder)
        with pool.transaction():
            pool["list"] = [0x1122334455]
            pool["text"] = "the text of a transaction"
        assert b"the text of a transaction" in copied(folder)


def test_buffers_are_in_the_replica_after_a_sync(pool_set, folder):
    path = pool_set([(16, "a"), (16, "b")], [(32, "copy")])
    with nvm.open(path) as pool:
        pool["bytes"] = bytearray(20 * MIB)
        with memoryview(pool["bytes"]) as view:
            view[-9:] = b"the end!!"
            view[:9] = b"the start"
            pool.sync()
            assert b"the start" in copied(folder)
            assert b"the end!!" in copied(folder)
        assert pool["bytes"][-9:] == b"the end!!"


def test_a_forked_child_keeps_no_lock(mirrored):
    pool = nvm.open(mirrored)
    pool["x"] = 1
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        try:
            pool["x"]
        except nvm.PoolForkedError:
            os.write(ready[1], b"f")
        os.close(go[1])
        os.read(go[0], 1)
        os._exit(0)
    assert os.read(ready[0], 1) == b"f"
    pool.close()
    with nvm.open(mirrored) as pool:
        assert pool["x"] == 1
    os.close(go[1])
    os.waitpid(child, 0)


WRITER = """
import itertools, random, sys
import nvm
pool = nvm.open(sys.argv[1])
log = pool.setdefault("log", [])
table = pool.setdefault("table", {})
print("ready", flush=True)
for number in itertools.count(len(log)):
    with pool.transaction():
        log.append(f"entry number {number}")
        table[number % 50] = [number] * random.randrange(20)
    print(number, flush=True)
"""


def test_a_killed_program_leaves_what_it_committed(mirrored):
    promised = -1
    for _ in range(4):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(mirrored)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout.readline() == "ready\n"
        time.sleep(random.uniform(0.02, 0.2))
        writer.send_signal(signal.SIGKILL)
        printed = writer.stdout.read().split("\n")[:-1]
        writer.wait()
        writer.stdout.close()
        promised = int(printed[-1]) if printed else promised
        with nvm.open(mirrored) as pool:
            assert len(pool["log"]) - 1 in (promised, promised + 1)
            assert pool["log"] == [f"entry number {i}" for i in range(len(pool["log"]))]
            assert pool.check() == []
