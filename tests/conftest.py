"""Pools for the tests, in memory where the system has a tmpfs."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import nvm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nvm.pmemobj import PersistentObjectPool

SIZE = "64 MiB"
# On which the suite runs.
BACKEND = os.environ.get("NVM_TEST_BACKEND", "memory")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of the test's own, on tmpfs if there is one."""
    shm = Path("/dev/shm")
    path = Path(tempfile.mkdtemp(prefix="nvm-test-", dir=shm if shm.is_dir() else None))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def path(folder: Path) -> Path:
    """The name of a file that does not exist yet; a pool of the test's own."""
    return folder / "pool"


@pytest.fixture
def open_pool(path: Path) -> Iterator[Callable[..., PersistentObjectPool]]:
    """Opens the pool at `path`; what is still open at the end is checked and closed."""
    opened: list[PersistentObjectPool] = []

    def open_pool(flag: str = "c", **options: object) -> PersistentObjectPool:
        options.setdefault("size", SIZE)
        options.setdefault("backend", BACKEND)
        pool = nvm.open(path, flag, **options)  # type: ignore[arg-type]
        opened.append(pool)
        return pool

    yield open_pool
    for pool in opened:
        if not pool.closed:
            assert pool.check() == []
            pool.close()


@pytest.fixture
def pool(open_pool: Callable[..., PersistentObjectPool]) -> PersistentObjectPool:
    """A new, empty pool; at the end it must be sound."""
    return open_pool()


@pytest.fixture
def reopen(
    open_pool: Callable[..., PersistentObjectPool],
) -> Callable[[PersistentObjectPool], PersistentObjectPool]:
    """Closes a pool and opens it again, as the next process would."""

    def reopen(pool: PersistentObjectPool) -> PersistentObjectPool:
        pool.close()
        return open_pool("w")

    return reopen


@pytest.fixture
def without_gc_callbacks() -> Iterator[None]:
    """No callbacks of the collector's: what a signal's handler raises in one is dropped.

    Hypothesis leaves one.
    """
    callbacks: list[Any] = getattr(gc, "callbacks", [])
    before = callbacks[:]
    callbacks.clear()
    yield
    callbacks.extend(before)
