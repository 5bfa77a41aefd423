"""Code of the user's, called in the middle of an operation, does what it should not."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

import pytest

import nvm
from callbacks import NOBODY_IS_TOLD, OPERATIONS, Hook, Pickled, content, fill
from conftest import BACKEND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nvm.pmemobj import PersistentObjectPool

    Pool = PersistentObjectPool

pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
    pytest.mark.timeout(60),
]
every_operation = pytest.mark.parametrize("operation", OPERATIONS)


@pytest.fixture(scope="module")
def opened() -> Iterator[Callable[[], Pool]]:
    """Opens the pool of all these tests, unless it is open: making one takes longer than a test."""
    shm = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="nvm-test-", dir=shm if shm.is_dir() else None))
    pools: list[Pool] = []

    def open_it() -> Pool:
        if not pools or pools[-1].closed:
            pool = nvm.open(folder / "pool", size="16 MiB", backend=BACKEND)
            pool.persist_via_pickle(Pickled)
            pools.append(pool)
        return pools[-1]

    yield open_it
    pools[-1].close()
    shutil.rmtree(folder)


@pytest.fixture
def filled(opened: Callable[[], Pool]) -> Iterator[Pool]:
    pool = opened()
    pool.root = None
    pool.clear()
    fill(pool)
    yield pool
    assert opened().check() == []


class Once:
    """A hook: calls the function the first time, and remembers that."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function
        self.called = False

    def __call__(self) -> None:
        if not self.called:
            self.called = True
            self.function()


def run(pool: Pool, operation: str, action: Callable[[], Any]) -> BaseException | None:
    """Its exception, if it raises one."""
    hook: Hook = Once(action)
    try:
        OPERATIONS[operation](pool, hook)
    except BaseException as error:
        return error.with_traceback(None)
    finally:
        assert hook.called
    return None


def content_after(pool: Pool, operation: str) -> Any:
    """What the operation leaves, if nothing is wrong; it is undone again."""
    with contextlib.suppress(LookupError), pool.transaction():
        if operation.startswith("progress"):
            return content(pool)
        assert run(pool, operation, lambda: None) is None
        after = content(pool)
        raise LookupError
    return after


@every_operation
def test_an_exception_reaches_the_caller_and_nothing_has_changed(
    filled: Pool, operation: str
) -> None:
    before = content(filled)
    for kind in (LookupError, KeyboardInterrupt, SystemExit, MemoryError):
        error = run(filled, operation, lambda kind=kind: raise_(kind))
        if isinstance(error, nvm.UnreadableValueError):
            error = error.__cause__
        assert type(error) is (type(None) if operation in NOBODY_IS_TOLD else kind)
        assert content(filled) == before


def raise_(kind: type[BaseException]) -> None:
    raise kind


def collect_all(pool: Pool) -> None:
    gc.collect()
    with contextlib.suppress(nvm.TransactionError):  # in a check, or a collection
        pool.gc()


def transact(pool: Pool) -> None:
    with contextlib.suppress(LookupError), pool.transaction():
        pool["d"]["a"] = "undone"
        pool["l"].clear()
        raise LookupError
    with pool.transaction():
        pool["unrelated"] = ["value"]
    del pool["unrelated"]


@every_operation
def test_collecting_changes_nothing(filled: Pool, operation: str) -> None:
    after = content_after(filled, operation)
    assert run(filled, operation, lambda: collect_all(filled)) is None
    assert content(filled) == after


@every_operation
def test_transactions_in_it_are_their_own(filled: Pool, operation: str) -> None:
    before, after = content(filled), content_after(filled, operation)
    error = run(filled, operation, lambda: transact(filled))
    if operation.startswith(("init", "progress")):  # it is in a transaction itself, or in a view
        assert isinstance(error, nvm.TransactionError)
        assert content(filled) == before
    else:
        assert error is None
        assert content(filled) == after


@every_operation
def test_a_transaction_that_it_begins_goes_on(filled: Pool, operation: str) -> None:
    after = content_after(filled, operation)
    transaction = filled.transaction()
    error = run(filled, operation, transaction.begin)
    if operation.startswith("init"):  # begun in a transaction of the operation's
        assert isinstance(error, nvm.TransactionError)
    elif operation.startswith("progress"):
        assert error is None or isinstance(error, nvm.TransactionError)
        with contextlib.suppress(nvm.TransactionError):
            transaction.commit()
    else:
        assert error is None
        transaction.commit()
        assert content(filled) == after
    filled["d"]["more"] = 1


@every_operation
def test_an_abort_in_it_leaves_nothing(filled: Pool, operation: str) -> None:
    if operation.startswith("progress"):
        return  # refused in a transaction

    def abort() -> None:
        with contextlib.suppress(OSError):
            transaction.abort()

    before = content(filled)
    transaction = filled.transaction()
    with contextlib.suppress(nvm.TransactionError), transaction:
        filled["in a transaction"] = 1
        error = run(filled, operation, abort)
        assert error is None or isinstance(error, nvm.TransactionError)
    assert content(filled) == before


CHANGES: dict[str, Callable[[Pool], Any]] = {
    "clear": lambda pool: [pool[key].clear() for key in "ldsb"],
    "grow": lambda pool: [
        pool["l"].extend(range(100)),
        pool["d"].update(dict.fromkeys(range(100))),
        pool["s"].update(range(100)),
        pool["b"].extend(bytes(100)),
    ],
    "drop": lambda pool: [pool.pop(key) for key in "ldsbotr"],
    "again": lambda pool: fill(pool),
}


@pytest.mark.parametrize("change", CHANGES)
@every_operation
def test_changing_what_is_worked_on_is_survived(filled: Pool, operation: str, change: str) -> None:
    error = run(filled, operation, lambda: CHANGES[change](filled))
    assert error is None or isinstance(
        error, (IndexError, ValueError, KeyError, RuntimeError, nvm.TransactionError)
    )
    assert filled.check() == []


@pytest.mark.parametrize("again", [False, True], ids=["close", "reopen"])
@every_operation
def test_closing_the_pool_is_an_error_or_too_late(
    filled: Pool, opened: Callable[[], Pool], operation: str, again: bool
) -> None:
    def close() -> None:
        filled.close()
        if again:
            opened()

    before, after = content(filled), content_after(filled, operation)
    error = run(filled, operation, close)
    if operation.startswith("progress"):  # a pool is not closed while it is looked through
        assert isinstance(error, nvm.TransactionError)
        return
    assert error is None or isinstance(error, (nvm.PoolClosedError, nvm.UnreadableValueError))
    assert filled.closed
    assert content(opened()) in (before, after)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@every_operation
def test_a_child_that_is_forked_in_it_changes_nothing(filled: Pool, operation: str) -> None:
    after = content_after(filled, operation)
    children: list[int] = []
    error = run(filled, operation, lambda: children.append(os.fork()))
    if children == [0]:
        allowed = error is None or isinstance(
            error, (nvm.PoolForkedError, nvm.UnreadableValueError)
        )
        os._exit(0 if allowed else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]) == 0
    assert error is None
    assert content(filled) == after


@every_operation
def test_the_operation_in_itself(filled: Pool, operation: str) -> None:
    def inner() -> None:
        with contextlib.suppress(nvm.TransactionError):
            OPERATIONS[operation](filled, lambda: None)

    error = run(filled, operation, inner)
    assert error is None or isinstance(error, (IndexError, ValueError, nvm.TransactionError))
