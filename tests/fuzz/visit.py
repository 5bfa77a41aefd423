"""Reads everything in a pool, through all that Python offers for it."""

from __future__ import annotations

import copy
from functools import partial
from operator import contains, getitem
from typing import TYPE_CHECKING, Any

from nvm.pmemobj import (
    PersistentByteArray,
    PersistentDict,
    PersistentFrozenSet,
    PersistentList,
    PersistentObject,
    PersistentSet,
    PersistentTuple,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fuzz.report import Report

MOST_OBJECTS = 3000  # damage can make many of few
FIRST = 12  # elements that are read one by one
NOTHING_MORE = {int, bool, float, type(None), type(...)}  # having been read, they are as they are


class Visit:
    """One walk. What it tries and what comes of it is noted in the report."""

    def __init__(self, report: Report) -> None:
        self._try = report.attempt
        self._seen: set[Any] = set()
        self._waiting: list[Any] = []

    def walk(self, *roots: Any) -> None:
        self._waiting += roots
        while self._waiting and len(self._seen) < MOST_OBJECTS:
            value = self._waiting.pop()
            if type(value) in (str, bytes, tuple):
                self._plain(value)
            elif type(value) not in NOTHING_MORE:
                self._visit(value)

    def _visit(self, value: Any) -> None:
        for kinds, visit in self._VISITS:
            if isinstance(value, kinds):
                if self._is_new(value):
                    visit(self, value)
                return
        self._plain(value)

    def _is_new(self, value: Any) -> bool:
        oid = getattr(value, "_p_oid", None)
        if oid in self._seen:
            return False
        if oid is not None:
            self._seen.add(oid)
        return True

    def _later(self, name: str, values: Callable[[], Iterable[Any]]) -> None:
        """Reads the elements: all, or until one cannot be read."""
        found: list[Any] = []
        self._try(name, lambda: found.extend(values()))
        self._waiting += [value for value in found if type(value) not in NOTHING_MORE]

    def _list(self, value: Any) -> None:
        length = self._try("len(list)", lambda: len(value)) or 0
        self._later("iter(list)", lambda: value)
        for index in [*range(min(length, FIRST)), -1]:
            self._one("list[i]", partial(getitem, value, index), IndexError)
        self._try("reversed(list)", lambda: list(reversed(value)))
        self._try("list[::2]", lambda: value[::2])
        self._try("in list", lambda: "absent" in value)
        self._try("list.count", lambda: value.count(1))
        self._try("list.index", lambda: value.index(-5), ValueError)
        self._try("list == list", lambda: value == [*range(300)])
        self._try("list.copy", value.copy)
        self._copies(value)

    def _dict(self, value: Any) -> None:
        self._try("len(dict)", lambda: len(value))
        keys = self._try("list(dict)", lambda: list(value)) or []
        for key in keys[:FIRST]:
            self._one("dict[key]", partial(getitem, value, key), KeyError, TypeError)
            self._try("in dict", partial(contains, value, key), TypeError)
        self._later("dict.keys", lambda: value.keys())
        self._later("dict.values", lambda: value.values())
        self._later("dict.items", lambda: value.items())
        self._try("reversed(dict)", lambda: list(reversed(value)))
        for absent in (1, "absent", 2.5, ("a", 1), b"absent" * 5):
            self._try("dict.get", partial(value.get, absent))
        self._try("dict.copy", value.copy)
        self._try("dict == dict", lambda: value == {})
        self._copies(value)

    def _set(self, value: Any) -> None:
        self._try("len(set)", lambda: len(value))
        self._later("iter(set)", lambda: value)
        for element in (1, "two", 3.5, (4, 5), frozenset({6})):
            self._try("in set", partial(contains, value, element))
        self._try("set & set", lambda: value & {1, 2})
        self._try("set | set", lambda: value | {1, 2})
        self._try("set <= set", lambda: value <= {1, 2})
        self._copies(value)

    def _tuple(self, value: Any) -> None:
        self._try("len(tuple)", lambda: len(value))
        self._later("iter(tuple)", lambda: value)
        self._try("tuple[-1]", lambda: value[-1], IndexError)
        self._try("in tuple", lambda: "absent" in value)
        self._try("hash", lambda: hash(value), TypeError)
        self._copies(value)

    def _bytearray(self, value: Any) -> None:
        self._try("bytes(bytearray)", lambda: bytes(value))
        self._try("bytearray[0]", lambda: value[0], IndexError)
        self._try("bytearray.find", lambda: value.find(b"absent"))
        self._try("repr", lambda: repr(value))

    def _object(self, value: Any) -> None:
        # A dataclass may have lost an attribute.
        self._try("repr", lambda: repr(value), AttributeError)
        names = self._try("vars(object)", lambda: list(vars(value))) or []
        for name in names[:FIRST]:
            self._one("object.name", partial(getattr, value, name), AttributeError)
        self._one("object.absent", lambda: getattr(value, "absent", None))
        self._later("vars(object).items", lambda: vars(value).items())
        self._try("dir", lambda: dir(value))

    def _plain(self, value: Any) -> None:
        self._try("repr", lambda: repr(value), AttributeError)
        self._try("hash", lambda: hash(value), TypeError)
        self._try("==", lambda: value == value)
        if isinstance(value, str):
            self._try("encode", lambda: value.encode("utf-8", "surrogatepass"))
        if isinstance(value, (tuple, frozenset)):
            self._waiting += value

    def _one(self, name: str, read: Callable[[], Any], *fine: type[BaseException]) -> None:
        self._waiting.append(self._try(name, read, *fine))

    def _copies(self, value: Any) -> None:
        self._try("repr", lambda: repr(value), AttributeError)
        self._try("to_python", value.to_python)
        self._try("copy", lambda: copy.copy(value))

    _VISITS: tuple[tuple[Any, Callable[[Visit, Any], None]], ...] = (
        (PersistentList, _list),
        (PersistentDict, _dict),
        ((PersistentSet, PersistentFrozenSet), _set),
        (PersistentTuple, _tuple),
        (PersistentByteArray, _bytearray),
        (PersistentObject, _object),
    )
