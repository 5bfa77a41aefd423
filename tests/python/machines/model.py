"""What a pool should hold, as built-in objects: recipes of values, and how the two are compared."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any, Callable

from hypothesis import strategies as st

from interpreter import CPYTHON
from nvm.pmemobj import (
    PersistentByteArray,
    PersistentDict,
    PersistentList,
    PersistentObject,
    PersistentSet,
)
from outcome import in_the_built_in_s_words
from values_of_types import DATETIMES, DECIMALS, Number, Text


class Node(PersistentObject):
    """An object with any attributes, and a default that its class has."""

    default: Any = "the class's"

    def __init__(self, **attributes: Any) -> None:
        for name, value in attributes.items():
            setattr(self, name, value)


class Plain:
    """What stands for a Node."""

    default: Any = "the class's"

    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)


Pairs = list[tuple[Any, Any]]

OURS: dict[type, type] = {
    list: PersistentList,
    dict: PersistentDict,
    set: PersistentSet,
    bytearray: PersistentByteArray,
    Plain: Node,
}

# ---- Values, and how to make them


@dataclasses.dataclass(frozen=True)
class Known:
    """A container that is there already: the one of this number, in the order of agree()."""

    number: int


@dataclasses.dataclass(frozen=True)
class Made:
    """A new Node with these attributes."""

    attributes: dict[str, Any]


SCALARS = st.sampled_from(
    [
        *(None, True, False, ..., 0, 1, -1, 7, 2**47, -(2**60), 2**80, 0.0, -0.0, 1.0, 2.5),
        *(
            "",
            "a",
            "é",
            "five5",
            "sixsix",
            "long " * 20,
            "\U0001f40d" * 30,
            b"",
            b"b" * 5,
            b"\0" * 70,
        ),
        *(1 + 2j, (), (1, ("a", 2**90)), frozenset({1, "z" * 30}), DECIMALS[5], DATETIMES[2]),
        *(Number.TWO, Text.LONGER),
    ]
)
KEYS = SCALARS | st.integers(0, 40) | st.text("ab", max_size=3)
NAMES = st.sampled_from(["a", "b", "c", "default", "a_longer_name"])
KNOWN = st.builds(Known, st.integers(0, 20))
VALUES = SCALARS | st.recursive(
    SCALARS | KNOWN,
    lambda values: (
        st.lists(values, max_size=3)
        | st.dictionaries(KEYS, values, max_size=3)
        | st.sets(KEYS, max_size=3)
        | st.binary(max_size=12).map(bytearray)
        | st.tuples(values, values)
        | st.builds(Made, st.dictionaries(st.sampled_from("abc"), values, max_size=3))
    ),
    max_leaves=4,
)
INDEXES = st.integers(-9, 9)
ENDS = st.none() | st.integers(-9, 9)
RANGES = st.builds(slice, ENDS, ENDS)
SLICES = RANGES | st.builds(slice, ENDS, ENDS, st.sampled_from([1, 2, -1, -2]))

PLACES = INDEXES | SLICES
# Which of the containers of a kind.
WHICH = st.integers(0, 9)


def make(recipe: Any, known: list[Any], new: Callable[..., Any]) -> Any:
    """What the recipe says, with these known containers; new(**attributes) makes a Made."""

    def parts(values: Any) -> Any:
        return [make(value, known, new) for value in values]

    kind = type(recipe)
    if kind is Known:
        return known[recipe.number % len(known)]
    if kind is Made:
        return new(**dict(zip(recipe.attributes, parts(recipe.attributes.values()))))
    if kind is dict:
        return dict(zip(recipe, parts(recipe.values())))
    if kind in (list, tuple):
        return kind(parts(recipe))
    return recipe.copy() if kind in (set, bytearray) else recipe


# ---- Whether the two are the same


class Comparison:
    """Of a model and a pool's content, all the way down; holds what it met."""

    def __init__(self) -> None:
        self.pairs: Pairs = []
        self.partners: dict[int, Any] = {}  # of the models, by their id
        self.owners: dict[int, Any] = {}  # the models, by the id of ours

    def visit(self, model: Any, ours: Any) -> None:
        kind = OURS.get(type(model))
        if kind is not None and type(ours) is kind:
            if id(model) in self.partners:
                assert self.partners[id(model)] is ours
                return
            assert id(ours) not in self.owners
            self.partners[id(model)], self.owners[id(ours)] = ours, model
            self.pairs.append((model, ours))
        else:
            assert type(ours) is type(model)
        self.visit_parts(model, ours)

    def visit_parts(self, model: Any, ours: Any) -> None:
        if isinstance(model, (list, tuple)):
            assert len(ours) == len(model)
            for part, our_part in zip(model, ours):
                self.visit(part, our_part)
        elif isinstance(model, dict):
            assert list(ours) == list(model)
            for key, part in model.items():
                self.visit(part, ours[key])
        elif isinstance(model, Plain):
            assert set(vars(ours)) == set(vars(model))
            for name in sorted(vars(model)):
                self.visit(getattr(model, name), getattr(ours, name))
        else:
            assert ours == model


def agree(model: Any, ours: Any) -> Pairs:
    """Fails unless they are the same all the way down, with the same things shared.

    Returns:
        Each container and its proxy, once, in an order that the model's content gives.
    """
    comparison = Comparison()
    comparison.visit(model, ours)
    return comparison.pairs


def alike(result: tuple[str, Any], our_result: tuple[str, Any]) -> None:
    """Fails unless two calls gave the same, or raised the same."""
    assert our_result[0] == result[0], (result, our_result)
    value, our_value = result[1], our_result[1]
    if result[0] == "returned":
        agree(value, our_value)
        return
    assert type(our_value) is type(value), (value, our_value)
    if isinstance(value, KeyError) and not isinstance(value.args[0], str):
        agree(value.args[0], our_value.args[0])  # the key may be an object, which says where it is
        return
    # PyPy's built-ins have words of their own; so has the stack where it ends.
    if CPYTHON and not isinstance(value, RecursionError):
        words = in_the_built_in_s_words(str(our_value)).replace("Node", "Plain")
        if sys.version_info < (3, 11) and words == f"'Plain' object has no attribute '{value}'":
            return  # del names the attribute only
        assert words.endswith(" is not in list") or words == str(value)


# ---- Calls


@dataclasses.dataclass(frozen=True)
class Call:
    """A function of a container, with recipes for its other arguments."""

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]

    def __repr__(self) -> str:
        return f"{self.name}{self.arguments!r}"


def method(name: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Call]:
    """Calls of a container's method."""

    def call(container: Any, *arguments: Any) -> Any:
        return getattr(container, name)(*arguments)

    return st.tuples(*arguments).map(lambda drawn: Call(name, call, drawn))


def function(
    called: Callable[..., Any], *arguments: st.SearchStrategy[Any]
) -> st.SearchStrategy[Call]:
    """Calls of a function of a container."""
    return st.tuples(*arguments).map(lambda drawn: Call(called.__name__, called, drawn))
