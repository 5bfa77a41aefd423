import os
import signal
import sys
import threading
import time

import pytest

import nvm
from nvm.pmemobj import PersistentList


class Worker(threading.Thread):
    """Runs a function in a thread; join() raises what it raised and gives what it gave."""

    def __init__(self, function, *args):
        super().__init__(daemon=True)
        self.function = function
        self.args = args
        self.outcome = None
        self.error = None
        self.start()

    def run(self):
        try:
            self.outcome = self.function(*self.args)
        except BaseException as error:
            self.error = error

    def join(self, timeout=30):
        super().join(timeout)
        assert not self.is_alive()
        if self.error is not None:
            raise self.error
        return self.outcome


class Holder:
    """A thread inside a transaction, until release() or fail()."""

    def __init__(self, pool, change=lambda: None):
        self.inside = threading.Event()
        self.end = threading.Event()
        self.failing = False

        def hold():
            with pool.transaction():
                change()
                self.inside.set()
                assert self.end.wait(30)
                if self.failing:
                    raise LookupError

        self.thread = Worker(hold)
        assert self.inside.wait(30)

    def release(self):
        self.end.set()
        self.thread.join()

    def fail(self):
        self.failing = True
        self.end.set()
        with pytest.raises(LookupError):
            self.thread.join()


def test_threads_add_up(pool):
    pool.root = [0]
    pool["d"] = {}

    def work(number):
        for i in range(200):
            with pool.transaction():
                pool.root[0] += 1
            pool["d"][number, i] = i
            pool.root.append(number)

    for thread in [Worker(work, number) for number in range(8)]:
        thread.join()
    assert pool.root[0] == 1600
    assert len(pool["d"]) == 1600
    assert len(pool.root) == 1601
    assert pool.check() == []


def test_nobody_sees_half_a_transaction(pool):
    pool.root = {"a": 0, "b": 0}
    stop = threading.Event()

    def write():
        while not stop.is_set():
            with pool.transaction():
                pool.root["a"] += 1
                time.sleep(0)
                pool.root["b"] += 1

    def read():
        for _ in range(300):
            with pool.reading():
                assert pool.root["a"] == pool.root["b"]

    writer = Worker(write)
    for reader in [Worker(read) for _ in range(3)]:
        reader.join()
    stop.set()
    writer.join()


def test_readers_wait_for_the_end_of_a_transaction(pool):
    pool.root = [1]
    holder = Holder(pool, lambda: pool.root.append(2))
    reader = Worker(lambda: list(pool.root))
    time.sleep(0.1)
    assert reader.is_alive()
    holder.release()
    assert reader.join() == [1, 2]


def test_readers_see_nothing_of_an_undone_transaction(pool):
    pool.root = [1]
    holder = Holder(pool, lambda: pool.root.append(2))
    reader = Worker(lambda: list(pool.root))
    time.sleep(0.1)
    holder.fail()
    assert reader.join() == [1]


def test_an_object_that_is_undone_while_another_thread_waits_to_use_it(pool):
    born = []
    pool.root = [0]
    holder = Holder(pool, lambda: born.append(pool.new(PersistentList, [1])))
    uses = [
        lambda: pool.root.append(born[0]),
        lambda: pool.root.append([(born[0],)]),
        lambda: born[0].append(2),
        lambda: len(born[0]),
        lambda: born[0][0],
        lambda: setattr(pool, "root", born[0]),
        lambda: pool.__setitem__("a", born[0]),
    ]
    threads = [Worker(use) for use in uses]
    time.sleep(0.1)
    holder.fail()
    for thread in threads:
        with pytest.raises(nvm.StaleObjectError):
            thread.join()
    assert pool.root == [0]
    assert len(pool) == 0
    assert pool.check() == []


def test_timeout_ends_a_wait(pool):
    holder = Holder(pool)
    start = time.monotonic()
    for block in (pool.transaction(timeout=0.2), pool.reading(timeout=0.2)):
        with pytest.raises(nvm.TransactionTimeoutError, match="timed out") as caught:
            with block:
                pytest.fail("not reached")
        assert isinstance(caught.value, TimeoutError)
        assert isinstance(caught.value, nvm.TransactionError)
    assert 0.35 < time.monotonic() - start < 10
    with pytest.raises(TimeoutError):
        pool.transaction(timeout=0).begin()
    holder.release()
    with pool.transaction(timeout=0):
        pool.root = 1


def test_a_wait_lets_other_threads_run(pool):
    holder = Holder(pool)
    ticks = []
    waiting = Worker(lambda: pool.root)
    for _ in range(20):
        ticks.append(1)
        time.sleep(0.005)
    assert len(ticks) == 20
    holder.release()
    waiting.join()


def test_a_wait_can_be_interrupted(pool):
    class Alarm(Exception):
        pass

    def interrupt(*_):
        raise Alarm

    pool.root = [1]
    holder = Holder(pool)
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        for use in (
            lambda: pool.root,
            lambda: pool.__setitem__("a", 1),
            lambda: pool.transaction().begin(),
            lambda: pool.reading().__enter__(),
            lambda: pool.check(),
        ):
            threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1)).start()
            with pytest.raises(Alarm):
                use()
    finally:
        signal.signal(signal.SIGUSR1, before)
        holder.release()
    assert pool.root == [1]
    assert len(pool) == 0


def test_a_thread_that_ends_in_its_transaction_is_undone_by_the_next(pool):
    calls = []
    pool.root = [0]

    def begin_and_leave():
        transaction = pool.transaction()
        transaction.begin()
        transaction.on_commit(lambda: calls.append("commit"))
        transaction.on_abort(lambda: calls.append("abort"))
        pool.root.append(1)

    for use in (
        lambda: pool.root.append(2),
        lambda: len(pool.root),
        lambda: pool.transaction().__enter__().__exit__(None, None, None),
        lambda: pool.reading().__enter__().__exit__(None, None, None),
    ):
        thread = Worker(begin_and_leave)
        thread.join()
        use()
    assert pool.root == [0, 2]
    with pool.transaction():
        pool.root.append(3)
    assert calls == ["abort"] * len(calls)
    assert pool.root == [0, 2, 3]


def test_waits_that_would_never_end_are_refused(pool, folder):
    with nvm.open(folder / "other", size="64 MiB") as other:
        inside = threading.Barrier(2)
        outcomes = []

        def work(first, second):
            try:
                with first.transaction():
                    inside.wait(30)
                    with second.transaction():
                        second.root = 1
            except nvm.TransactionError as error:
                outcomes.append(error)

        for thread in (Worker(work, pool, other), Worker(work, other, pool)):
            thread.join()
        assert len(outcomes) == 1
        assert "deadlock" in str(outcomes[0])


def test_only_the_thread_that_began_can_end_a_transaction(pool):
    holder = Holder(pool)
    transaction = pool.transaction()
    for use in (transaction.commit, transaction.abort):
        with pytest.raises(nvm.TransactionError, match="outside of a transaction"):
            use()
    with pytest.raises(nvm.TransactionError):
        transaction.__exit__(None, None, None)
    holder.release()


def test_closing_is_refused_while_another_thread_is_in_a_transaction(pool):
    holder = Holder(pool, lambda: setattr(pool, "root", 1))
    with pytest.raises(nvm.TransactionError, match="another thread"):
        pool.close()
    assert not pool.closed
    holder.release()
    assert pool.root == 1
    pool.close()


def test_closing_in_the_middle_of_other_threads_work(pool):
    pool.root = [0] * 100
    failures = []
    running = threading.Barrier(5)

    def work():
        running.wait(30)
        try:
            while True:
                pool.root[0] = 1
                sum(pool.root)
        except nvm.PoolClosedError:
            pass
        except BaseException as error:
            failures.append(error)

    threads = [Worker(work) for _ in range(4)]
    running.wait(30)
    time.sleep(0.1)
    while not pool.closed:
        try:
            pool.close()
        except nvm.TransactionError:
            time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert failures == []


def test_many_threads_make_and_drop_proxies(pool):
    pool.root = [[i] for i in range(20)]

    def work():
        for i in range(2000):
            assert pool.root[i % 20][0] == i % 20

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in [Worker(work) for _ in range(6)]:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert [item[0] for item in pool.root] == list(range(20))


def test_a_long_encoding_can_be_interrupted(pool):
    class Alarm(Exception):
        pass

    def interrupt(*_):
        raise Alarm

    value = [[i] for i in range(500_000)]
    before = signal.signal(signal.SIGVTALRM, interrupt)
    try:
        with pytest.raises(Alarm):
            signal.setitimer(signal.ITIMER_VIRTUAL, 0.02)
            pool.root = value
            pytest.fail("not interrupted")
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    assert pool.root is None
