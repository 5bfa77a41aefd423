"""A full pool and a full file system: what was under way is undone, and the pool works on."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

import nvm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIB = 2**20


def fill(pool: nvm.pmemobj.PersistentObjectPool) -> None:
    blocks = pool.setdefault("blocks", [])
    with pytest.raises((nvm.PoolFullError, OSError)):
        while True:
            blocks.append(b"x" * 100_000)


def test_a_full_pool_undoes_a_bulk_update(path: Path) -> None:
    with nvm.open(path, size=32 * MIB) as pool:
        pool["d"] = {"a": 1}
        pool["l"] = [1, 2, 3]
        big = {f"key number {i}": "v" * 100 for i in range(400_000)}
        with pytest.raises(nvm.PoolFullError) as caught:
            pool["d"].update(big)
        assert os.fspath(path) in str(caught.value)
        assert pool["d"] == {"a": 1}
        with pytest.raises(nvm.PoolFullError):
            pool["l"].extend([str(i) * 10 for i in range(1_000_000)])
        assert pool["l"] == [1, 2, 3]
        with pytest.raises(nvm.PoolFullError):
            pool["x"] = list(big.items())
        assert "x" not in pool
        assert pool.check() == []
        pool["d"]["b"] = 2
        pool["l"].append(4)
    with nvm.open(path) as pool:
        assert pool["d"] == {"a": 1, "b": 2}
        assert pool["l"] == [1, 2, 3, 4]


def test_a_full_pool_undoes_changes_of_sets_and_byte_arrays(path: Path) -> None:
    with nvm.open(path, size=32 * MIB) as pool:
        pool["s"] = {1, 2}
        pool["b"] = bytearray(b"abc")
        many = {f"element number {i} of very many" for i in range(400_000)}
        for operation in (
            lambda: pool["s"].update(many),
            lambda: pool["s"].symmetric_difference_update(many),
            lambda: pool.setdefault("other", many),
            lambda: pool["b"].extend(bytes(40 * MIB)),
            lambda: pool["b"].__setitem__(slice(1, 2), bytes(40 * MIB)),
            lambda: pool["b"].__imul__(40 * MIB),
            lambda: pool.new(nvm.pmemobj.PersistentTuple, many),
            lambda: pool.new(nvm.pmemobj.PersistentFrozenSet, many),
        ):
            with pytest.raises(nvm.PoolFullError):
                operation()
            assert pool["s"] == {1, 2}
            assert pool["b"] == b"abc"
        assert "other" not in pool
        assert pool.check() == []
        fill(pool)
        pool["s"].discard(1)
        pool["s"] &= {2, 3}
        del pool["b"][1:]
        del pool["blocks"][:]
        pool["s"].add(5)
        pool["b"] += b"xyz"
    with nvm.open(path) as pool:
        assert pool["s"] == {2, 5}
        assert pool["b"] == b"axyz"


def test_a_full_pool_inside_a_transaction(path: Path) -> None:
    with nvm.open(path, size=32 * MIB) as pool:
        with pool.transaction():
            pool["before"] = [1, 2]
            with pytest.raises(nvm.PoolFullError):
                pool["big"] = ["y" * 1000 for _ in range(100_000)]
            pool["after"] = 3
        assert pool["before"] == [1, 2]
        assert pool["after"] == 3
        assert "big" not in pool
        assert pool.check() == []


def test_what_takes_out_of_a_list_works_in_a_full_pool(path: Path) -> None:
    with nvm.open(path, size=32 * MIB) as pool:
        pool["l"] = list(range(5000))
        pool["d"] = {i: i for i in range(100)}
        fill(pool)
        with pytest.raises(nvm.PoolFullError):
            while True:
                pool.root = [pool.root]
        del pool["l"][0]
        pool["l"].remove(7)
        del pool["l"][::2]
        pool["l"].reverse()
        del pool["d"][50]
        assert pool["l"] == [i for i in range(1, 5000) if i != 7][1::2][::-1]
        assert pool["d"] == {i: i for i in range(100) if i != 50}
        assert pool.check() == []


def test_deleting_makes_room_again(path: Path) -> None:
    with nvm.open(path, size=32 * MIB) as pool:
        fill(pool)
        count = len(pool["blocks"])
        assert pool.check() == []
        del pool["blocks"][:]
        fill(pool)
        assert len(pool["blocks"]) >= count * 9 // 10
        pool["blocks"].clear()
        assert pool.check() == []


def test_a_larger_size_at_open_makes_room(path: Path) -> None:
    with nvm.open(path, size=32 * MIB) as pool:
        fill(pool)
        with pytest.raises(nvm.PoolFullError, match="size="):
            pool["more"] = b"z" * 200_000
    with nvm.open(path, size=96 * MIB) as pool:
        pool["more"] = b"z" * 200_000
        assert pool.size > 32 * MIB
        assert pool.check() == []


@pytest.fixture
def small_tmpfs(folder: Path) -> Iterator[Path]:
    """A tmpfs of 48 MiB."""
    mount = folder / "small"
    mount.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", os.fspath(mount)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        pytest.skip(f"no tmpfs of our own can be mounted here: {made.stderr.strip()}")
    yield mount
    subprocess.run(["umount", os.fspath(mount)], check=True)


def test_a_full_tmpfs_is_an_oserror_and_no_sigbus(small_tmpfs: Path) -> None:
    path = small_tmpfs / "pool"
    with nvm.open(path, size=40 * MIB) as pool:
        pool["l"] = [1]
        # Somebody else fills the file system before the pool has grown to its limit.
        other = small_tmpfs / "other"
        free = os.statvfs(small_tmpfs)
        other.write_bytes(b"\0" * max(0, free.f_bavail * free.f_frsize - 64 * 1024))
        with pytest.raises((OSError, nvm.PoolFullError)):
            while True:
                pool["l"].append(b"x" * 100_000)
        pool["l"].append("still here")
        assert pool["l"][-1] == "still here"
        assert pool.check() == []
        other.unlink()


def test_a_limit_beyond_the_file_system_is_refused(small_tmpfs: Path) -> None:
    with pytest.raises(OSError) as caught:
        nvm.open(small_tmpfs / "pool", size="1 GiB")
    assert caught.value.errno == 28  # ENOSPC
    assert not (small_tmpfs / "pool").exists()
    assert os.listdir(small_tmpfs) == []
