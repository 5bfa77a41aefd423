"""The memory manager: blocks, references, and persistent types that lay out their own memory."""

from __future__ import annotations

import struct
import weakref
from typing import Any, Callable

import pytest

import nvm
from interpreter import collect
from nvm.pmemobj import OID_NULL, MemoryManager, PersistentList, PersistentObjectPool

Pool = PersistentObjectPool
Reopen = Callable[[Pool], Pool]
OID = struct.Struct("<QQ")


class LinkedList:
    """A singly linked list of texts: a head {first, count}, nodes {next, length, UTF-8}."""

    HEAD, NODE = 1, 2

    def __init__(self, *texts: str) -> None:
        for text in reversed(texts):
            self.push(text)

    def _p_new(self, manager: MemoryManager) -> tuple[int, int]:
        return manager.zalloc(OID.size + 8, type_num=self.HEAD)

    def _p_resurrect(self, manager: MemoryManager, oid: tuple[int, int]) -> None:
        pass

    def _p_traverse(self) -> list[tuple[int, int]]:
        return []

    def _p_substructures(self) -> list[tuple[int, tuple[int, int]]]:
        return [(self.NODE, oid) for oid, _ in self._nodes()]

    def _p_deallocate(self) -> None:
        while len(self):
            self.pop()

    def _read(self) -> tuple[tuple[int, int], int]:
        with self._p_mm.direct(self._p_oid) as head:
            pool_id, offset, count = struct.unpack("<QQQ", head)
        return (pool_id, offset), count

    def _write(self, first: tuple[int, int], count: int) -> None:
        with self._p_mm.direct(self._p_oid) as head:
            self._p_mm.snapshot_range(head, len(head))
            head[:] = struct.pack("<QQQ", *first, count)

    def _nodes(self) -> Any:
        at, _ = self._read()
        while at != OID_NULL:
            with self._p_mm.direct(at) as node:
                following = OID.unpack(node[: OID.size])
                text = bytes(node[OID.size :]).decode()
            yield at, text
            at = following

    def push(self, text: str) -> None:
        with self._p_mm.transaction():
            first, count = self._read()
            node = self._p_mm.alloc(OID.size + len(text.encode()), type_num=self.NODE)
            with self._p_mm.direct(node) as memory:
                memory[:] = OID.pack(*first) + text.encode()
            self._write(node, count + 1)

    def pop(self) -> str:
        with self._p_mm.transaction():
            first, count = self._read()
            with self._p_mm.direct(first) as memory:
                following = OID.unpack(memory[: OID.size])
                text = bytes(memory[OID.size :]).decode()
            self._p_mm.free(first)
            self._write(following, count - 1)
        return text

    def __iter__(self) -> Any:
        return (text for _, text in self._nodes())

    def __len__(self) -> int:
        return self._read()[1]


class Ring:
    """A ring of the last few objects put into it: a block {next, capacity, oids}."""

    def __init__(self, capacity: int = 4) -> None:
        with self._p_mm.transaction():
            buffer = self._p_mm.zalloc(OID.size * capacity, type_num=11)
            with self._p_mm.direct(self._p_oid) as head:
                head[:] = struct.pack("<QQQQ", 0, capacity, *buffer)

    def _p_new(self, manager: MemoryManager) -> None:
        self._p_oid = manager.zalloc(32, type_num=10)

    def _p_resurrect(self, manager: MemoryManager, oid: tuple[int, int]) -> None:
        self.resurrected = True

    def _p_traverse(self) -> list[tuple[int, int]]:
        return [oid for oid in self._oids() if oid != OID_NULL]

    def _p_substructures(self) -> list[tuple[int, tuple[int, int]]]:
        return [(11, self._head()[1])] if self._head()[1] != OID_NULL else []

    def _p_deallocate(self) -> None:
        for oid in self._oids():
            self._p_mm.xdecref(oid)
        _, buffer = self._head()
        self._p_mm.free(buffer)
        with self._p_mm.direct(self._p_oid) as head:
            self._p_mm.snapshot_range(head)
            head[8:] = struct.pack("<QQQ", 0, *OID_NULL)

    def _head(self) -> tuple[tuple[int, int], tuple[int, int]]:
        with self._p_mm.direct(self._p_oid) as head:
            words = struct.unpack("<QQQQ", head)
        return words[:2], words[2:]

    def _oids(self) -> list[tuple[int, int]]:
        (_, capacity), buffer = self._head()
        if capacity == 0:
            return []
        with self._p_mm.direct(buffer) as memory:
            return [OID.unpack_from(memory, OID.size * i) for i in range(capacity)]

    def put(self, value: Any) -> None:
        with self._p_mm.transaction():
            (at, capacity), buffer = self._head()
            oid = self._p_mm.persist(value)
            self._p_mm.incref(oid)
            with self._p_mm.direct(buffer) as memory:
                place = memory[OID.size * at : OID.size * (at + 1)]
                self._p_mm.snapshot_range(place)
                self._p_mm.xdecref(OID.unpack(place))
                place[:] = OID.pack(*oid)
                place.release()
            with self._p_mm.direct(self._p_oid) as head:
                self._p_mm.snapshot_range(head, 8)
                head[:8] = struct.pack("<Q", (at + 1) % capacity)

    def __iter__(self) -> Any:
        (at, capacity), _ = self._head()
        oids = self._oids()
        for i in range(capacity):
            oid = oids[(at + i) % capacity]
            if oid != OID_NULL:
                yield self._p_mm.resurrect(oid)


class Cut(Exception):
    pass


# ---- A linked list


def test_a_linked_list_lives_in_the_pool(pool: Pool, reopen: Reopen) -> None:
    pool["l"] = pool.new(LinkedList, "one", "two", "three")
    assert list(pool["l"]) == ["one", "two", "three"]
    pool = reopen(pool)
    words = pool["l"]
    assert isinstance(words, LinkedList)
    assert list(words) == ["one", "two", "three"]
    assert words.pop() == "one"
    words.push("zwölf")
    assert list(pool["l"]) == ["zwölf", "two", "three"]
    assert pool["l"] is words
    pool = reopen(pool)
    assert list(pool["l"]) == ["zwölf", "two", "three"]


def test_an_abort_restores_a_linked_list(pool: Pool, reopen: Reopen) -> None:
    pool["l"] = pool.new(LinkedList, "a", "b")
    blocks = pool.stats()["objects"]
    with pytest.raises(Cut), pool.transaction():
        pool["l"].pop()
        pool["l"].push("x")
        pool["l"].push("y")
        raise Cut
    assert list(pool["l"]) == ["a", "b"]
    assert pool.stats()["objects"] == blocks
    pool = reopen(pool)
    assert list(pool["l"]) == ["a", "b"]


def test_a_dropped_linked_list_frees_its_nodes(pool: Pool) -> None:
    pool.sync()
    before = pool.stats()["allocated_bytes"]
    pool["l"] = pool.new(LinkedList, *map(str, range(50)))
    assert pool.stats()["allocated_bytes"] > before
    del pool["l"]
    collect()
    pool.sync()
    # What is left is the table of classes.
    assert pool.stats()["allocated_bytes"] - before < 500
    assert pool.check() == []


def test_what_nothing_refers_to_is_freed_by_the_next_process(pool: Pool, reopen: Reopen) -> None:
    pool["l"] = pool.new(LinkedList, "a", "b")
    pool.sync()
    words = pool["l"]
    del pool["l"]
    assert list(words) == ["a", "b"]
    before = pool.stats()["allocated_bytes"]
    pool = reopen(pool)
    del words
    collect()
    pool.sync()
    assert pool.stats()["allocated_bytes"] < before


# ---- A ring of references


def test_a_ring_refers_to_other_objects(pool: Pool, reopen: Reopen) -> None:
    pool["ring"] = pool.new(Ring, 3)
    shared = pool.new(PersistentList, [1])
    for value in (shared, {"k": 2}, "text", shared):
        pool["ring"].put(value)
    pool["shared"] = shared
    assert [plain(item) for item in pool["ring"]] == [{"k": 2}, ("text",), [1]]
    pool = reopen(pool)
    pool["shared"].append(2)
    assert [plain(item) for item in pool["ring"]] == [{"k": 2}, ("text",), [1, 2]]
    assert pool["ring"].resurrected
    del pool["shared"]
    collect()
    assert [plain(item) for item in pool["ring"]][-1] == [1, 2]


def test_a_dropped_ring_lets_its_objects_go(pool: Pool) -> None:
    pool["ring"] = pool.new(Ring, 2)
    kept = pool.new(PersistentList, ["kept"])
    pool["kept"] = kept
    pool["ring"].put(kept)
    pool["ring"].put(["gone"])
    before = pool.stats()["types"]["list"]["count"]
    del pool["ring"]
    collect()
    pool.sync()
    assert pool.stats()["types"]["list"]["count"] == before - 1
    assert pool["kept"] == ["kept"]
    assert pool.check() == []


def test_rings_hold_lists_and_lists_hold_rings(pool: Pool, reopen: Reopen) -> None:
    ring = pool.new(Ring, 2)
    ring.put([1])
    pool["all"] = [ring, {"again": ring}]
    assert pool["all"][0] is ring
    assert pool["all"][1]["again"] is ring
    pool = reopen(pool)
    assert pool["all"][0] is pool["all"][1]["again"]
    assert [plain(item) for item in pool["all"][0]] == [[1]]


def test_rings_that_hold_one_another_are_collected(pool: Pool) -> None:
    first, second = pool.new(Ring, 2), pool.new(Ring, 2)
    kept = pool["kept"] = pool.new(Ring, 2)
    kept.put([1])
    first.put(second)
    first.put(kept)
    second.put(first)
    pool["list"] = [first]
    second.put(pool["list"])
    before = pool.stats()["objects"]
    del pool["list"], first, second
    collect()
    assert pool.gc()[1]["collections-gced"] == 3
    collect()
    pool.sync()
    assert pool.stats()["objects"] == before - 3
    assert [plain(item) for item in pool["kept"]] == [[1]]
    assert pool.check() == []
    assert pool.gc()[1]["collections-gced"] == 0


def test_a_class_that_is_not_there_keeps_gc_from_freeing(pool: Pool, reopen: Reopen) -> None:
    here = globals()
    pool["ring"] = pool.new(Ring, 2)
    pool["ring"].put([1])
    pool["cycle"] = []
    pool["cycle"].append(pool["cycle"])
    del pool["cycle"]
    pool = reopen(pool)
    ring = here.pop("Ring")
    try:
        with pytest.raises(nvm.ClassNotFoundError, match="Ring"):
            pool["ring"]
        with pytest.raises(nvm.ClassNotFoundError, match="Ring"):
            pool.gc()
        assert pool.check() == []
        assert "cycle" not in pool
    finally:
        here["Ring"] = ring
    assert pool.gc()[1]["collections-gced"] == 1
    assert [plain(item) for item in pool["ring"]] == [[1]]


def plain(item: Any) -> Any:
    return item.to_python()


# ---- Blocks


def test_blocks_keep_their_bytes(pool: Pool, reopen: Reopen) -> None:
    manager = pool._p_mm
    oid = manager.alloc(1000, type_num=7)
    with manager.direct(oid) as memory:
        assert len(memory) == 1000
        assert not memory.readonly
        memory[:] = bytes(range(250)) * 4
    zeros = manager.zalloc(64)
    assert bytes(manager.direct(zeros)) == bytes(64)
    pool = reopen(pool)
    assert bytes(pool._p_mm.direct(oid)) == bytes(range(250)) * 4
    assert pool._p_mm is not manager
    assert pool._p_mm is pool._p_mm
    assert pool.new(PersistentList)._p_mm is pool._p_mm


def test_realloc_keeps_what_fits(pool: Pool) -> None:
    manager = pool._p_mm
    oid = manager.alloc(10)
    with manager.direct(oid) as memory:
        memory[:] = b"0123456789"
    longer = manager.zrealloc(oid, 5000)
    assert bytes(manager.direct(longer)) == b"0123456789" + bytes(4990)
    shorter = manager.realloc(longer, 4, type_num=3)
    assert bytes(manager.direct(shorter)) == b"0123"
    fresh = manager.realloc(OID_NULL, 8)
    manager.free(fresh)
    manager.free(shorter)
    manager.free(OID_NULL)


def test_references_free_a_block(pool: Pool) -> None:
    manager = pool._p_mm
    oid = manager.alloc(100)
    manager.incref(oid)
    manager.incref(oid)
    manager.decref(oid)
    assert len(manager.direct(oid)) == 100
    manager.decref(oid)
    with pytest.raises(ValueError, match="no block"):
        manager.direct(oid)
    manager.xdecref(OID_NULL)


def test_allocations_of_an_aborted_transaction_are_gone(pool: Pool) -> None:
    manager = pool._p_mm
    with pytest.raises(Cut), manager.transaction():
        oid = manager.alloc(100)
        manager.direct(oid)[:4] = b"abcd"
        raise Cut
    with pytest.raises(ValueError, match="no block"):
        manager.direct(oid)


def test_snapshots_are_restored(pool: Pool) -> None:
    manager = pool._p_mm
    oid = manager.zalloc(100)
    memory = manager.direct(oid)
    with pytest.raises(Cut), manager.transaction():
        manager.snapshot_range(memory[10:30])
        memory[10:30] = b"x" * 20
        raise Cut
    assert bytes(memory) == bytes(100)
    with manager.transaction():
        manager.snapshot_range(memory, 5)
        memory[:5] = b"abcde"
    assert bytes(memory[:6]) == b"abcde\0"


def test_a_view_outlives_growth_and_close(pool: Pool) -> None:
    manager = pool._p_mm
    oid = manager.zalloc(100)
    memory = manager.direct(oid)
    pool["large"] = [b"x" * 100_000 for _ in range(200)]
    memory[:3] = b"abc"
    assert bytes(manager.direct(oid)[:3]) == b"abc"
    pool.close()
    assert bytes(memory[:3]) == b"abc"
    memory[:3] = b"xyz"


# ---- What is refused


def test_an_exported_block_stays(pool: Pool) -> None:
    manager = pool._p_mm
    oid = manager.alloc(100)
    memory = manager.direct(oid)
    for refused in (manager.free, manager.decref, lambda oid: manager.realloc(oid, 10)):
        manager.incref(oid)
        with pytest.raises(BufferError, match="Existing exports"):
            refused(oid)
    memory.release()
    manager.free(oid)


@pytest.mark.parametrize("size", [-1, 2**63, 2**64, 2**70])
def test_impossible_sizes_are_refused(pool: Pool, size: int) -> None:
    with pytest.raises(ValueError):
        pool._p_mm.alloc(size)
    with pytest.raises(ValueError):
        pool._p_mm.zalloc(8, type_num=-1)
    with pytest.raises((ValueError, nvm.PoolFullError)):
        pool._p_mm.alloc(2**40)
    with pytest.raises(TypeError):
        pool._p_mm.alloc(1.5)  # type: ignore[arg-type]


def test_wrong_oids_are_refused(pool: Pool) -> None:
    manager = pool._p_mm
    pool["l"] = [1]
    oid = manager.alloc(100)
    pool_id = oid[0]
    for offset in (0, 1, 8, oid[1] + 8, oid[1] + 16, 2**40, 2**63, pool.size, pool["l"]._p_oid[1]):
        for use in (manager.direct, manager.free, lambda oid: manager.realloc(oid, 1)):
            if (pool_id, offset) == OID_NULL:
                continue
            with pytest.raises(ValueError):
                use((pool_id, offset))
    for use in (manager.direct, manager.incref, manager.decref, manager.otuple, manager.resurrect):
        with pytest.raises(ValueError, match="another pool"):
            use((pool_id + 1, oid[1]))
        for wrong in (5, "ab", (1,), (1, 2, 3), ("a", "b"), None):
            with pytest.raises((TypeError, ValueError)):
                use(wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        manager.decref(oid)
    with pytest.raises(ValueError):
        manager.resurrect(oid)


def test_snapshots_belong_into_a_transaction_and_to_the_pool(pool: Pool) -> None:
    manager = pool._p_mm
    memory = manager.direct(manager.alloc(100))
    with pytest.raises(nvm.TransactionError, match="outside of a transaction"):
        manager.snapshot_range(memory)
    with manager.transaction():
        with pytest.raises(ValueError, match="beyond the end"):
            manager.snapshot_range(memory, 101)
        with pytest.raises(ValueError, match="direct"):
            manager.snapshot_range(memoryview(bytearray(10)))
        with pytest.raises(TypeError):
            manager.snapshot_range(5)  # type: ignore[arg-type]


def test_an_object_of_another_pool_is_refused(pool: Pool, folder: Any) -> None:
    with nvm.open(folder / "other", size="32 MiB", backend="memory") as other:
        words = other.new(LinkedList, "a")
        with pytest.raises(TypeError, match="another pool"):
            pool["l"] = words
        with pytest.raises(TypeError, match="not made by a pool"):
            pool["l"] = LinkedList.__new__(LinkedList)
    assert "l" not in pool


def test_a_stale_object_is_refused(pool: Pool) -> None:
    with pytest.raises(Cut), pool.transaction():
        words = pool.new(LinkedList, "a")
        raise Cut
    with pytest.raises(nvm.StaleObjectError):
        pool["l"] = words
    assert pool.check() == []


def test_a_constructor_that_raises_leaves_nothing(pool: Pool) -> None:
    class Raising(LinkedList):
        def __init__(self) -> None:
            super().__init__("a", "b")
            raise Cut

    pool.sync()
    before = pool.stats()["allocated_bytes"]
    with pytest.raises(Cut):
        pool.new(Raising)
    assert pool.stats()["allocated_bytes"] == before
    assert pool.check() == []


def test_a_closed_pool_gives_no_memory(pool: Pool) -> None:
    manager = pool._p_mm
    oid = manager.alloc(8)
    pool.close()
    for use in (
        lambda: manager.alloc(8),
        lambda: manager.direct(oid),
        lambda: manager.free(oid),
        lambda: manager.incref(oid),
        lambda: manager.resurrect(oid),
        lambda: manager.transaction(),
    ):
        with pytest.raises(nvm.PoolClosedError):
            use()


def test_instances_are_weakly_held(pool: Pool) -> None:
    pool["l"] = pool.new(LinkedList, "a")
    words = pool["l"]
    reference = weakref.ref(words)
    del words
    collect()
    assert reference() is None
    assert list(pool["l"]) == ["a"]
