import collections.abc
import contextlib
import copy
import os
import pickle
import subprocess
import sys
import threading
import weakref

import pytest

import nvm
from interpreter import collect
from nvm import pmemobj
from nvm.pmemobj import PersistentDict, PersistentList

# ---- What a pool tells of itself


def test_attributes_of_an_open_pool(pool, path):
    assert pool.filename == str(path)
    assert pool.closed is False
    assert pool.flag == "c"
    assert pool.backend == os.environ.get("NVM_TEST_BACKEND", "memory")
    assert 0 < pool.size <= pool.limit
    assert "open" in repr(pool)
    assert str(path) in repr(pool)


def test_attributes_cannot_be_assigned(pool):
    for name in ("filename", "closed", "flag", "backend", "size", "limit", "debug"):
        with pytest.raises(AttributeError):
            setattr(pool, name, 1)
    with pytest.raises(AttributeError):
        del pool.root


def test_a_pool_is_true_hashable_and_equal_only_to_itself(pool, folder):
    with nvm.open(folder / "other", size="64 MiB") as other:
        assert len(pool) == len(other) == 0
        assert pool
        assert pool == pool
        assert pool != other
        assert len({pool, other, pool}) == 2


def test_a_pool_cannot_be_copied_or_pickled(pool):
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError):
            pickle.dumps(pool, protocol)
    with pytest.raises(TypeError):
        copy.copy(pool)
    with pytest.raises(TypeError):
        copy.deepcopy(pool)


def test_a_pool_class_can_be_derived_from(path):
    class Registry(pmemobj.PersistentObjectPool):
        """With an attribute of its own."""

        def __init__(self, filename):
            super().__init__(filename, "c")
            self.hits = 0

    with Registry(path) as registry:
        registry["a"] = 1
        assert registry.hits == 0
        assert isinstance(registry, pmemobj.PersistentObjectPool)
        assert registry["a"] == 1


# ---- The root


def test_the_root_of_a_new_pool_is_none(pool):
    assert pool.root is None


def test_the_root_holds_anything_and_survives(pool, reopen):
    for value in (10, "text", [1, [2]], {"a": {"b": 1}}, (1, [2]), None, frozenset({1})):
        pool.root = value
        assert pool.root == value
        pool = reopen(pool)
        assert pool.root == value


def test_a_container_as_root_is_the_same_object_each_time(pool):
    pool.root = []
    root = pool.root
    assert type(root) is PersistentList
    assert pool.root is root
    pool.root.append(1)
    assert root == [1]


def test_root_and_mapping_are_apart(pool):
    pool.root = {"a": 1}
    pool["b"] = 2
    assert dict(pool) == {"b": 2}
    assert pool.root == {"a": 1}


# ---- new


def test_new_makes_objects_that_are_freed_unless_referred_to(pool):
    before = pool.stats()["objects"]
    made = pool.new(PersistentList, [1, 2])
    assert made == [1, 2]
    kept = pool.new(PersistentDict, {"a": 1}, b=2)
    pool.root = kept
    del made
    collect()
    pool.sync()
    assert pool.stats()["objects"] == before + 1
    assert pool.root is kept
    assert pool.root == {"a": 1, "b": 2}


def test_new_refuses_other_types(pool):
    for type_ in (list, dict, int, 3, None, object):
        with pytest.raises(TypeError, match="PersistentList"):
            pool.new(type_)
    with pytest.raises(TypeError):
        pool.new()
    with pytest.raises(TypeError):
        pool.new(PersistentList, 1, 2)
    with pytest.raises(TypeError):
        pool.new(PersistentList, 1)


# ---- The mapping


def test_a_pool_is_a_mapping(pool, reopen):
    assert isinstance(pool, collections.abc.MutableMapping)
    pool["users"] = {}
    pool["users"]["ada"] = 1815
    pool[1, 2] = "pair"
    pool.update({"x": 1}, y=2)
    pool = reopen(pool)
    assert list(pool) == ["users", (1, 2), "x", "y"]
    assert list(reversed(pool)) == ["y", "x", (1, 2), "users"]
    assert len(pool) == 4
    assert "users" in pool
    assert "ada" not in pool
    assert pool["users"] == {"ada": 1815}
    assert pool["users"] is pool["users"]
    assert pool.get("absent") is None
    assert pool.get("absent", 3) == 3
    assert pool.setdefault("x", 7) == 1
    assert pool.setdefault("z", 7) == 7
    assert pool.pop("z") == 7
    assert pool.pop("z", 8) == 8
    assert pool.popitem() == ("y", 2)
    assert list(pool.keys()) == ["users", (1, 2), "x"]
    assert list(pool.values()) == [{"ada": 1815}, "pair", 1]
    assert list(pool.items())[2] == ("x", 1)
    assert dict(pool) == {"users": {"ada": 1815}, (1, 2): "pair", "x": 1}
    del pool["x"]
    pool.clear()
    assert len(pool) == 0


def test_absent_keys_are_key_errors(pool):
    for operation in (
        lambda: pool["absent"],
        lambda: pool.pop("absent"),
        lambda: pool.__delitem__("absent"),
    ):
        with pytest.raises(KeyError) as caught:
            operation()
        assert caught.value.args == ("absent",)
    with pytest.raises(KeyError):
        pool.popitem()


def test_unhashable_keys_are_type_errors(pool):
    with pytest.raises(TypeError, match="unhashable"):
        pool[[]]
    with pytest.raises(TypeError, match="unhashable"):
        pool[[]] = 1


# ---- check and stats


def test_check_of_a_sound_pool_finds_nothing(pool):
    pool["a"] = [{"b": (1, "two" * 10, [3.5])}] * 10
    calls = []
    assert pool.check(progress=lambda done, total: calls.append((done, total))) == []
    assert all(done <= total for done, total in calls)
    assert pool.check(progress=True) == []
    with pytest.raises(TypeError, match="progress"):
        pool.check(progress=3)


def test_check_is_not_for_the_middle_of_a_transaction(pool):
    with pool.transaction():
        with pytest.raises(nvm.TransactionError, match="check"):
            pool.check()


def test_an_exception_in_progress_reaches_the_caller(pool):
    pool["a"] = [[i] for i in range(100_000)]

    def stop(done, total):
        raise LookupError

    with pytest.raises(LookupError):
        pool.check(progress=stop)
    pool["b"] = 1


def test_stats_count_by_type(pool):
    before = pool.stats()
    pool["list"] = [[], [], {}]
    after = pool.stats()
    assert after["objects"] - before["objects"] == 4
    assert after["types"]["list"]["count"] == 3
    assert after["types"]["dict"]["count"] - before["types"]["dict"]["count"] == 1
    assert after["size"] == pool.size
    assert after["limit"] == pool.limit
    assert 0 < after["allocated_bytes"] < pool.size


class Counted(nvm.pmemobj.PersistentObject):
    pass


def test_stats_tell_what_objects_take_with_all_they_own(pool):
    pool["list"] = ["x" * 5000, "y" * 5000]
    pool["thing"] = pool.new(Counted)
    pool["thing"].text = "z" * 3000
    stats = pool.stats()
    assert 10_000 < stats["types"]["list"]["bytes"] < 11_500
    name = f"{Counted.__module__}:{Counted.__qualname__}"
    assert stats["types"][name]["count"] == 1
    assert 3000 < stats["types"][name]["bytes"] < 3500
    owned = sum(each["bytes"] for each in stats["types"].values())
    assert owned <= stats["allocated_bytes"]


def test_stats_tell_how_fragmented_the_heap_is(pool):
    pool["list"] = ["a text in a block of its own" for _ in range(10_000)]
    before = pool.stats()
    del pool["list"][::2]
    after = pool.stats()
    assert after["free_bytes"] == after["free_in_chunks"] + after["free_in_runs"]
    assert after["free_in_runs"] - before["free_in_runs"] >= 5000 * 32
    assert 0 < before["run_unused"] < after["run_unused"] < 1
    assert after["largest_free"] <= after["free_in_chunks"]


def test_stats_tell_of_leaks_if_asked(pool):
    assert "leaks" not in pool.stats()
    assert pool.stats(leaks=True)["leaks"] == {"count": 0, "bytes": 0}
    with pool.transaction():
        pool["a"] = 1
        assert pool.stats()["types"]["dict"]["count"] == 1
        with pytest.raises(nvm.TransactionError):
            pool.stats(leaks=True)
    with pool.reading():
        assert pool.stats()["types"]["dict"]["count"] == 1


# ---- Closing


def test_closing_twice_is_fine(path):
    pool = nvm.open(path, size="64 MiB")
    pool.close()
    pool.close()
    assert pool.closed
    assert "closed" in repr(pool)


def test_a_with_block_closes(path):
    with nvm.open(path, size="64 MiB") as pool:
        pool.root = 1
    assert pool.closed
    with pytest.raises(LookupError), nvm.open(path) as pool:
        raise LookupError
    assert pool.closed


def test_a_dropped_pool_is_closed(path):
    pool = nvm.open(path, size="64 MiB")
    pool["list"] = [1]
    del pool
    collect()
    with nvm.open(path) as pool:
        assert pool["list"] == [1]


def test_objects_keep_their_pool_open(path):
    held = nvm.open(path, size="64 MiB")
    held["list"] = [1]
    held = held["list"]
    collect()
    assert held == [1]
    with pytest.raises(nvm.PoolLockedError):
        nvm.open(path)
    held = None
    collect()
    nvm.open(path).close()


def test_a_pool_in_a_cycle_is_collected(path):
    class Holder:
        pass

    holder = Holder()
    holder.pool = nvm.open(path, size="64 MiB")
    holder.pool["list"] = []
    holder.list = holder.pool["list"]
    holder.self = holder
    alive = weakref.ref(holder)
    del holder
    collect()
    assert alive() is None
    nvm.open(path).close()


def test_weak_references_to_pools_and_objects(pool):
    pool["list"] = []
    held = pool["list"]
    called = []
    reference = weakref.ref(held, called.append)
    assert reference() is held
    assert weakref.ref(pool)() is pool
    del held
    collect()
    assert reference() is None
    assert called == [reference]
    assert pool["list"] == []


def test_a_weakref_callback_can_ask_for_the_dying_object(pool):
    pool["list"] = [1]
    seen = []
    held = pool["list"]
    reference = weakref.ref(held, lambda _: seen.append(pool["list"]))
    del held
    collect()
    assert reference() is None
    assert seen == [[1]]
    assert seen[0] is pool["list"]


METHODS = {
    "root": lambda pool: pool.root,
    "set root": lambda pool: setattr(pool, "root", 1),
    "backend": lambda pool: pool.backend,
    "size": lambda pool: pool.size,
    "limit": lambda pool: pool.limit,
    "new": lambda pool: pool.new(PersistentList),
    "transaction": lambda pool: pool.transaction(),
    "reading": lambda pool: pool.reading(),
    "check": lambda pool: pool.check(),
    "repair": lambda pool: pool.check(repair=True),
    "stats": lambda pool: pool.stats(),
    "sync": lambda pool: pool.sync(),
    "with": lambda pool: pool.__enter__(),
    "len": len,
    "iter": iter,
    "reversed": reversed,
    "getitem": lambda pool: pool["list"],
    "setitem": lambda pool: pool.__setitem__("a", 1),
    "delitem": lambda pool: pool.__delitem__("list"),
    "contains": lambda pool: "list" in pool,
    "keys": lambda pool: pool.keys(),
    "values": lambda pool: pool.values(),
    "items": lambda pool: pool.items(),
    "get": lambda pool: pool.get("list"),
    "pop": lambda pool: pool.pop("list"),
    "popitem": lambda pool: pool.popitem(),
    "setdefault": lambda pool: pool.setdefault("list"),
    "update": lambda pool: pool.update(a=1),
    "clear": lambda pool: pool.clear(),
}


@pytest.mark.parametrize("method", METHODS)
def test_a_closed_pool_refuses_everything(pool, method):
    pool["list"] = [1]
    pool.close()
    with pytest.raises(nvm.PoolClosedError):
        METHODS[method](pool)
    assert pool.closed


def test_objects_views_iterators_and_transactions_of_a_closed_pool_refuse(pool):
    pool["list"] = [1, 2]
    held = pool["list"]
    list_iterator, key_iterator, keys = iter(held), iter(pool), pool.keys()
    transaction, reading = pool.transaction(), pool.reading()
    things = [
        lambda: len(held),
        lambda: held[0],
        lambda: held.append(1),
        lambda: next(list_iterator),
        lambda: next(key_iterator),
        lambda: list(keys),
        transaction.begin,
        transaction.__enter__,
        transaction.commit,
        transaction.abort,
        lambda: transaction.on_commit(print),
        reading.__enter__,
    ]
    pool.close()
    for use in things:
        with pytest.raises(nvm.PoolClosedError):
            use()


def test_another_thread_is_refused_as_well(pool):
    held = pool.new(PersistentList)
    pool.close()
    caught = []

    def use():
        try:
            held.append(1)
        except nvm.PoolClosedError as error:
            caught.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert len(caught) == 1


def test_a_value_cannot_close_the_pool_it_is_stored_in(pool):
    class Closing:
        def __eq__(self, other):
            pool.close()
            return False

    pool["list"] = [1, 2, 3]
    with contextlib.suppress(nvm.PoolClosedError):
        pool["list"].index(Closing())
    assert pool.closed


# ---- At the interpreter's exit

EXIT = """
import sys, threading, time, nvm
pool = nvm.open(sys.argv[1], "c", size="64 MiB", backend="memory")
pool.root = [1, 2, {"a": 3}]
class Cycle:
    def __del__(self):
        self.held = None
cycle = Cycle()
cycle.held = pool.root[2]
cycle.self = cycle
held = pool.root
"""

ENDINGS = {
    "plain": "",
    "sys.exit in a transaction": """
with pool.transaction():
    pool.root.append(4)
    sys.exit(0)
""",
    "an open transaction": """
transaction = pool.transaction()
transaction.begin()
pool.root.append(4)
""",
    "a daemon thread in a transaction": """
begun = threading.Event()
def work():
    with pool.transaction():
        pool.root.append(4)
        begun.set()
        time.sleep(3600)
threading.Thread(target=work, daemon=True).start()
begun.wait()
""",
    "daemon threads that wait": """
begun = threading.Event()
def work():
    begun.set()
    pool.root.append(4)
transaction = pool.transaction()
transaction.begin()
for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
begun.wait()
time.sleep(0.1)
""",
    "daemon threads at work": """
def work():
    while True:
        pool.root[0] = 1
        len(pool.root[2])
for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.1)
""",
    "a daemon thread that reads": """
begun = threading.Event()
def work():
    with pool.reading():
        begun.set()
        time.sleep(3600)
threading.Thread(target=work, daemon=True).start()
begun.wait()
""",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_interpreter_exits_with_the_pool_open(path, ending):
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", EXIT + ENDINGS[ending], str(path)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    with nvm.open(path, "w") as pool:
        assert pool.root == [1, 2, {"a": 3}]
        assert pool.check() == []


def test_an_exit_handler_can_wait_for_a_thread_at_work(path):
    code = """
import atexit, sys, threading, time
def wait():
    worker.join(30)
    print("joined", not worker.is_alive())
atexit.register(wait)
import nvm
pool = nvm.open(sys.argv[1], "c", backend="memory")
pool.root = [1]
def work():
    while True:
        time.sleep(0.01)  # a pool that is in use just then stays open
        try:
            pool.root[0] = 1
        except nvm.PoolClosedError:
            break
worker = threading.Thread(target=work, daemon=True)
worker.start()
time.sleep(0.1)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("joined True\n", "")
