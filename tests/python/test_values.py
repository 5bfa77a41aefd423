"""Whatever goes in comes out: with exactly its type and value, or as a persistent container."""

import collections
import enum
import math
import struct
import sys

import pytest

import nvm
from interpreter import CPYTHON, collect, cpython_only
from nvm.pmemobj import PersistentDict, PersistentList, PersistentObject

INTEGERS = sorted(
    {
        sign * (2**bits + difference)
        for bits in (0, 1, 7, 8, 15, 16, 30, 31, 32, 46, 47, 48, 62, 63, 64, 65, 127, 128, 1000)
        for difference in (-1, 0, 1)
        for sign in (1, -1)
    }
)

FLOATS = [
    0.0,
    -0.0,
    1.0,
    -1.5,
    0.1,
    math.pi,
    sys.float_info.max,
    sys.float_info.min,
    5e-324,
    -5e-324,
    math.inf,
    -math.inf,
    float(2**47),
]

STRINGS = [
    "",
    "a",
    "é",
    "ab\0cd",
    "hello",
    "hello!",
    "naïve",
    "naïveté",
    "\x7f",
    "\x80",
    "\xff" * 5,
    "\xff" * 6,
    "ő",
    "ő" * 100,
    "日本語",
    "\uffff",
    "𝒳",
    "a𝒳" * 50,
    "\U0010ffff",
    "\ud800",
    "\udfff",
    "low \udc80 surrogate",
    "\ud83d\ude00",
    "x" * 19,
    "x" * 20,
    "x" * 100_000,
    "é" * 100_000,
]

BYTES = [b"", b"a", b"\0", b"12345", b"123456", bytes(range(256)), b"x" * 100_000]

OTHERS = [None, True, False, ..., 0j, 1j, complex(-0.0, math.inf), complex(1.5, -2)]

CONSTANTS = [*INTEGERS, *FLOATS, *STRINGS, *BYTES, *OTHERS]


def same(left, right):
    """Equal in type and value, bits of floats included, all the way down."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return struct.pack("d", left) == struct.pack("d", right)
    if isinstance(left, complex):
        return same(left.real, right.real) and same(left.imag, right.imag)
    if isinstance(left, tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right


# ---- Immutable values


def test_constants_come_out_as_they_went_in(pool, reopen):
    pool.root = CONSTANTS
    for stored, value in zip(pool.root, CONSTANTS):
        assert same(stored, value), ascii(value)
    for stored, value in zip(reopen(pool).root, CONSTANTS):
        assert same(stored, value), ascii(value)


@pytest.mark.parametrize("value", OTHERS[:4])
def test_singletons_are_themselves(pool, value):
    pool.root = value
    assert pool.root is value


def test_nans_keep_their_bits(pool):
    patterns = [
        0x7FF8000000000000,
        0xFFF8000000000000,
        0x7FF8000000000001,
        0x7FF8DEADBEEF1234,
        0xFFFFFFFFFFFFFFFF,
        0x7FF0000000000001,
    ]
    values = [struct.unpack("d", struct.pack("Q", bits))[0] for bits in patterns]
    # what struct itself makes of them (a signalling NaN may turn quiet on its way)
    bits = [struct.pack("d", value) for value in values]
    pool.root = values
    assert [struct.pack("d", value) for value in pool.root] == bits


def test_strings_are_canonical_and_usable_as_keys(pool):
    pool.root = STRINGS
    lookup = {value: i for i, value in enumerate(STRINGS)}
    for i, value in enumerate(pool.root):
        assert lookup[value] == i
        assert value.isascii() == STRINGS[i].isascii()
        if CPYTHON:  # PyPy does not tell
            assert sys.getsizeof(value) <= sys.getsizeof(STRINGS[i])


def test_huge_values(pool):
    pool.root = [10**10_000, -(10**10_000), "é" * (1 << 20), b"\xff" * (1 << 20)]
    assert pool.root[0] == 10**10_000
    assert pool.root[1] == -(10**10_000)
    assert pool.root[2] == "é" * (1 << 20)
    assert pool.root[3] == b"\xff" * (1 << 20)


# ---- Tuples and frozensets


def test_tuples_and_frozensets_are_ordinary_ones(pool, reopen):
    value = (1, "two", (), (b"three", (4.0, None)), frozenset({5, (6, "seven")}), frozenset())
    pool.root = value
    pool["key"] = {value: value}
    for reopened in (False, True):
        if reopened:
            pool = reopen(pool)
        assert same(pool.root, value)
        assert type(pool.root[4]) is frozenset
        assert type(next(iter(pool["key"]))) is tuple
        assert pool["key"][value] == value


def test_mutable_items_of_tuples_are_proxies(pool):
    inner = [1]
    pool.root = (inner, (inner, {"a": inner}))
    first, (second, mapping) = pool.root
    assert type(first) is PersistentList
    assert first is second
    assert mapping["a"] is first
    first.append(2)
    assert pool.root == ([1, 2], ([1, 2], {"a": [1, 2]}))
    assert inner == [1]


def test_shared_tuples_are_stored_once(pool):
    value = ("x" * 1000,)
    for _ in range(60):
        value = (value, value)
    pool.root = value
    assert pool.stats()["objects"] < 100
    out = pool.root
    for _ in range(60):
        assert out[0] is out[1]
        out = out[0]
    assert out == ("x" * 1000,)


def test_a_tuple_may_hold_itself_through_a_list(pool):
    loop = ([],)
    loop[0].append(loop)
    pool.root = loop
    assert type(pool.root) is tuple
    assert pool.root[0][0][0] is pool.root[0]


# ---- Containers


def test_containers_are_copied_deeply(pool):
    value = {"list": [1, [2, {"three": 4}]], "tuple": ([5],)}
    pool.root = value
    assert type(pool.root) is PersistentDict
    assert type(pool.root["list"][1][1]) is PersistentDict
    assert pool.root == value
    pool.root["list"][1][1]["three"] = 5
    assert value["list"][1][1]["three"] == 4
    assert pool.root["list"][1][1]["three"] == 5


def test_sharing_and_cycles_are_kept(pool, reopen):
    shared = []
    value = [shared, shared, {"again": shared}]
    value.append(value)
    pool.root = value
    pool = reopen(pool)
    root = pool.root
    assert root[0] is root[1]
    assert root[2]["again"] is root[0]
    assert root[3] is root
    pool.root.clear()


def test_a_stored_proxy_is_a_reference(pool):
    pool["a"] = [1]
    pool["b"] = pool["a"]
    pool["c"] = {"in": [pool["a"]], "tuple": (pool["a"],)}
    pool["a"].append(2)
    assert pool["b"] is pool["a"]
    assert pool["c"]["in"][0] is pool["a"]
    assert pool["c"]["tuple"][0] is pool["a"]


@cpython_only("its C-API itself recurs into tuples")
def test_deeply_nested_tuples_need_no_recursion(pool, reopen):
    depth = 100_000
    tuples = ()
    for _ in range(depth):
        tuples = (tuples,)
    pool["tuples"] = tuples
    pool = reopen(pool)
    stored = pool["tuples"]
    for _ in range(depth):
        (stored,) = stored
    assert stored == ()


def test_deep_nesting_needs_no_recursion(pool, reopen):
    depth = 100_000
    lists, dicts = [], {}
    for _ in range(depth):
        lists, dicts = [lists], {"in": dicts}
    pool["lists"], pool["dicts"] = lists, dicts
    pool = reopen(pool)
    stored, mapping = pool["lists"], pool["dicts"]
    for _ in range(1000):
        stored, mapping = stored[0], mapping["in"]
    assert pool.check() == []
    stored = mapping = None
    collect()
    pool.clear()
    pool.sync()
    assert pool.stats()["objects"] == 1


def test_wide_values(pool):
    pool.root = list(range(100_000))
    assert pool.root == list(range(100_000))
    pool.root = {str(i): i for i in range(100_000)}
    assert len(pool.root) == 100_000
    assert pool.root["99999"] == 99_999


# ---- What is refused

Point = collections.namedtuple("Point", "x y")


class Ordinary:
    """An instance of a class that is not persistent."""


class Text(str):
    """A subclass of a built-in."""

    __slots__ = ()


class Number(enum.IntEnum):
    ONE = 1


REFUSED = [
    object(),
    Ordinary(),
    Text("x"),
    collections.OrderedDict(),
    collections.defaultdict(list),
    memoryview(b""),
    int,
    Ordinary,
    len,
    iter([]),
    (i for i in ()),
    sys,
]


@pytest.mark.parametrize("value", REFUSED, ids=lambda value: type(value).__name__)
def test_other_types_are_refused_and_named(pool, value):
    pool.root = [1]
    for store in (
        lambda: setattr(pool, "root", value),
        lambda: pool.root.append(value),
        lambda: pool.__setitem__("a", value),
        lambda: pool.__setitem__("a", [value]),
    ):
        with pytest.raises(TypeError, match="Don't know how to persist") as caught:
            store()
        assert type(value).__name__ in str(caught.value)
    assert pool.root == [1]
    assert "a" not in pool


def test_instances_of_ordinary_classes_are_told_what_to_derive_from(pool):
    with pytest.raises(TypeError, match=r"PersistentObject") as caught:
        pool.root = Ordinary()
    assert f"{__name__}.Ordinary" in str(caught.value)


def test_subclasses_are_told_their_base(pool):
    with pytest.raises(TypeError, match=r"subclass of str"):
        pool.root = Text("x")


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"users": [1, 2, 3, object()]}, 'value["users"][3]'),
        ([[(1, object())]], "value[0][0][1]"),
        ({("a", 1): {2: object()}}, "value[('a', 1)][2]"),
        ({(1, object()): 2}, "value.keys()[0][1]"),
        ([frozenset({object()})], "value[0]{...}"),
        ({'say "hi"': object()}, "value['say \"hi\"']"),
    ],
)
def test_the_message_says_where_in_the_value(pool, value, place):
    with pytest.raises(TypeError) as caught:
        pool.root = value
    assert str(caught.value).endswith("at " + place)
    assert pool.root is None


def test_the_place_of_a_very_deep_part_is_cut_short(pool):
    value = object()
    for _ in range(10_000):
        value = [value]
    with pytest.raises(TypeError, match=r"\[0\]\.\.\.\[0\]") as caught:
        pool.root = value
    assert len(str(caught.value)) < 1000


def test_nothing_is_stored_if_a_part_is_refused(pool):
    pool.root = [1]
    before = pool.stats()
    for _ in range(100):
        with pytest.raises(TypeError):
            pool.root.extend([[2], {"a": "x" * 100}, (3, [4], object())])
    pool.sync()
    assert pool.stats() == before


def test_objects_of_another_pool_are_refused(pool, folder):
    with nvm.open(folder / "other", size="64 MiB") as other:
        other.root = [1]
        for value in (other.root, [other.root], {"a": (other.root,)}):
            with pytest.raises(TypeError, match=r"another pool.*\.to_python\(\)"):
                pool.root = value
        pool.root = other.root.to_python()
        assert pool.root == other.root
        assert pool.root is not other.root


def test_an_object_that_no_pool_has_made(pool):
    with pytest.raises(TypeError):
        pool.root = PersistentList.__new__(PersistentList)


# ---- What changes while it is read


def test_a_dict_that_changes_while_it_is_stored(pool):
    value = {}

    class Key(PersistentObject):
        def __repr__(self):
            value.clear()
            collect()
            return "key"

    key = pool.new(Key)
    value.update({key: [[object()]], "other": "x" * 100})
    with pytest.raises(TypeError, match="at value"):
        pool.root = value
    assert pool.root is None


def test_values_outlive_their_source(pool):
    # Encoded parts must not dangle: the only references are those of the container.
    for _ in range(50):
        value = ["x" * 50 + str(i) for i in range(100)]
        pool.root = {str(i): value.pop() for i in range(50)}
        assert len(pool.root) == 50
        pool.root = None


# ---- Looking up


def test_lookups_refuse_no_type(pool):
    pool.root = [1, "one", (1, 2), None]
    pool["d"] = {1: "int", "one": "str", (1, 2): "tuple", b"one": "bytes"}
    mapping = pool["d"]
    assert mapping[Number.ONE] == "int"
    assert mapping[1.0] == mapping[True] == "int"
    assert mapping[Text("one")] == "str"
    assert mapping[Point(1, 2)] == "tuple"
    for absent in (Ordinary(), object(), "absent", Point(3, 4), frozenset(), 10**100, len):
        assert absent not in mapping
        assert mapping.get(absent) is None
        assert absent not in pool.root
        with pytest.raises(KeyError):
            mapping[absent]
    with pytest.raises(TypeError, match="unhashable"):
        [] in mapping
    assert Text("one") in pool.root
    assert Number.ONE in pool.root
