"""What is damaged in a pool's file is told, harms nothing, and check() names the place."""

import struct
import sys
from zoneinfo import ZoneInfo

import pytest

import nvm
from fuzz import layout
from interpreter import collect
from nvm.pmemobj import PersistentObject, PersistentSet, PersistentTuple

LATIN1 = "äöü and some more"
WIDE = "€€€ and some more"
WIDEST = "\U0001f600\U0001f601 and more"
ASCII_FLAG = 1 << 12


class Thing(PersistentObject):
    pass


@pytest.fixture
def damage(pool, path, open_pool):
    """Closes the pool, changes the word before some content in its file, and opens it again.

    Or the word at an offset.
    The end of the test puts the word back, as every pool is checked then.
    """
    undo = []

    def damage(content, change, at=-8):
        pool.close()
        data = bytearray(path.read_bytes())
        place = content
        if isinstance(content, bytes):
            assert data.count(content) == 1
            place = data.index(content) + at
        (word,) = struct.unpack_from("<Q", data, place)
        struct.pack_into("<Q", data, place, change(word))
        path.write_bytes(data)
        damaged = open_pool("w")
        undo.append((damaged, place, word))
        return damaged

    yield damage
    for damaged, place, word in undo:
        damaged.close()
        with path.open("r+b") as file:
            file.seek(place)
            file.write(struct.pack("<Q", word))
        with nvm.open(path, "w") as mended:
            assert mended.check() == []


@pytest.fixture
def content(pool, path):
    """The pool's file once it is closed, when it is whole by itself on every backend."""

    def content():
        pool.close()
        return path.read_bytes()

    return content


def test_a_damaged_item_is_told_of_when_a_loop_reaches_it(pool, damage):
    pool["l"] = list(range(40))
    pool["l"][20] = marked = 123456789
    pool = damage(struct.pack("<Q", 1 << layout.OFFSET_BITS | marked), lambda _: 7, at=0)
    for steps, before in ((iter, range(20)), (reversed, range(39, 20, -1))):
        steps = steps(pool["l"])
        assert [next(steps) for _ in before] == list(before)
        for _ in range(2):
            with pytest.raises(nvm.PoolCorruptError, match="cell"):
                next(steps)


def with_width(width):
    return lambda word: word & ~(15 << 8) & ~ASCII_FLAG | width << 8


# ---- Texts: what comes out is a proper str, whatever their flags say


def test_a_false_ascii_flag_is_not_believed(pool, damage):
    pool["a"] = [LATIN1]
    pool = damage(LATIN1.encode("latin-1"), lambda word: word | ASCII_FLAG)
    assert pool["a"][0] == LATIN1
    assert not pool["a"][0].isascii()
    (finding,) = pool.check()
    assert finding.path == 'pool["a"][0]'
    assert "ASCII" in finding.what


def test_a_missing_ascii_flag_is_made_up_for(pool, damage):
    pool["a"] = ["an ASCII text of its own"]
    pool = damage(b"an ASCII text of its own", lambda word: word & ~ASCII_FLAG)
    assert pool["a"][0] == "an ASCII text of its own"
    assert pool["a"][0].isascii()
    assert "ASCII" in pool.check()[0].what


def test_a_text_in_a_wider_form_than_it_needs_comes_out_in_the_narrowest(pool, damage):
    pool["a"] = [WIDE]
    content = WIDE.encode("utf-16-le")
    # Two characters a word; the first three are replaced by ASCII ones.
    pool = damage(content, lambda word: 0x0020_0061_0061_0061, at=0)
    assert pool["a"][0] == "aaa and some more"
    assert pool["a"][0].isascii()
    assert hash(pool["a"][0]) == hash("aaa and some more")
    del pool["a"][0:0]
    (finding,) = pool.check()
    assert "narrowest" not in finding.what or finding.path == 'pool["a"][0]'


def test_characters_beyond_unicode_are_damage(pool, damage):
    pool["a"] = [WIDEST]
    content = WIDEST.encode("utf-32-le")
    pool = damage(content, lambda word: word | 0x0011_0000, at=0)
    with pytest.raises(nvm.PoolCorruptError, match="characters"):
        pool["a"][0]
    (finding,) = pool.check()
    assert finding.path == 'pool["a"][0]'


@pytest.mark.parametrize("width", [0, 3, 5, 15])
def test_an_impossible_width_is_damage(pool, damage, width):
    pool["a"] = [LATIN1]
    pool = damage(LATIN1.encode("latin-1"), with_width(width))
    with pytest.raises(nvm.PoolCorruptError):
        pool["a"][0]
    assert pool.check()[0].path == 'pool["a"][0]'


def test_a_length_beyond_the_file_is_damage(pool, damage):
    pool["a"] = [LATIN1]
    pool = damage(LATIN1.encode("latin-1"), lambda word: word | 1 << 45)
    with pytest.raises(nvm.PoolCorruptError):
        pool["a"][0]
    assert pool.check()[0].path == 'pool["a"][0]'


def test_an_attributes_name_with_characters_beyond_unicode_is_damage(pool, damage):
    pool["thing"] = pool.new(Thing)
    pool["thing"].name𠀀𠀁 = 1
    content = "name\U00020000\U00020001".encode("utf-32-le")
    pool = damage(content, lambda word: word | 0x0070_0000, at=16)
    with pytest.raises(nvm.PoolCorruptError):
        vars(pool["thing"])
    assert any("str" in finding.what for finding in pool.check())


# ---- References to what cannot be meant


def reference_to(obj):
    return layout.OBJECT_CELL << 48 | obj._p_oid[1]


def test_a_list_that_is_a_key_is_damage(pool, damage):
    key = pool.new(PersistentTuple, (1, "two"))
    pool.root = {"dict": {key: 1}, "list": [1]}
    wanted = reference_to(pool.root["list"])
    pool = damage(struct.pack("<Q", reference_to(key)), lambda word: wanted, at=0)
    found = pool.root["dict"]
    for read in (list, repr, type(found).to_python, lambda d: d.popitem()):
        with pytest.raises(nvm.PoolCorruptError, match="cannot be a key"):
            read(found)
    assert any(finding.path.startswith('pool.root["dict"]') for finding in pool.check())
    assert pool.root["list"] == [1]


def test_a_list_in_a_frozenset_is_damage(pool, damage):
    part = pool.new(PersistentTuple, (1, "two"))
    pool.root = [frozenset({part}), pool.new(PersistentSet, [1])]
    wanted = reference_to(pool.root[1])
    pool = damage(struct.pack("<Q", reference_to(part)), lambda word: wanted, at=0)
    with pytest.raises(nvm.PoolCorruptError, match="cannot be a key"):
        pool.root[0]


def test_a_value_without_key_that_is_one_is_damage(pool, path, damage, content):
    key = pool.new(PersistentTuple, (1, "two"))
    pool.root = [{key: 1}, ZoneInfo("UTC")]
    place = struct.pack("<Q", reference_to(key))
    (boxed,) = (block for block in layout.blocks(content()) if block.type == layout.BOXED)
    wanted = layout.OBJECT_CELL << 48 | boxed.offset
    pool = damage(place, lambda word: wanted, at=0)
    with pytest.raises(nvm.PoolCorruptError, match="cannot be a key"):
        list(pool.root[0])
    assert any(finding.path.startswith("pool.root[0]") for finding in pool.check())


def test_a_pool_whose_dict_is_a_list_says_so(pool, content, damage):
    pool.root = [1]
    wanted = reference_to(pool.root)
    place = layout.root_object(content()) + layout.ROOT_DICT
    pool = damage(place, lambda word: wanted)
    for read in (len, list, lambda pool: pool["a"], lambda pool: pool.update(a=1)):
        with pytest.raises(nvm.PoolCorruptError):
            read(pool)
    assert pool.root == [1]
    assert any("the pool's own dict" in finding.what for finding in pool.check())


class Blocks:
    """Lays out its own memory."""

    def _p_new(self, manager):
        return manager.zalloc(64)

    def _p_resurrect(self, manager, oid):
        pass

    def _p_traverse(self):
        return []

    def _p_substructures(self):
        return []

    def _p_deallocate(self):
        pass


def failing(self):
    raise KeyError("the reason")


@pytest.mark.parametrize(("word", "change"), [(0, lambda word: word & 1), (-8, lambda word: 64)])
def test_a_reference_to_a_block_that_is_no_object_is_damage(pool, damage, word, change):
    head = pool["a"] = pool.new(Blocks)
    offset = head._p_oid[1]
    del head
    pool = damage(offset + word, change)
    with pytest.raises(nvm.PoolCorruptError, match=str(offset)):
        pool["a"]
    pool["b"] = [1]
    assert pool["b"] == [1]


def test_what_keeps_an_object_from_being_freed_is_reported(pool, monkeypatch, capfd):
    with monkeypatch.context() as patch:
        patch.setattr(sys, "unraisablehook", sys.__unraisablehook__)
        patch.setattr(Blocks, "_p_deallocate", failing)
        pool["a"] = pool.new(Blocks)
        del pool["a"]
        collect()
        pool.sync()
    assert "the reason" in capfd.readouterr().err


def test_check_tells_of_a_class_table_that_objects_with_their_own_memory_need(
    pool, content, damage
):
    pool["a"] = pool.new(Blocks)
    data = content()
    table = layout.word_at(data, layout.root_object(data) + layout.CLASS_TABLE)
    pool = damage(table, lambda word: 1 << 40)
    assert any("class table" in finding.what for finding in pool.check())


@pytest.mark.parametrize("entry", [1 << 45, 8, 0x302400])
def test_what_is_on_limbo_and_is_no_object_keeps_no_pool_from_closing(pool, content, damage, entry):
    pool.new(Blocks)
    pool["a"] = [1]
    data = content()
    segment = layout.word_at(data, layout.root_object(data) + layout.LIMBO)
    pool = damage(segment + 16, lambda word: entry)
    pool["a"].append("a text of some length")
    del pool["a"]
    pool.sync()
    assert [finding.kind for finding in pool.check()] == ["limbo"]
    pool.close()
    assert pool.closed


# ---- What libpmemobj would stumble over


def test_a_run_of_no_units_keeps_the_pool_from_changing_and_not_from_being_read(
    pool, content, damage
):
    pool["a"] = ["a text of some length"]
    run = layout.runs(content())[-1]
    pool = damage(run.begin, lambda word: 0)
    for _ in range(2):
        with pytest.raises(nvm.PoolCorruptError, match="a run of units of 0 bytes"):
            pool["b"] = ["another text"]
        assert pool["a"] == ["a text of some length"]
    assert "b" not in pool


def test_the_undo_log_cannot_spoil_the_heap(pool, path, damage, content):
    """It can change any word: what libpmemobj goes by is looked at again after it."""
    pool["a"] = ["a text of some length"]
    data = content()
    header = layout.CHUNK_HEADERS + 8 * layout.chunks(data)[1][0]
    control = layout.root_object(data) + layout.TX
    tag = header // 8 << 20 | layout.word_at(data, control) >> 2
    segment = layout.word_at(data, control + 16)
    with path.open("r+b") as file:
        file.seek(segment + 16)
        file.write(struct.pack("<QQ", 0, tag))
    pool = damage(segment, lambda word: word)
    with pytest.raises(nvm.PoolCorruptError, match="where a chunk should begin"):
        pool["b"] = ["another text"]
    assert pool["a"] == ["a text of some length"]
    pool.close()
    with path.open("r+b") as file:
        for begin, length in ((header, 8), (segment + 16, 16)):
            file.seek(begin)
            file.write(data[begin : begin + length])


def test_the_cursor_of_an_undo_log_at_rest_means_nothing(pool, content, damage):
    pool["a"] = [[i] for i in range(200)]
    control = layout.root_object(content()) + layout.TX
    pool = damage(control + 8, lambda word: 1 << 40)
    with pool.transaction():
        del pool["a"]
    assert pool.check() == []


def test_an_odd_run_id_is_damage(pool, path):
    pool.close()
    with path.open("r+b") as file:
        file.seek(layout.RUN_ID)
        file.write(b"\x03")
    with pytest.raises(nvm.PoolCorruptError, match="run id"):
        nvm.open(path, "w")


# ---- Paths


def test_paths_are_written_as_python_reaches_them(pool, damage):
    thing = pool["thing"] = pool.new(Thing)
    thing.items = [1, {"key": ("x", {5: "a text to be damaged"})}]
    del thing
    pool = damage(b"a text to be damaged", lambda word: word ^ ASCII_FLAG)
    (finding,) = pool.check()
    assert finding.path == 'pool["thing"].items[1]["key"][1][5]'
    assert finding.what.startswith(finding.path)
    assert finding.kind == "damage"
    namespace = {"pool": pool}
    assert eval(finding.path, namespace) == "a text to be damaged"
