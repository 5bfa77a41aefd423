"""What is damaged in a pool's file is told, harms nothing, and check() names the place."""

import struct

import pytest

import nvm
from nvm.pmemobj import PersistentObject

LATIN1 = "äöü and some more"
WIDE = "€€€ and some more"
WIDEST = "\U0001f600\U0001f601 and more"
ASCII_FLAG = 1 << 12


class Thing(PersistentObject):
    pass


@pytest.fixture
def damage(pool, path, open_pool):
    """Closes the pool, changes the word before some content in its file, and opens it again.

    The end of the test puts the word back, as every pool is checked then.
    """
    undo = []

    def damage(content, change, at=-8):
        pool.close()
        data = bytearray(path.read_bytes())
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
