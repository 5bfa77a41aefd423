"""pool.check(repair=True) puts right what it can, says so, and touches nothing else."""

import os
import struct
from pathlib import Path

import pytest

import nvm
from fuzz import layout
from interpreter import collect

TEXT = "a text in a block of its own"
NONE = 1  # as a cell


class File:
    """A pool's file, while nobody has it open."""

    def __init__(self, path):
        self.path = path
        self.data = bytearray(path.read_bytes())

    def __getitem__(self, offset):
        return layout.word_at(self.data, offset)

    def __setitem__(self, offset, word):
        struct.pack_into("<Q", self.data, offset, word)

    def place_of(self, word):
        """The one place that holds it."""
        packed = struct.pack("<Q", word)
        assert self.data.count(packed) == 1
        return self.data.index(packed)

    def clear_index(self, table):
        word = self[self[table + 8] + 16]
        index, slots = word & layout.OFFSET_MASK, (1 << (word >> layout.OFFSET_BITS)) - 2
        self.data[index : index + 8 * slots] = bytes(8 * slots)

    @property
    def limbo(self):
        return self[layout.root_object(self.data) + layout.LIMBO] + 16


@pytest.fixture
def spoil(path, open_pool):
    """Closes a pool, lets a function change its file, and opens it again."""

    def spoil(pool, change):
        pool.close()
        file = File(path)
        change(file)
        path.write_bytes(file.data)
        return open_pool("w")

    return spoil


def offset_of(obj):
    return obj._p_oid[1]


def reference_to(obj):
    return layout.OBJECT_CELL << layout.OFFSET_BITS | offset_of(obj)


def repaired(pool):
    """The words of all that was wrong, of which all must have been repaired."""
    found = pool.check(repair=True)
    assert found
    assert all(finding.repaired and not finding.kept for finding in found)
    assert pool.check() == []
    return [finding.repaired for finding in found]


def lose(pool, spoil, value):
    """A list that nothing refers to any more, with its count still 1."""
    pool["lost"] = [value]
    reference = reference_to(pool["lost"][0])
    return spoil(pool, lambda file: file.__setitem__(file.place_of(reference), NONE))


# ---- What is repaired


def test_a_sound_pool_is_left_as_it_is(pool, path):
    pool["a"] = [{"b": dict.fromkeys(range(50), TEXT), "c": {1, 2}}]
    assert pool.check() == []
    journal = Path(f"{path}.journal")

    def content():
        return path.read_bytes(), journal.exists() and journal.read_bytes()

    before = content()
    assert pool.check(repair=True) == []
    assert content() == before


@pytest.mark.parametrize("wrong", [0, 5])
def test_reference_counts(pool, spoil, wrong):
    pool["a"] = [[TEXT]]
    offset = offset_of(pool["a"][0])
    pool = spoil(pool, lambda file: file.__setitem__(offset, wrong))
    (finding,) = pool.check()
    assert (finding.kind, finding.path, finding.repaired) == ("count", 'pool["a"][0]', "")
    assert repaired(pool) == ["the reference count is 1"]
    assert pool["a"] == [[TEXT]]
    del pool["a"]
    collect()
    assert "list" not in pool.gc()[0]


def test_an_object_that_nothing_refers_to(pool, spoil):
    pool["lost"] = None
    before = pool.stats()["allocated_bytes"]
    pool = lose(pool, spoil, [TEXT, {"key": TEXT}])
    assert repaired(pool) == ["the reference count is 0, and the object is let go"]
    pool["lost"] = None
    assert pool.stats()["allocated_bytes"] == before


def test_large_values_that_nothing_owns(pool, spoil):
    pool["a"] = [TEXT, 2**200, b"x" * 5_000_000]
    before = pool.stats()["blobs"]
    offset = offset_of(pool["a"])

    def lose_all(file):
        body = file[offset + 16]
        for item in range(3):
            file[body + 8 + 8 * item] = NONE

    pool = spoil(pool, lose_all)
    assert [finding.kind for finding in pool.check()] == ["leak"] * 3
    assert repaired(pool) == ["freed"] * 3
    assert pool["a"] == [None] * 3
    assert pool.stats()["blobs"] == before - 3


@pytest.mark.parametrize("size", [20, 3000])
def test_the_index_of_a_dict(pool, spoil, size):
    pool["d"] = {i: str(i) for i in range(size)}
    offset = offset_of(pool["d"])

    pool = spoil(pool, lambda file: file.clear_index(offset))
    assert 1 not in pool["d"]
    assert set(repaired(pool)) == {"the index has been built anew from the entries"}
    assert pool["d"] == {i: str(i) for i in range(size)}
    assert all(pool["d"][i] == str(i) for i in range(size))
    pool["d"][-1] = "another"
    assert len(pool["d"]) == size + 1


def test_the_number_of_a_dicts_entries(pool, spoil):
    pool["d"] = {i: i for i in range(20)}
    offset = offset_of(pool["d"])
    pool = spoil(pool, lambda file: file.__setitem__(file[offset + 8] + 8, 3 << 32))
    assert len(pool["d"]) == 17
    with pytest.raises(nvm.PoolCorruptError):
        pool.gc()
    assert repaired(pool) == ["the number has been counted anew"]
    assert len(pool["d"]) == 20
    pool.gc()


def test_the_number_of_a_lists_items(pool, spoil):
    pool["a"] = []
    pool["a"].append(1)  # with room for more
    pool["a"].append(TEXT)
    offset = offset_of(pool["a"])
    pool = spoil(pool, lambda file: file.__setitem__(offset + 8, 5))
    assert set(repaired(pool)) == {"the number has been counted anew"}
    assert pool["a"] == [1, TEXT]


def test_the_list_of_objects_that_wait_to_be_freed(pool, spoil):
    pool["a"] = [TEXT]
    offset = offset_of(pool["a"])

    def spoil_limbo(file):
        for slot, entry in enumerate([offset, 8, offset, 1 << 45], start=5):
            file[file.limbo + 8 * slot] = entry

    pool = spoil(pool, spoil_limbo)
    assert {finding.kind for finding in pool.check()} == {"limbo"}
    assert len(repaired(pool)) == 4
    assert pool["a"] == [TEXT]


def test_all_at_once_and_for_good(pool, spoil, reopen):
    pool["a"] = [[TEXT], [[TEXT]], 1]
    pool["d"] = {str(i): [i] for i in range(100)}
    low, high = offset_of(pool["a"][0]), offset_of(pool["a"][1])
    table = offset_of(pool["d"])

    def change(file):
        file[low] = 0
        file[high] = 2
        file.clear_index(table)

    pool = spoil(pool, change)
    kinds = {finding.kind for finding in pool.check(repair=True)}
    assert kinds == {"count", "damage"}
    assert pool.check() == []
    pool = reopen(pool)
    assert pool.check(repair=True) == []
    assert pool["a"] == [[TEXT], [[TEXT]], 1]
    assert pool["d"] == {str(i): [i] for i in range(100)}


# ---- What is not


def test_nothing_is_freed_beside_damage(pool, spoil):
    pool["a"] = [1, 2]
    pool = lose(pool, spoil, [TEXT])
    offset = offset_of(pool["a"])
    pool = spoil(pool, lambda file: file.__setitem__(file[offset + 16] + 8, 5))
    for _ in range(2):
        found = pool.check(repair=True)
        assert {finding.kind for finding in found} == {"damage", "count"}
        assert {(finding.kind, finding.repaired, finding.kept) for finding in found} == {
            ("damage", "", "what was there is not known, and to take it away could lose more"),
            ("count", "", "what is damaged may have referred to it"),
        }
    assert not any(finding.repaired or finding.kept for finding in pool.check())
    pool["a"][0] = 1
    assert len(repaired(pool)) == 1


def test_nothing_is_freed_that_unknown_memory_may_refer_to(pool, spoil):
    pool["a"] = []
    block = pool["a"]._p_mm.alloc(64)
    pool["a"].append(TEXT)
    offset = offset_of(pool["a"])
    pool = spoil(pool, lambda file: file.__setitem__(file[offset + 16] + 8, NONE))
    for _ in range(2):
        (finding,) = pool.check(repair=True)
        assert (finding.kind, finding.repaired) == ("leak", "")
        assert finding.kept == "what a class whose code is not here keeps may refer to it"
    pool["a"]._p_mm.free((pool["a"]._p_oid[0], block[1]))
    assert repaired(pool) == ["freed"]


def test_what_python_holds_lives_until_it_is_let_go(pool, path, spoil):
    pool = lose(pool, spoil, [TEXT])
    (finding,) = pool.check()
    held = pool["lost"]._p_mm.resurrect((pool["lost"]._p_oid[0], finding.offset))
    assert held == [TEXT]
    assert len(repaired(pool)) == 1
    assert held == [TEXT]
    pool["again"] = held
    del held
    collect()
    assert pool["again"] == [TEXT]


# ---- When it is refused, ended and interrupted


def test_a_pool_that_is_open_for_reading_is_not_repaired(pool, path):
    pool["a"] = [1]
    pool.close()
    with nvm.open(path, "r") as reading:
        with pytest.raises(nvm.ReadOnlyError):
            reading.check(repair=True)
        assert reading.check(repair=False) == []


def test_nor_in_a_transaction_or_while_reading(pool):
    with pool.transaction(), pytest.raises(nvm.TransactionError, match="check"):
        pool.check(repair=True)
    with pool.reading(), pytest.raises(nvm.TransactionError):
        pool.check(repair=True)


def test_nor_a_closed_one(pool):
    pool.close()
    with pytest.raises(nvm.PoolClosedError):
        pool.check(repair=True)


def test_progress_tells_of_the_check_and_then_of_the_repairs(pool, spoil):
    pool = lose(pool, spoil, [TEXT])
    calls = []
    pool.check(repair=True, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (1, 1)
    assert all(done <= total for done, total in calls)
    assert sum(done == 0 for done, _ in calls) == 2


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_interrupt_leaves_each_finding_repaired_or_not(pool, spoil, moment):
    pool = lose(pool, spoil, [TEXT])
    ends = []

    def interrupt(done, total):
        if done == total:
            ends.append(done)
        if len(ends) == 1 + (moment == "after"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pool.check(repair=True, progress=interrupt)
    assert len(pool.check(repair=True)) == (moment == "before")
    assert pool.check() == []
    assert pool["lost"] == [None]


def test_what_is_repaired_is_so_for_a_process_that_dies_then(pool, spoil, path):
    pool["a"] = [[TEXT]]
    offset = offset_of(pool["a"][0])
    pool = lose(pool, spoil, [TEXT])
    pool = spoil(pool, lambda file: file.__setitem__(offset, 7))
    backend = pool.backend
    pool.close()
    child = os.fork()
    if child == 0:
        pool = nvm.open(path, "w", backend=backend, size="64 MiB")
        done = all(finding.repaired for finding in pool.check(repair=True))
        os._exit(0 if done else 1)
    assert os.waitpid(child, 0)[1] == 0
    with nvm.open(path, "w", backend=backend, size="64 MiB") as pool:
        assert pool.check() == []
        assert pool["a"] == [[TEXT]]
