import multiprocessing
import os
import subprocess
import sys
import threading
import traceback
import warnings

import pytest

import nvm
from interpreter import CPYTHON, collect
from nvm.pmemobj import (
    PersistentByteArray,
    PersistentFrozenSet,
    PersistentList,
    PersistentSet,
    PersistentTuple,
)

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]


def in_child(function):
    """Runs it in a forked child, which ends without the interpreter's exit; its exit status."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            function()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_child_cannot_use_its_parents_pool(pool):
    pool.root = [1, [2]]
    held = pool.root
    view = pool.items()
    iterator = iter(held)
    transaction = pool.transaction()

    def use():
        for attempt in (
            lambda: pool.root,
            lambda: setattr(pool, "root", 1),
            lambda: pool["a"],
            lambda: len(pool),
            lambda: held[0],
            lambda: held.append(1),
            lambda: list(view),
            lambda: next(iterator),
            transaction.begin,
            transaction.__enter__,
            transaction.commit,
            transaction.abort,
            pool.reading,
            pool.transaction,
            pool.check,
            lambda: pool.check(repair=True),
            pool.stats,
            pool.sync,
            lambda: pool.size,
            lambda: pool.new(PersistentList),
        ):
            with pytest.raises(nvm.PoolForkedError, match="parent"):
                attempt()
        assert "parent" in repr(pool)
        pool.close()

    assert in_child(use) == 0
    pool.root.append(3)
    assert pool.root == [1, [2], 3]
    assert pool.check() == []


def test_a_child_cannot_use_its_parents_containers(pool):
    s = pool.new(PersistentSet, [1])
    t = pool.new(PersistentTuple, [1])
    f = pool.new(PersistentFrozenSet, [1])
    b = pool.new(PersistentByteArray, b"x")
    iterator = iter(s)

    def use():
        for attempt in (
            lambda: next(iterator),
            *(lambda x=x: len(x) for x in (s, t, f, b)),
            *(lambda x=x: list(x) for x in (s, t, f, b)),
            *(lambda x=x: 1 in x for x in (s, t, f, b)),
            *(lambda x=x: x == x for x in (s, t, f, b)),
            *(lambda x=x: repr(x) for x in (s, t, f, b)),
            lambda: s.add(2),
            lambda: s.update([2]),
            lambda: s | {2},
            lambda: hash(t),
            lambda: f & {1},
            lambda: b.append(1),
            lambda: b.upper(),
            *([lambda: memoryview(b)] if CPYTHON else []),  # it has no buffer elsewhere
        ):
            with pytest.raises(nvm.PoolForkedError, match="parent"):
                attempt()

    assert in_child(use) == 0
    assert (s, t, f, b) == ({1}, (1,), {1}, b"x")


def test_a_child_drops_its_parents_objects(pool):
    pool.root = [[i] for i in range(100)]
    held = [pool.root, *pool.root, pool.new(PersistentList)]

    def drop():
        held.clear()
        collect()

    assert in_child(drop) == 0
    assert len(held) == 102
    assert held[1] is pool.root[0]
    assert pool.check() == []


def test_a_child_cannot_open_what_its_parent_had_open(pool, path):
    def open_it():
        with pytest.raises(nvm.PoolLockedError):
            nvm.open(path, "w")

    assert in_child(open_it) == 0
    pool.root = 1


def test_a_child_opens_what_its_parent_had_closed(pool, path):
    pool.root = [1]
    pool.close()

    def open_it():
        with nvm.open(path, "w") as mine:
            mine.root.append(2)

    assert in_child(open_it) == 0
    with nvm.open(path, "w") as pool:
        assert pool.root == [1, 2]


def test_the_parent_closes_and_reopens_while_the_child_lives(pool, path):
    pool.root = [1]
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(write_end)
        os.read(read_end, 1)
        os._exit(0)
    os.close(read_end)
    try:
        pool.close()
        with nvm.open(path, "w") as again:
            again.root.append(2)
            assert again.root == [1, 2]
    finally:
        os.close(write_end)
        os.waitpid(child, 0)


def test_fork_in_a_transaction(pool):
    pool.root = [1]

    def leave():
        with pytest.raises(nvm.PoolForkedError):
            transaction.__exit__(None, None, None)
        assert transaction.__exit__(LookupError, LookupError(), None) is None

    with pool.transaction() as transaction:
        pool.root.append(2)
        assert in_child(leave) == 0
        pool.root.append(3)
    assert pool.root == [1, 2, 3]


def test_fork_while_other_threads_work(pool):
    pool.root = [0]
    stop = threading.Event()

    def work():
        while not stop.is_set():
            with pool.transaction():
                pool.root[0] += 1
            pool.root.append([0])
            pool.root.pop()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    held = pool.root

    def use():
        with pytest.raises(nvm.PoolForkedError):
            held[0]

    try:
        for _ in range(20):
            assert in_child(use) == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert pool.check() == []


EXIT_IN_CHILD = """
import os, sys, nvm
pool = nvm.open(sys.argv[1], "c", size="64 MiB", backend="memory")
pool.root = [1]
held = pool.root
child = os.fork()
if child:
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    pool.root.append(2)
else:
    nested = os.fork()
    if nested:
        assert os.waitstatus_to_exitcode(os.waitpid(nested, 0)[1]) == 0
"""


def test_children_exit_as_usual(path):
    subprocess.run([sys.executable, "-c", EXIT_IN_CHILD, str(path)], check=True, timeout=60)
    with nvm.open(path, "w") as pool:
        assert pool.root == [1, 2]
        assert pool.check() == []


def test_subprocesses_do_not_disturb(pool):
    pool.root = [1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        subprocess.run([sys.executable, "-c", ""], check=True, preexec_fn=lambda: None)
    subprocess.run([sys.executable, "-c", ""], check=True)
    pool.root.append(2)
    assert pool.root == [1, 2]


def open_and_append(path):
    with nvm.open(path, "w", timeout=60) as pool:
        pool.root.append(os.getpid())


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_multiprocessing(pool, path, method):
    pool.root = []
    pool.close()
    context = multiprocessing.get_context(method)
    children = [context.Process(target=open_and_append, args=(path,)) for _ in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
        assert child.exitcode == 0
    with nvm.open(path, "w") as pool:
        assert sorted(pool.root) == sorted(child.pid for child in children)
