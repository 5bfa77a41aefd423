"""Pools on file systems of their own: overlays, as containers have, and small ones that fill up."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any, Callable

import pytest

import nvm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Mount = Callable[..., Path]

MIB = 2**20
SBIN = "/usr/sbin:/sbin"  # not on everyone's PATH


def run(*command: object) -> None:
    """Runs it, or skips the test where it is not permitted."""
    path = f"{os.environ.get('PATH', '')}:{SBIN}"
    if shutil.which(str(command[0]), path=path) is None:
        pytest.skip(f"no {command[0]} here")
    done = subprocess.run(
        [os.fspath(part) if hasattr(part, "__fspath__") else str(part) for part in command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": path},
    )
    if done.returncode != 0:
        pytest.skip(f"not possible here: {' '.join(map(str, command))}: {done.stderr.strip()}")


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """Mounts a file system, until the test ends, and gives where."""
    places: list[Path] = []

    def mounted(kind: str, options: str = "", device: object = "none") -> Path:
        place = tmp_path / f"mounted{len(places)}"
        place.mkdir()
        run("mount", "-t", kind, *(("-o", options) if options else ()), device, place)
        places.append(place)
        return place

    yield mounted
    for place in places:
        subprocess.run(["umount", os.fspath(place)], check=True)


def overlay(mount: Mount, tmp_path: Path, *more: str) -> Path:
    """An overlay over folders of the disk."""
    folders = {name: tmp_path / name for name in ("lower", "upper", "work")}
    for folder in folders.values():
        folder.mkdir(exist_ok=True)
    options = [f"{name}dir={folder}" for name, folder in folders.items()]
    return mount("overlay", ",".join([*options, *more]))


def test_an_overlay_has_the_journal(mount: Mount, tmp_path: Path) -> None:
    path = overlay(mount, tmp_path) / "pool"
    with nvm.open(path) as pool:
        assert pool.backend == "journal"
        pool["a"] = list(range(1000))
        pool["large"] = b"x" * 1_000_000
    with nvm.open(path) as pool:
        assert pool["a"] == list(range(1000))
        assert len(pool["large"]) == 1_000_000
        assert pool.check() == []


def test_a_pool_of_the_lower_layer_is_copied_up(mount: Mount, tmp_path: Path) -> None:
    (tmp_path / "lower").mkdir()
    with nvm.open(tmp_path / "lower" / "pool", size="64 MiB") as pool:
        pool["a"] = 1
    path = overlay(mount, tmp_path) / "pool"
    with nvm.open(path) as pool:
        pool["a"] += 1
    with nvm.open(path) as pool:
        assert pool["a"] == 2
    with nvm.open(tmp_path / "lower" / "pool", "r") as pool:
        assert pool["a"] == 1


def test_a_volatile_overlay_is_refused_unless_a_backend_is_named(
    mount: Mount, tmp_path: Path
) -> None:
    path = overlay(mount, tmp_path, "volatile") / "pool"
    with pytest.raises(OSError, match="volatile") as caught:
        nvm.open(path)
    assert caught.value.errno == errno.EOPNOTSUPP
    assert not path.exists()
    with nvm.open(path, backend="journal") as pool:
        pool["a"] = 1


# ---- Full ones


@pytest.fixture
def small(mount: Mount, tmp_path: Path) -> Path:
    """A disk of 96 MiB."""
    image = tmp_path / "image"
    with open(image, "wb") as file:
        file.truncate(96 * MIB)
    run("mkfs.ext4", "-q", "-F", image)
    return mount("ext4", "loop", image)


def fill(values: Any) -> int:
    """Appends until there is no room; gives how many fitted."""
    with pytest.raises(OSError) as caught:
        while True:
            values.append(b"%d" % len(values) * 20_000)
    assert caught.value.errno == errno.ENOSPC
    return len(values)


def test_a_full_disk_undoes_a_commit_and_no_more(small: Path) -> None:
    path = small / "pool"
    with nvm.open(path, backend="journal") as pool:
        pool["values"] = []
        count = fill(pool["values"])
        assert count > 100
        with pytest.raises(OSError, match="pool"), pool.transaction():
            pool["values"].extend([b"more" * 10_000] * 1000)
        assert len(pool["values"]) == count
        assert pool.check() == []
        pool["values"][0] = None
        del pool["values"][count // 2 :]
        pool.sync()
    with nvm.open(path) as pool:
        assert pool["values"][0] is None
        assert all(pool["values"][i] == b"%d" % i * 20_000 for i in range(1, count // 2))
        pool["values"].append("goes on")
        assert pool.check() == []


def test_a_disk_that_was_full_is_used_again(small: Path) -> None:
    other = small / "other"
    with nvm.open(small / "pool", backend="journal") as pool:
        pool["values"] = []
        other.write_bytes(bytes(20 * MIB))
        count = fill(pool["values"])
        other.unlink()
        assert fill(pool["values"]) > count
        assert pool.check() == []
