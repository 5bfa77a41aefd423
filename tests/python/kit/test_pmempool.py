"""nvm.pmempool."""

from __future__ import annotations

import errno
import os
import struct
import subprocess
import sys
from datetime import datetime, timedelta, timezone

import pytest

import nvm

pmempool = pytest.importorskip("nvm.pmempool", exc_type=ImportError)
pmemlog = pytest.importorskip("nvm.pmemlog", exc_type=ImportError)
pmemblk = pytest.importorskip("nvm.pmemblk", exc_type=ImportError)

MIB = 1 << 20
KINDS = ["obj", "log", "blk"]


def poke(path, at, data):
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


@pytest.fixture
def mirrored(folder):
    """A pool set of two parts and a replica."""
    path = folder / "pool.set"
    pmempool.PoolSet.of(
        [(16 * MIB, folder / "a"), (8 * MIB, folder / "b")], [(32 * MIB, folder / "copy")]
    ).write(path)
    return path


# ---- Making


@pytest.mark.parametrize("kind", KINDS)
def test_pools_of_each_kind_are_made(folder, kind):
    path = folder / kind
    pmempool.create(kind, path, 20 * MIB, mode=0o600)
    assert path.stat().st_size == 20 * MIB
    assert path.stat().st_mode & 0o777 == 0o600
    found = pmempool.info(path)
    assert (found.kind, found.size, found.damage) == (kind, 20 * MIB, None)
    with pytest.raises(FileExistsError):
        pmempool.create(kind, path)
    assert pmempool.check(path).result is pmempool.CheckResult.CONSISTENT


def test_what_cannot_be_made_is_refused(folder):
    with pytest.raises(ValueError, match="ndctl"):
        pmempool.create("btt", folder / "x")
    with pytest.raises(ValueError, match="kind must be"):
        pmempool.create("cto", folder / "x")
    with pytest.raises(ValueError, match=r"nvm\.open"):
        pmempool.create("obj", folder / "x", layout="pynvm-1")
    with pytest.raises(ValueError, match="layout name"):
        pmempool.create("obj", folder / "x", layout="x" * 2000)
    for kind in KINDS:
        with pytest.raises(ValueError, match="smaller than"):
            pmempool.create(kind, folder / "x", 1 * MIB)
    assert list(folder.iterdir()) == []


# ---- Looking


def test_info_of_objects(path):
    with nvm.open(path, size="64 MiB") as pool:
        pool["x"] = ["a text long enough for a block"] * 100
    found = pmempool.info(path)
    assert found.content.layout == "pynvm-1"
    assert found.content.lanes == 1024
    assert found.content.redo_logs == found.content.undo_logs == 0
    assert found.content.heap.blocks > 100
    assert 0 < found.content.heap.run_used_bytes < found.content.heap.run_bytes
    assert found.header.signature == "PMEMOBJ"
    assert found.header.checksum_right
    assert found.header.closed_cleanly
    assert found.header.uuid == found.header.next_part_uuid
    age = datetime.now(timezone.utc) - found.header.created
    assert timedelta() <= age < timedelta(minutes=10)
    assert found.pool_set is None
    with nvm.open(path):
        assert not pmempool.info(path).header.closed_cleanly


def sum_of(chunks, size):
    return sum(size(chunk) for chunk in chunks)


def test_chunks_are_those_that_info_counts(path):
    with nvm.open(path, size="64 MiB") as pool:
        pool["x"] = ["a text long enough for a block"] * 100
        pool["large"] = b"x" * (8 * MIB)
    found = list(pmempool.chunks(path))
    heap = pmempool.info(path).content.heap
    end = 0
    for chunk in found:
        assert (chunk.zone, chunk.index) == (0, end)
        assert chunk.offset == found[0].offset + (end << 18)
        end += chunk.chunks
    assert {chunk.kind for chunk in found} == {"free", "used", "run"}
    runs = [chunk for chunk in found if chunk.kind == "run"]
    used = [chunk for chunk in found if chunk.kind == "used"]
    assert len(runs) == heap.runs
    assert sum_of(runs, lambda run: run.unit * run.units_used) == heap.run_used_bytes
    assert all(0 < run.units_used <= run.units for run in runs)
    assert sum_of(used, lambda chunk: chunk.chunks << 18) == heap.used_bytes
    assert len(used) + sum_of(runs, lambda run: run.units_used) == heap.blocks
    (large,) = [chunk for chunk in used if chunk.block_type == 64]
    assert 8 * MIB < large.block_size <= large.chunks << 18


def test_chunks_of_a_pool_set(mirrored):
    nvm.open(mirrored).close()
    found = list(pmempool.chunks(mirrored))
    assert len([chunk for chunk in found if chunk.kind == "run"]) > 0
    assert (found[-1].index + found[-1].chunks) << 18 < 24 * MIB


def test_chunks_before_a_damaged_one_are_told(path):
    nvm.open(path, size="16 MiB").close()
    found = list(pmempool.chunks(path))
    poke(path, 0x302440 + 8 * found[2].index, b"\xff\xff")
    told = []
    with pytest.raises(nvm.PoolCorruptError, match=rf"chunk {found[2].index}: type 65535"):
        for chunk in pmempool.chunks(path):
            told.append(chunk)
    assert told == found[:2]


def test_chunks_of_other_files_are_refused(folder):
    pmemlog.create(folder / "log").close()
    with pytest.raises(nvm.LayoutError):
        next(pmempool.chunks(folder / "log"))
    (folder / "text").write_text("no pool" * 1000)
    with pytest.raises(nvm.Error):
        next(pmempool.chunks(folder / "text"))
    with pytest.raises(FileNotFoundError):
        next(pmempool.chunks(folder / "absent"))


def test_info_of_a_log(folder):
    with pmemlog.create(folder / "log") as log:
        log.append(b"12345")
    found = pmempool.info(folder / "log")
    assert (found.content.used, found.content.start) == (5, 8192)
    assert found.content.free == pmemlog.MIN_POOL_SIZE - 8192 - 5


def test_info_of_blocks(folder):
    with pmemblk.create(folder / "blk", 700) as blocks:
        count = len(blocks)
        assert pmempool.info(folder / "blk").content.arenas == ()
        blocks[1] = b"x"
        blocks[2] = b"y"
        blocks.set_zero(2)
        blocks.set_error(3)
    found = pmempool.info(folder / "blk").content
    assert found.block_size == 700
    (arena,) = found.arenas
    assert (arena.blocks, arena.internal_block_size) == (count, 768)
    assert (arena.written, arena.zero, arena.error) == (1, 1, 1)


def test_info_of_a_pool_set(mirrored):
    nvm.open(mirrored).close()
    found = pmempool.info(mirrored)
    assert found.size == 24 * MIB - 4096
    assert len(found.pool_set.replicas) == 2
    assert found.header.uuid != found.header.next_part_uuid
    assert found.content.layout == "pynvm-1"


def test_info_tells_what_is_damaged(path):
    nvm.open(path, size="16 MiB").close()
    poke(path, 0x302000, b"damage")
    found = pmempool.info(path)
    assert found.content is None
    assert "heap's header" in found.damage
    poke(path, 120, b"\xff" * 8)
    assert not pmempool.info(path).header.checksum_right
    poke(path, 0, b"\0")
    found = pmempool.info(path)
    assert found.kind == "unknown"
    assert "signature" in found.damage
    os.truncate(path, 4095)
    with pytest.raises(nvm.PoolCorruptError, match="too short"):
        pmempool.info(path)
    with pytest.raises(FileNotFoundError):
        pmempool.info(path.with_name("absent"))


def test_dump_gives_the_content(folder, path):
    with pmemlog.create(folder / "log", 8 * MIB) as log:
        log.append(bytes(range(256)) * 8192)
    assert b"".join(pmempool.dump(folder / "log")) == bytes(range(256)) * 8192
    assert b"".join(pmempool.dump(folder / "log", 10, 20)) == bytes(range(10, 20))
    assert list(pmempool.dump(folder / "log", 5 * MIB)) == []
    with pmemblk.create(folder / "blk") as blocks:
        blocks[3] = b"three"
        blocks.set_error(4)
        wanted = [blocks[i] for i in range(4)]
    assert list(pmempool.dump(folder / "blk", 0, 5)) == [*wanted, None]
    assert sum(1 for _ in pmempool.dump(folder / "blk")) == len(
        range(pmempool.info(folder / "blk").content.arenas[0].blocks)
    )
    nvm.open(path, size="16 MiB").close()
    with pytest.raises(nvm.LayoutError, match="to_python"):
        pmempool.dump(path)


# ---- Checking


@pytest.fixture
def broken(folder):
    """A log whose header has a wrong checksum."""
    path = folder / "broken"
    pmemlog.create(path).close()
    poke(path, 24, b"xx")
    return path


def test_a_check_is_an_iterator_of_findings(broken):
    before = broken.read_bytes()
    check = pmempool.check(broken)
    findings = list(check)
    assert [finding.kind for finding in findings] == ["error"]
    assert "header" in findings[0].message
    assert check.result is pmempool.CheckResult.NOT_CONSISTENT
    assert broken.read_bytes() == before
    assert list(check) == []


def test_a_sound_pool_is_told_of_when_asked(folder):
    pmemlog.create(folder / "log").close()
    check = pmempool.check(folder / "log", verbose=True)
    assert {finding.kind for finding in check} == {"info"}
    assert check.result is pmempool.CheckResult.CONSISTENT


def test_questions_are_answered_by_a_function(broken, folder):
    asked = []

    def yes(finding):
        asked.append(finding)
        return True

    backup = folder / "backup"
    before = broken.read_bytes()
    result = pmempool.repair(broken, advanced=True, backup=backup, answer=yes)
    assert result is pmempool.CheckResult.REPAIRED
    assert asked
    assert {finding.kind for finding in asked} == {"question"}
    assert backup.read_bytes() == before
    assert pmempool.check(broken).result is pmempool.CheckResult.CONSISTENT
    pmemlog.open(broken).close()


def test_a_no_leaves_the_pool_as_it_is(broken):
    before = broken.read_bytes()
    result = pmempool.repair(broken, advanced=True, answer=lambda finding: False)
    assert result is pmempool.CheckResult.NOT_CONSISTENT
    check = pmempool.check(broken, repair=True, advanced=True)
    for _ in check:  # nobody answers
        pass
    assert check.result is pmempool.CheckResult.NOT_CONSISTENT
    assert broken.read_bytes() == before


def test_questions_are_answered_one_by_one(broken):
    check = pmempool.check(broken, repair=True, advanced=True)
    with pytest.raises(RuntimeError, match="no question"):
        check.answer(True)
    for finding in check:
        if finding.kind == "question":
            check.answer(True)
    assert check.result is pmempool.CheckResult.REPAIRED


def test_what_an_answer_raises_reaches_the_caller(broken):
    before = broken.read_bytes()
    with pytest.raises(ZeroDivisionError):
        pmempool.repair(broken, advanced=True, answer=lambda finding: 1 // 0)
    assert broken.read_bytes() == before


def test_a_repair_without_questions(broken):
    assert pmempool.repair(broken, advanced=True) is pmempool.CheckResult.REPAIRED
    assert pmempool.check(broken).result is pmempool.CheckResult.CONSISTENT


def test_arguments_of_a_check(folder, path):
    pmemlog.create(folder / "log").close()
    with pytest.raises(ValueError, match="kind must be"):
        pmempool.check(folder / "log", kind="cto")
    with pytest.raises(ValueError, match="repair=True"):
        pmempool.check(folder / "log", advanced=True)
    with pytest.raises(FileNotFoundError):
        pmempool.check(folder / "absent")
    (folder / "text").write_text("no pool")
    with pytest.raises(nvm.PoolCorruptError, match="too short"):
        pmempool.check(folder / "text")
    with pmemlog.open(folder / "log"), pytest.raises(nvm.PoolLockedError):
        assert pmempool.check(folder / "log").result


# ---- Pool sets


def test_pool_sets_are_read_and_written(folder, mirrored):
    found = pmempool.PoolSet.read(mirrored)
    assert [part.size for part in found.replicas[0].parts] == [16 * MIB, 8 * MIB]
    assert found.replicas[1].parts == [pmempool.Part(str(folder / "copy"), 32 * MIB)]
    assert not found.replicas[1].is_remote
    assert found.pool_size == 24 * MIB - 4096
    assert str(found) == mirrored.read_text()
    assert pmempool.PoolSet.parse(mirrored.read_bytes()) == found
    found.single_header = True
    found.replicas.append(pmempool.Replica(node="node", pool="far.set"))
    found.write(mirrored)
    again = pmempool.PoolSet.read(mirrored)
    assert again == found
    assert again.replicas[2].is_remote
    assert again.pool_size == 24 * MIB


def test_pool_sets_are_validated(folder):
    of = pmempool.PoolSet.of
    of([(8 * MIB, "/a")]).validate()
    of([(2 * MIB, "/a")]).validate("log")
    for kind in ("log", "blk"):
        with pytest.raises(ValueError, match="replicas"):
            of([(32 * MIB, "/a")], [(32 * MIB, "/b")]).validate(kind)
    with pytest.raises(ValueError, match="the least is"):
        of([(2 * MIB, "/a")]).validate()
    with pytest.raises(ValueError, match="not absolute"):
        of([(8 * MIB, "a")]).validate()
    with pytest.raises(ValueError, match="directories and files"):
        of([(8 * MIB, folder), (8 * MIB, "/a")]).validate()
    with pytest.raises(ValueError, match="kind must be"):
        of([(8 * MIB, "/a")]).validate("btt")
    with pytest.raises(ValueError, match="has a blank"):
        of([(8 * MIB, "/a b")]).write(folder / "set")
    with pytest.raises(ValueError, match="no part"):
        pmempool.PoolSet().validate()
    with pytest.raises(ValueError, match="must not be negative"):
        of([(-1, "/a")]).validate()
    with pytest.raises(ValueError, match="line 2"):
        pmempool.PoolSet.parse("PMEMPOOLSET\nnonsense\n")
    assert list(folder.iterdir()) == []


def fill(path):
    with nvm.open(path) as pool:
        pool["numbers"] = list(range(2000))
        pool["text"] = "a text " * 1000
        pool["table"] = {str(i): [i] for i in range(300)}


def told(path):
    with nvm.open(path, "w") as pool:
        assert pool.check() == []
        assert pool["numbers"] == list(range(2000))
        assert pool["text"] == "a text " * 1000
        assert pool["table"] == {str(i): [i] for i in range(300)}


@pytest.mark.parametrize("name", ["a", "b", "copy"])
def test_sync_repairs_a_header_that_is_destroyed(mirrored, folder, name):
    fill(mirrored)
    poke(folder / name, 0, bytes(4096))
    with pytest.raises(nvm.PoolCorruptError, match=r"nvm\.pmempool\.sync\(\)"):
        nvm.open(mirrored)
    pmempool.sync(mirrored, dry_run=True)
    with pytest.raises(nvm.PoolCorruptError):
        nvm.open(mirrored)
    pmempool.sync(mirrored)
    told(mirrored)


def test_sync_makes_missing_parts_again(mirrored, folder):
    fill(mirrored)
    for names in (["copy"], ["a"], ["b"], ["a", "b"]):
        for name in names:
            (folder / name).unlink()
        pmempool.sync(mirrored)
        told(mirrored)


def test_sync_without_a_whole_replica_says_so(mirrored, folder):
    fill(mirrored)
    poke(folder / "a", 0, bytes(4096))
    poke(folder / "copy", 0, bytes(4096))
    with pytest.raises(OSError, match=r".+") as caught:
        pmempool.sync(mirrored)
    assert caught.value.errno == errno.EINVAL
    assert caught.value.filename == str(mirrored)


def test_sync_wants_a_pool_set_that_is_not_open(mirrored, path):
    with nvm.open(mirrored) as pool:
        pool["x"] = 1
        with pytest.raises(OSError, match=r".+"):
            pmempool.sync(mirrored)
        pool["x"] = 2
    nvm.open(path, size="16 MiB").close()
    with pytest.raises(nvm.PoolCorruptError, match="line 1"):
        pmempool.sync(path)
    with pytest.raises(FileNotFoundError):
        pmempool.sync(path.with_name("absent"))


WRITER = """
import itertools, sys
import nvm
pool = nvm.open(sys.argv[1])
log = pool.setdefault("log", [])
for number in itertools.count(len(log)):
    with pool.transaction():
        log.append(f"entry number {number}")
        pool["last"] = number
    print(number, flush=True)
"""


@pytest.mark.parametrize("lost", [["a", "b"], ["copy"]])
def test_a_killed_program_and_a_lost_replica(mirrored, folder, lost):
    promised = -1
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(mirrored)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(20):
            promised = int(writer.stdout.readline())
        writer.kill()
        for line in writer.stdout:
            promised = int(line)
        writer.stdout.close()
        writer.wait()
        for name in lost:
            (folder / name).unlink()
        pmempool.sync(mirrored)
        with nvm.open(mirrored, "w") as pool:
            count = len(pool["log"])
            assert count - 1 in (promised, promised + 1)
            assert pool["last"] == count - 1
            assert pool["log"] == [f"entry number {i}" for i in range(count)]
            assert pool.check() == []
    # Each alone is the whole pool.
    halves = (folder / "copy").read_bytes()[: 24 * MIB - 4096]
    master = (folder / "a").read_bytes() + (folder / "b").read_bytes()[4096:]
    for name, data in (("one", halves), ("two", master)):
        (folder / name).write_bytes(data)
    assert pmempool.info(folder / "one").content.heap == pmempool.info(folder / "two").content.heap


def test_transform_adds_and_removes_a_replica(folder):
    single, double = folder / "single.set", folder / "double.set"
    pmempool.PoolSet.of([(32 * MIB, folder / "a")]).write(single)
    pmempool.PoolSet.of([(32 * MIB, folder / "a")], [(32 * MIB, folder / "b")]).write(double)
    fill(single)
    pmempool.transform(single, double, dry_run=True)
    assert not (folder / "b").exists()
    pmempool.transform(single, double)
    told(double)
    pmempool.transform(double, single)
    assert not (folder / "b").exists()
    told(single)
    with pytest.raises(OSError, match=r".+"):
        pmempool.transform(single, single)


# ---- Features, removal, conversion


def test_features_are_asked_for_and_switched(folder):
    path = folder / "pool"
    pmempool.create("obj", path, 20 * MIB)
    feature = pmempool.Feature
    assert pmempool.features(path)[feature.CKSUM_2K]
    assert not pmempool.feature_query(path, feature.SINGLEHDR)
    pmempool.feature_disable(path, feature.SHUTDOWN_STATE)
    assert not pmempool.feature_query(path, feature.SHUTDOWN_STATE)
    pmempool.feature_enable(path, feature.SHUTDOWN_STATE)
    assert pmempool.feature_query(path, feature.SHUTDOWN_STATE)
    with pytest.raises(OSError, match=r".+"):
        pmempool.feature_enable(path, feature.SINGLEHDR)
    with pytest.raises(ValueError, match="99"):
        pmempool.feature_query(path, 99)
    with pytest.raises(FileNotFoundError):
        pmempool.features(folder / "absent")


def test_a_mirrored_pool_without_shutdown_state_is_kept_equal_all_the_same(mirrored):
    fill(mirrored)
    pmempool.feature_disable(mirrored, pmempool.Feature.SHUTDOWN_STATE)
    told(mirrored)


def test_rm_removes_parts_and_sets(mirrored, folder):
    pmempool.create("log", folder / "log")
    pmempool.rm(folder / "log")
    nvm.open(mirrored).close()
    pmempool.rm(mirrored)
    assert [path.name for path in folder.iterdir()] == ["pool.set"]
    with pytest.raises(OSError, match=r".+"):
        pmempool.rm(mirrored)
    pmempool.rm(mirrored, force=True, pool_set=True)
    assert list(folder.iterdir()) == []
    with pytest.raises(FileNotFoundError):
        pmempool.rm(folder / "log")


def test_convert_says_what_does_it(path):
    nvm.open(path, size="16 MiB").close()
    assert pmempool.convert(path) is None
    poke(path, 8, struct.pack("<I", 5))
    with pytest.raises(nvm.LayoutError, match=r"format 5.*pmdk-convert"):
        pmempool.convert(path)
    poke(path, 0, b"?")
    with pytest.raises(nvm.LayoutError, match="no pool"):
        pmempool.convert(path)


def test_check_version():
    assert pmempool.check_version(1, 0) is True
    with pytest.raises(RuntimeError):
        pmempool.check_version(99, 0)
