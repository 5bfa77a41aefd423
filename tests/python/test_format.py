"""docs/format.md, taken at its word: a pool's file read in Python, without the library."""

import math
import random
import struct

import pytest

from nvm.pmemobj import PersistentObject

FLOAT_MASK = 0xFFFF << 48
P1, P2, P3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
P5 = 0x27D4EB2F165667C5
PRIME = (1 << 61) - 1
WORD = (1 << 64) - 1
LOW_48 = (1 << 48) - 1
CONSTANTS = {1: None, 2: False, 3: True, 4: ...}
NO_VALUE = object()


class Thing(PersistentObject):
    pass


def scramble(h):
    h ^= h >> 33
    h = h * P2 & WORD
    h ^= h >> 29
    h = h * P3 & WORD
    return h ^ h >> 32


def signed(residue, negative):
    return -residue & WORD if negative else residue


def hash_of_float(number):
    if math.isnan(number):
        return struct.unpack("<Q", struct.pack("<d", number))[0] * 0x9E3779B97F4A7C15 & WORD
    if math.isinf(number):
        return signed(314159, number < 0)
    m, power = abs(number).as_integer_ratio()
    e = -(power.bit_length() - 1)
    return signed(m * 2 ** (e % 61) % PRIME, number < 0)


def hash_of(key):
    """The page's section on hashes, but for str and bytes."""
    if isinstance(key, int):
        return signed(abs(key) % PRIME, key < 0)
    if isinstance(key, float):
        return hash_of_float(key)
    if isinstance(key, complex):
        return hash_of_float(key.real) + 1000003 * hash_of_float(key.imag) & WORD
    if isinstance(key, tuple):
        s = P5
        for element in key:
            s = s + hash_of(element) * P2 & WORD
            s = (s << 31 | s >> 33) * P1 & WORD
        return s + (len(key) ^ P5 ^ 3527539) & WORD
    if isinstance(key, frozenset):
        return scramble((P5 + sum(scramble(hash_of(element)) for element in key) & WORD) ^ P5)
    return scramble({None: 1, ...: 4}[key] ^ P2)


def folded(h, hash_key):
    m = scramble(h ^ hash_key)
    return (m ^ m >> 32) & 0xFFFFFFFF or 1


class File:
    """A reader of the page's structures."""

    def __init__(self, path):
        self.data = path.read_bytes()
        assert self.text(0x1000, 8) == b"pynvm-1\0"
        allocation = self.word(0x1800)
        self.root = (allocation + 63) // 64 * 64
        assert self.word(self.root) == 0x31304D564E595031

    def word(self, at):
        return struct.unpack_from("<Q", self.data, at)[0]

    def words(self, at, count):
        return struct.unpack_from(f"<{count}Q", self.data, at)

    def text(self, at, length):
        return self.data[at : at + length]

    def hashes(self, name):
        """Each key of a dict in the pool's own, with the hash that its entry has."""
        body = self.word((self.word(self.root + 72) & LOW_48) + 8)
        used, _, _, room = self.words(body, 4)
        entries = [self.entry(body, room, number) for number in range(used)]
        (entry,) = (entry for entry in entries if self.key(entry) == name)
        body = self.word((self.word(entry) & LOW_48) + 8)
        used, _, _, room = self.words(body, 4)
        entries = [self.entry(body, room, number) for number in range(used)]
        return [(self.key(entry), self.word(entry + 8) & 0xFFFFFFFF) for entry in entries]

    def contents(self):
        return self.value(self.word(self.root + 72))

    def value(self, cell):
        top, low = cell >> 48, cell & LOW_48
        if cell == 0:
            return NO_VALUE
        if top == 0:
            return CONSTANTS[cell]
        if top == 1:
            return low - (1 << 48 if low >> 47 else 0)
        if top in (2, 3):
            text = low.to_bytes(8, "little")
            text = text[: text[5]]
            return text.decode("latin-1") if top == 2 else text
        if top == 4:
            return self.blob(low)
        if top == 5:
            return self.counted(low)
        return struct.unpack("<d", struct.pack("<Q", cell ^ FLOAT_MASK))[0]

    def blob(self, at):
        head = self.word(at)
        kind, width, flag, length = head & 255, head >> 8 & 15, head >> 12 & 1, head >> 16
        if kind == 1:
            text = self.text(at + 8, length * width)
            codec = {1: "latin-1", 2: "utf-16-le", 4: "utf-32-le"}[width]
            text = text.decode(codec, "surrogatepass")
            assert text.isascii() == bool(flag)
            return text
        content = self.text(at + 8, length)
        if kind == 2:
            return content
        if kind == 3:
            number = int.from_bytes(content, "little")
            return -number if flag else number
        parts = struct.unpack(f"<{len(content) // 8}d", content)
        return parts[0] if kind == 4 else complex(*parts)

    def counted(self, at):
        type_number = self.word(at - 8)
        read = {2: self.list, 3: self.dict, 4: self.record, 5: self.tuple, 6: self.frozenset}
        assert self.word(at) & (1 << 40) - 1 >= 1
        return read[type_number](at)

    def list(self, at):
        size, body = self.words(at + 8, 2)
        if body == 0:
            return []
        assert self.word(body) >= size
        return [self.value(cell) for cell in self.words(body + 8, size)]

    def dict(self, at):
        body = self.word(at + 8)
        if body == 0:
            return {}
        used, deleted, index, room = self.words(body, 4)
        items = {}
        numbers = {}
        for number in range(used):
            entry = self.entry(body, room, number)
            value = self.value(self.word(entry))
            numbers[number] = self.word(entry + 8) & 0xFFFFFFFF
            if value is not NO_VALUE:
                items[self.key(entry)] = value
        assert len(items) == used - (deleted >> 32)
        if index:
            slots = (1 << (index >> 48)) - 2
            words = self.words(index & LOW_48, slots)
            known = {(word >> 32) - 1 for word in words if self.counts(word, numbers)}
            assert len(known) >= len(items)
        return items

    @staticmethod
    def counts(slot, numbers):
        return slot != 0 and numbers.get((slot >> 32) - 1) == slot & 0xFFFFFFFF

    def entry(self, body, room, number):
        if room < 1 << 63:
            return body + 32 + 32 * number
        pointers = room - (1 << 63)
        assert pointers in (25, 105)
        if number < 16:
            segment, within, length = 0, number, 16
        else:
            level = number.bit_length() - 5
            length = 4 << level
            segment, within = 1 + 4 * level + (number // length - 4), number % length
        if length >= 8192:
            spilled = (body + 32 + 8 * pointers + 31) // 32 * 32
            if within == 0:
                return spilled + 32 * (segment - 45)
            within -= 1
        begin = self.word(body + 32 + 8 * segment)
        return (begin + 31) // 32 * 32 + 32 * within

    def key(self, entry):
        mark = self.data[entry + 12]
        kind, length = mark & 7, mark >> 3
        if kind == 1:
            return self.value(self.word(entry + 16))
        if kind == 4:
            return self.text(entry + 14, 2 * length).decode("utf-16-le", "surrogatepass")
        text = self.text(entry + 13, length)
        return text if kind == 5 else text.decode("ascii" if kind == 2 else "latin-1")

    def record(self, at):
        word, shape, overflow = self.words(at, 3)
        name = self.class_name(word >> 40)
        inline, shape = shape >> 48, shape & LOW_48
        cells = list(self.words(at + 24, inline))
        if overflow:
            cells += self.words(overflow + 8, self.word(overflow))
        names = []
        while shape:
            class_id, _, parent, name_at, _, flags = self.words(shape, 6)
            assert class_id == word >> 40
            if flags & 1:
                return name, self.value(cells[0])
            names.insert(0, self.blob(name_at))
            shape = parent
        values = {key: self.value(cell) for key, cell in zip(names, cells)}
        return name, {key: value for key, value in values.items() if value is not NO_VALUE}

    def class_name(self, class_id):
        table = self.word(self.root + 80)
        assert class_id <= self.word(self.root + 88)
        return self.blob(self.word(table + 8 + 16 * (class_id - 1)))

    def tuple(self, at):
        return tuple(self.value(cell) for cell in self.words(at + 16, self.word(at + 8)))

    def frozenset(self, at):
        return frozenset(self.tuple(at))


@pytest.fixture
def read(pool, path):
    """Closes the pool and reads its file."""

    def read():
        pool.close()
        return File(path).contents()

    return read


def test_immutable_values(pool, read):
    values = [None, True, False, ..., 0, -1, 2**47 - 1, -(2**47), 2**47, -(2**63), 2**64, -(10**40)]
    values += [0.0, -0.0, 1.5, -1e300, math.inf, -math.inf, 5e-324, 1 + 2j]
    values += ["", "a", "abcde", "abcdef", "é" * 5, "é" * 30, "€uro", "\U0001f600", "\udc80"]
    values += [b"", b"\0", b"\xff" * 5, b"\xff" * 6, b"x" * 5000, "long " * 10000]
    values += [(), (1, ("two", 3.0))]
    pool["values"] = values
    pool["set"] = frozenset({1, "a", (2,)})
    contents = read()
    assert repr(contents["values"]) == repr(values)
    assert contents["set"] == frozenset({1, "a", (2,)})


def test_a_nan_with_a_payload_is_a_blob(pool, read):
    payload = struct.unpack("<d", struct.pack("<Q", 0x7FF8_0000_0000_0001))[0]
    pool["values"] = [math.nan, payload]
    assert [struct.pack("<d", value) for value in read()["values"]] == [
        struct.pack("<d", math.nan),
        struct.pack("<d", payload),
    ]


def test_keys(pool, read):
    keys = [
        "",
        "a",
        "x" * 19,
        "x" * 20,
        "é" * 19,
        "é" * 20,
        "€" * 9,
        "€" * 10,
        "\U0001f600",
        "\ud800",
    ]
    keys += [b"", b"x" * 19, b"x" * 20, 0, -5, 2**70, 1.5, None, ..., (1, "two"), 1j]
    keys.append(frozenset({1}))
    pool["keys"] = expected = {key: number for number, key in enumerate(keys)}
    assert list(read()["keys"].items()) == list(expected.items())


def test_hashes(pool, path):
    payload = struct.unpack("<d", struct.pack("<Q", 0x7FF8_0000_0000_0001))[0]
    keys = [
        0,
        -1,
        1,
        2,
        -2,
        2**47,
        -(2**47) - 1,
        2**61 - 1,
        2**61,
        -(2**61),
        2**64,
        10**40,
        -(10**60),
    ]
    keys += [
        0.5,
        -0.25,
        1e300,
        -1e-300,
        5e-324,
        2.0**61,
        1.5,
        math.inf,
        -math.inf,
        math.nan,
        payload,
    ]
    keys += [
        1j,
        -2.5 + 3j,
        complex(math.inf, 1),
        complex(1, math.nan),
        complex(math.nan, -math.inf),
    ]
    keys += [None, ..., (), (1,), (1, (2.5, None), True), frozenset(), frozenset({1, 2.5, None})]
    pool["keys"] = dict.fromkeys(keys)
    pool.close()
    file = File(path)
    hash_key = file.word(file.root + 40)
    found = file.hashes("keys")
    assert len(found) == len(keys) - 1  # 2**61 and 2.0**61 are one key
    for key, stored in found:
        assert stored == folded(hash_of(key), hash_key), key


@pytest.mark.parametrize("size", [0, 1, 3, 4, 7, 8, 15, 16, 17, 63, 64, 1024, 1025, 70_000])
def test_dicts_of_any_size(pool, read, size):
    pool["dict"] = expected = {f"key {number}": number for number in range(size)}
    assert list(read()["dict"].items()) == list(expected.items())


def test_containers_after_many_changes(pool, read):
    rng = random.Random(5)
    pool["dict"], pool["list"] = {}, []
    model_dict, model_list = {}, []
    for turn in range(5000):
        key, place = rng.randrange(300), rng.randrange(len(model_list) + 1)
        text = str(turn) * rng.choice((1, 1, 9))
        for mapping, items in ((pool["dict"], pool["list"]), (model_dict, model_list)):
            if turn % 3 == 2:
                mapping.pop(key, None)
                del items[place : place + 2]
            else:
                mapping[key] = text
                items.insert(place, text)
    contents = read()
    assert contents["list"] == model_list
    assert list(contents["dict"].items()) == list(model_dict.items())


@pytest.mark.parametrize("attributes", [0, 1, 3, 20, 128, 129, 200])
def test_objects(pool, read, attributes):
    pool["first"] = pool.new(Thing)
    pool["second"] = pool.new(Thing)
    for thing in (pool["first"], pool["second"]):
        for number in range(attributes):
            setattr(thing, f"attribute{number}", number)
    if attributes > 1:
        del pool["first"].attribute1
    contents = read()
    expected = {f"attribute{number}": number for number in range(attributes)}
    name = f"{Thing.__module__}:{Thing.__qualname__}"
    assert contents["second"] == (name, expected)
    expected.pop("attribute1", None)
    assert contents["first"] == (name, expected)
