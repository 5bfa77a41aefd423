"""pool.gc(): cycles are found and freed, and nothing else is."""

import logging
import os
import signal
import threading
import time

import pytest

import nvm
from interpreter import collect as collect_python
from nvm.pmemobj import PersistentDict, PersistentList, PersistentObject


class Node(PersistentObject):
    pass


MAKERS = {
    "list": (lambda pool: pool.new(PersistentList), lambda a, b: a.append(b)),
    "dict": (lambda pool: pool.new(PersistentDict), lambda a, b: a.__setitem__("next", b)),
    "object": (lambda pool: pool.new(Node), lambda a, b: setattr(a, "next", b)),
}


def collected(pool):
    collect_python()
    return pool.gc()[1]["collections-gced"]


def make_ring(pool, kind, length):
    """Makes a ring of new objects and lets it go."""
    make, link = MAKERS[kind]
    with pool.transaction():
        first = last = make(pool)
        for _ in range(length - 1):
            following = make(pool)
            link(last, following)
            last = following
        link(last, first)


def objects(pool):
    return pool.stats()["objects"]


# ---- What is freed


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("length", [1, 2, 3, 1000])
def test_a_ring_is_freed(pool, kind, length):
    before = objects(pool)
    make_ring(pool, kind, length)
    assert collected(pool) == length
    assert objects(pool) == before
    assert collected(pool) == 0


@pytest.mark.parametrize("kind", MAKERS)
def test_a_ring_of_a_hundred_thousand_is_freed(open_pool, kind):
    pool = open_pool(size="256 MiB")
    make_ring(pool, kind, 100_000)
    assert collected(pool) == 100_000
    assert objects(pool) == 1


def test_what_a_cycle_owns_goes_with_it(pool):
    before = pool.stats()
    pool["a"] = {"text": "long " * 100, "list": [1, "also rather long"], "nested": [[], {}]}
    pool["a"]["self"] = pool["a"]
    del pool["a"]
    collect_python()
    types, counts = pool.gc()
    assert counts == {
        "containers-total": 6,
        "containers-live": 1,
        "other-total": 2,
        "other-live": 0,
        "orphans0-gced": 0,
        "orphans1-gced": 0,
        "collections-gced": 5,
    }
    assert types == {"dict": 1}
    after = pool.stats()
    assert after["objects"] == before["objects"]
    assert after["allocated_bytes"] - before["allocated_bytes"] <= 512  # the dict's first body


def test_cycles_through_tuples_and_frozensets(pool):
    node = pool.new(Node)
    node.items = (1, (node, [node]), frozenset({node, "a"}))
    pool["node"] = node
    del pool["node"]
    del node
    assert collected(pool) == 5
    assert objects(pool) == 1


def test_cycles_through_sets(pool):
    node = pool.new(Node)
    node.others = {node, (node, "a"), 5}
    pool["large"] = set(range(100))
    pool["large"].add(node)
    node.large = pool["large"]
    del pool["large"], node
    assert collected(pool) == 4
    assert objects(pool) == 1


def test_garbage_that_refers_to_live_data(pool):
    pool["live"] = {"name": "long enough for a block", "items": [1, 2]}
    for kind in MAKERS:
        make, link = MAKERS[kind]
        node = make(pool)
        link(node, node)
        if kind == "list":
            node.append(pool["live"])
        elif kind == "dict":
            node["live"] = pool["live"]
        else:
            node.live = pool["live"]
    del node
    assert collected(pool) == 3
    assert pool["live"] == {"name": "long enough for a block", "items": [1, 2]}
    del pool["live"]
    collect_python()
    pool.sync()
    assert objects(pool) == 1


def test_a_full_pool_can_be_collected(path):
    pool = nvm.open(path, "c", size="16 MiB", backend="memory")
    make_ring(pool, "list", 1000)
    make_ring(pool, "dict", 1000)
    make_ring(pool, "object", 1000)
    pool["ballast"] = []
    for size in (1 << 20, 1 << 16, 1 << 12, 1 << 8, 16):
        with pytest.raises(nvm.PoolFullError):
            while True:
                pool["ballast"].append("x" * size)
    assert collected(pool) == 3000
    pool["ballast"][0] = {}  # there is room again
    assert pool.check() == []
    pool.close()


def test_classes_are_told_by_their_names(pool):
    pool["node"] = pool.new(Node)
    pool["node"].text = "too long for a cell"
    pool["values"] = [2**70, b"too long for a cell", 1j, (1,), frozenset({1})]
    types, counts = pool.gc()
    name = f"{Node.__module__}:{Node.__qualname__}"
    assert types == {
        "dict": 1,
        "list": 1,
        name: 1,
        "tuple": 1,
        "frozenset": 1,
        "str": 1,
        "bytes": 1,
        "int": 1,
        "complex": 1,
    }
    assert counts["containers-live"] == 5
    assert counts["other-live"] == 4


def test_bytearrays_refer_to_nothing(pool):
    before = pool.gc()[1]
    pool["data"] = [bytearray(b"some bytes")]
    pool["data"].append(pool["data"])
    after = pool.gc()[1]
    assert after["containers-live"] == before["containers-live"] + 1
    assert after["other-live"] == before["other-live"] + 1
    del pool["data"]
    assert collected(pool) == 2
    assert pool.stats()["types"].get("bytearray") is None


# ---- What is kept


def test_a_proxy_keeps_its_cycle(pool):
    held = pool.new(PersistentList, [1])
    held.append({"back": held})
    assert collected(pool) == 0
    assert held[1]["back"] is held
    held.append(2)
    assert held[2] == 2
    del held
    assert collected(pool) == 2


def test_an_iterator_or_a_view_keeps_its_cycle(pool):
    pool["d"] = {"a": 1}
    pool["d"]["self"] = pool["d"]
    items = pool["d"].items()
    values = iter(pool["d"].values())
    del pool["d"]
    assert collected(pool) == 0
    assert len(items) == 2
    assert next(values) == 1
    del items
    assert collected(pool) == 0
    assert next(values)["a"] == 1
    del values
    assert collected(pool) == 1


def test_what_the_roots_lead_to_is_kept(pool):
    pool.root = [1]
    pool.root.append(pool.root)
    pool["a"] = {"root": pool.root}
    assert collected(pool) == 0
    assert pool.root[1] is pool.root
    pool.root = None
    assert collected(pool) == 0
    assert pool["a"]["root"][0] == 1
    del pool["a"]
    assert collected(pool) == 1


def test_it_is_durable(pool, reopen):
    make_ring(pool, "dict", 10)
    assert collected(pool) == 10
    pool = reopen(pool)
    assert objects(pool) == 1
    make_ring(pool, "dict", 10)
    pool = reopen(pool)
    assert collected(pool) == 10


# ---- When


def test_it_is_refused_inside_a_transaction_and_reading(pool):
    with pool.transaction():
        with pytest.raises(nvm.TransactionError, match="gc"):
            pool.gc()
    with pool.reading():
        with pytest.raises(nvm.TransactionError, match="reading"):
            pool.gc()


def test_it_is_refused_on_a_pool_for_reading(pool, open_pool):
    pool["a"] = 1
    pool.close()
    pool = open_pool("r")
    with pytest.raises(nvm.ReadOnlyError):
        pool.gc()


def test_it_waits_for_another_threads_transaction(pool):
    make_ring(pool, "list", 3)
    inside, leave = threading.Event(), threading.Event()

    def hold():
        with pool.transaction():
            pool["a"] = [[]]
            inside.set()
            leave.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    inside.wait(10)
    threading.Timer(0.2, leave.set).start()
    start = time.monotonic()
    assert collected(pool) == 3
    assert time.monotonic() - start > 0.1
    holder.join()
    assert pool["a"] == [[]]


def test_others_read_meanwhile_and_wait_to_write(open_pool):
    pool = open_pool(size="256 MiB")
    pool["data"] = [[number, str(number) * 10] for number in range(1000)]
    for _ in range(3):
        make_ring(pool, "list", 20_000)
    stop = threading.Event()
    failures = []
    rounds = [0, 0]

    def read():
        while not stop.is_set():
            rounds[0] += 1
            for number, (first, text) in enumerate(pool["data"][:50]):
                if first != number or text != str(number) * 10:
                    failures.append((number, first, text))

    def write():
        while not stop.is_set():
            rounds[1] += 1
            pool["counter"] = rounds[1]
            pool["cycle"] = []
            pool["cycle"].append(pool["cycle"])

    threads = [threading.Thread(target=read), threading.Thread(target=write)]
    for thread in threads:
        thread.start()
    try:
        total = sum(collected(pool) for _ in range(5))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert total >= 60_000
    assert min(rounds) > 0
    assert pool.check() == []


# ---- Progress, and being stopped


def test_progress_goes_from_nothing_to_all(pool):
    make_ring(pool, "list", 1000)
    collect_python()
    calls = []
    pool.gc(progress=lambda done, total: calls.append((done, total)))
    assert calls[0] == (0, 1001)
    assert calls[-1] == (1001, 1001)
    assert sorted(calls) == calls
    pool.gc(progress=True)
    with pytest.raises(TypeError, match="progress"):
        pool.gc(progress=3)


def test_an_exception_in_progress_ends_it_and_the_next_one_goes_on(open_pool):
    pool = open_pool(size="256 MiB")
    for _ in range(20):
        make_ring(pool, "list", 2000)
    calls = []

    def stop(done, total):
        calls.append(done)
        if len(calls) == 2:
            raise LookupError

    with pytest.raises(LookupError):
        pool.gc(progress=stop)
    assert pool.check() == []
    pool["a"] = 1
    collect_python()
    pool.gc()
    assert objects(pool) == 1


def test_a_signal_ends_it_between_two_steps(open_pool):
    class Alarm(Exception):
        pass

    def interrupt(*_):
        raise Alarm

    pool = open_pool(size="512 MiB")
    for _ in range(200):
        make_ring(pool, "list", 1000)
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        threading.Timer(0.15, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        with pytest.raises(Alarm):
            for _ in range(100):
                pool.gc()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert pool.check() == []
    collect_python()
    pool.gc()
    assert objects(pool) == 1


def test_progress_can_read_and_not_write(pool):
    make_ring(pool, "list", 3)
    pool["a"] = 5
    collect_python()
    errors = []

    def meddle(done, total):
        assert pool["a"] == 5
        for change in (
            lambda: pool.__setitem__("a", 6),
            lambda: pool.transaction().begin(),
            pool.gc,
            pool.check,
            pool.close,
        ):
            with pytest.raises(nvm.TransactionError) as caught:
                change()
            errors.append(caught.value)

    pool.gc(progress=meddle)
    assert len(errors) >= 10
    assert pool["a"] == 5
    assert objects(pool) == 1


# ---- Debugging


def test_debug_logs_what_was_met(pool, caplog):
    make_ring(pool, "object", 2)
    collect_python()
    with caplog.at_level(logging.DEBUG, "nvm"):
        pool.gc(debug=True)
    text = caplog.text
    assert text.count("garbage at offset") == 2
    assert f"{Node.__module__}:{Node.__qualname__}" in text
    assert "'collections-gced': 2" in text
    assert "WARNING" not in text


def test_debug_is_the_pools_by_default(path, caplog):
    with caplog.at_level(logging.DEBUG, "nvm"):
        with nvm.pmemobj.PersistentObjectPool(path, "c", debug=True) as pool:
            pool.gc(debug=False)
            assert caplog.text == ""
            pool.gc()
            assert "collection ended" in caplog.text
            caplog.clear()
    with caplog.at_level(logging.DEBUG, "nvm"):
        with nvm.open(path) as pool:
            pool.gc()
    assert caplog.text == ""
