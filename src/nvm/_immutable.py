"""Which immutable types a pool can hold, and how: what the extension asks about a class.

Nothing here imports a module because a pool names it: the extension finds the class first, among
what the program has imported, registered or named by an alias.
"""

from __future__ import annotations

import enum
import io
import pickle
import weakref
from typing import TYPE_CHECKING, Any, Callable, TypeVar

from nvm import _enums
from nvm._converter import (
    DATACLASS,
    ENUMERATION,
    NAMED_TUPLE,
    PICKLED,
    REGISTERED,
    STANDARD,
    Converter,
    name_of,
    no_key,
    same_equality,
)
from nvm._errors import ClassNotFoundError, Error, UnreadableValueError

if TYPE_CHECKING:
    from types import ModuleType

_T = TypeVar("_T")

# Stored as they are, or as a persistent container of their own.
_BUILT_IN = (
    *(type(None), bool, int, float, complex, str, bytes, type(Ellipsis), tuple, frozenset),
    *(list, dict, set, bytearray, object, type),
)

named: dict[str, type] = {}
"""Classes by the names that pools know them by: registered ones, and aliases."""

aliases: dict[type, tuple[str, ...]] = {}
"""The former names of classes."""

_registered: dict[type, Converter] = {}
_met: weakref.WeakKeyDictionary[type, Converter] = weakref.WeakKeyDictionary()

# ---- From a class to its converter


def _standard() -> ModuleType:
    """Return the table of the standard library's types, which takes long to import."""
    from nvm import _standard as table

    return table


def _is_named_tuple(cls: type) -> bool:
    """Whether instances are named tuples that are equal to their tuples."""
    if not issubclass(cls, tuple):
        return False
    return isinstance(getattr(cls, "_fields", None), tuple) and same_equality(cls, tuple)


def _only_a_tuple(value: tuple[Any, ...]) -> tuple[Any, ...]:
    if getattr(value, "__dict__", None):
        raise TypeError(
            f"a '{type(value).__qualname__}' with attributes beside its fields cannot be stored"
        )
    return value


_NAMED_TUPLE = Converter(NAMED_TUPLE, _only_a_tuple, no_key, lambda cls, state: state)


def _of_dataclass(cls: type) -> Converter | None:
    from nvm import _dataclasses  # takes long to import

    return _dataclasses.converter_of(cls)


def _of_users_class(cls: type) -> Converter | None:
    if isinstance(cls, enum.EnumMeta):
        return _enums.converter_of(cls)
    if "__dataclass_params__" in cls.__dict__:
        return _of_dataclass(cls)
    if _is_named_tuple(cls):
        return _NAMED_TUPLE
    return None


def find(cls: type) -> Converter | None:
    """Return how values of exactly this class are stored; None: they are not."""
    if type(cls).__hash__ is None:
        return None
    converter = _registered.get(cls) or _standard().CONVERTERS.get(cls) or _met.get(cls)
    if converter is None:
        converter = _of_users_class(cls)
        if converter is not None:
            _met[cls] = converter
    return converter


def find_for_look_up(cls: type) -> Converter | None:
    """Return how values of the class are compared with stored ones.

    A subclass of a type of the standard library that has no equality of its own is looked up as it.
    """
    converter = find(cls)
    if converter is not None:
        return converter
    for base in cls.__mro__[1:-1]:
        converter = _standard().CONVERTERS.get(base)
        if converter is not None:
            return converter if same_equality(cls, base) else None
    return None


# ---- Pickled values

pickled = Converter(
    PICKLED, lambda value: pickle.dumps(value, 4), no_key, lambda cls, state: _unpickled(state)
)
"""For the types that pool.persist_via_pickle() has been given."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        renamed = named.get(f"{module}:{name}")
        return super().find_class(module, name) if renamed is None else renamed


def _unpickled(state: bytes) -> object:
    return _Unpickler(io.BytesIO(state)).load()


# ---- Back from a pool

_BY_FORM: dict[int, Callable[[type], Converter | None]] = {
    STANDARD: lambda cls: _standard().CONVERTERS.get(cls),
    ENUMERATION: lambda cls: _enums.converter_of(cls) if isinstance(cls, enum.EnumMeta) else None,
    DATACLASS: _of_dataclass,
    REGISTERED: _registered.get,
    PICKLED: lambda cls: pickled,
}

_WANTED = {
    STANDARD: "is not of the standard library here",
    ENUMERATION: "is no enum here",
    DATACLASS: "is no frozen dataclass here",
    REGISTERED: "is not registered here: call nvm.register_type",
}


def _standard_class(name: str) -> type:
    cls: type | None = _standard().CLASSES.get(name)
    if cls is None:
        raise ClassNotFoundError(f"class '{name}' is not known to this version of nvm", name=name)
    return cls


def restore(form: int, name: str, cls: type | None, state: object) -> object:
    """Make a value of a class from what is stored of it.

    Args:
        form: What kind of class it is.
        name: The name by which the pool knows it.
        cls: The class; None: the one of the standard library.
        state: What is stored.

    Raises:
        ClassNotFoundError: The class is not of the kind that it was.
        UnreadableValueError: No value, or one of another type, comes of it.
    """
    if cls is None:
        cls = _standard_class(name)
    converter = _BY_FORM[form](cls)
    if converter is None:
        raise ClassNotFoundError(f"class '{name}' {_WANTED[form]}", name=cls.__module__)
    try:
        value = converter.from_state(cls, state)
    except (Error, MemoryError):
        raise
    except Exception as error:
        raise UnreadableValueError(
            f"a stored '{name}' cannot be made again: {type(error).__name__}: {error}"
        ) from error
    if type(value) is not cls:
        raise UnreadableValueError(
            f"a stored '{name}' cannot be made again: what is made is a '{type(value).__name__}'"
        )
    return value


def check_named_tuple(name: str, cls: type, length: int) -> None:
    """Raise unless a tuple of this length can be made a named tuple of the class."""
    if not _is_named_tuple(cls):
        raise ClassNotFoundError(f"class '{name}' is no named tuple here", name=cls.__module__)
    fields = len(cls._fields)  # type: ignore[attr-defined]
    if fields != length:
        raise UnreadableValueError(
            f"a stored '{name}' cannot be made again: it has {length} fields, its class {fields}"
        )


def raise_not_nominated(name: str) -> None:
    """Say why a pickled value is not loaded."""
    raise UnreadableValueError(
        f"a stored '{name}' is pickled, and pickles can run any code: if the pool is to be "
        f"trusted, call pool.persist_via_pickle({name.rpartition(':')[2]}) first"
    )


# ---- What users call


def register_type(
    cls: type[_T],
    to_state: Callable[[_T], object],
    from_state: Callable[[Any], _T],
    *,
    key: Callable[[_T], tuple[Any, ...]] | None = None,
) -> None:
    """Let pools of this process hold values of an immutable type.

    Values come back equal, of the same type, as new instances. The type has to be registered again
    in each process that reads them; one that is not is a ClassNotFoundError for its values alone.

    Args:
        cls: The class; its subclasses are not meant.
        to_state: Gives, for a value, the built-ins to store: anything that a pool can hold. What is
            in it must be enough for ``from_state``.
        from_state: Gives the value for such a state (lists and dicts in it are copies).
        key: Gives an equal tuple of hashable built-ins for equal values, and for them only. With
            it values can be keys of dicts, found by this equality in every process.

    Raises:
        TypeError: ``cls`` is no class, or pools hold its instances already; the rest are no
            functions.
        ValueError: It is registered.
    """
    _check_is_class(cls)
    if cls in _BUILT_IN or cls in _standard().CONVERTERS or _is_persistent(cls):
        raise TypeError(f"'{cls.__qualname__}' needs no registration: pools hold its instances")
    for function in (to_state, from_state, *(() if key is None else (key,))):
        if not callable(function):
            raise TypeError(f"a function is needed, not '{type(function).__name__}'")
    if cls in _registered:
        raise ValueError(f"'{cls.__qualname__}' is registered already")
    _registered[cls] = Converter(
        REGISTERED,
        to_state,
        no_key if key is None else _checked_key(key),
        lambda _, state: from_state(state),
    )
    named[name_of(cls)] = cls


def _checked_key(key: Callable[[Any], object]) -> Callable[[Any, str], object]:
    def checked(value: object, name: str) -> object:
        parts = key(value)
        if type(parts) is not tuple:
            raise TypeError(
                f"the key of a '{type(value).__qualname__}' has to be a tuple, "
                f"not '{type(parts).__name__}'"
            )
        try:
            hash(parts)
        except TypeError as error:
            raise TypeError(f"the key of a '{type(value).__qualname__}': {error}") from error
        return "type", name, parts

    return checked


def class_alias(name: str, cls: type) -> None:
    """Let values of a class that was renamed be read as those of its successor.

    It is for classes derived from PersistentObject, enums, named tuples, frozen dataclasses and
    registered types alike, and has to be called in each process, before values of the class are
    read or stored. In a pool that knows the former name, the class goes on under it, so that keys
    stored before and after the change are equal.

    Args:
        name: The former name, ``"module:qualified name"``.
        cls: The class that is meant now.

    Raises:
        TypeError: ``cls`` is no class, or ``name`` no str.
        ValueError: The name has another form, is that of the class itself, or is taken.
    """
    _check_is_class(cls)
    if not isinstance(name, str):
        raise TypeError(f"a name is a str, not '{type(name).__name__}'")
    module, colon, qualname = name.partition(":")
    if not (module and colon and qualname) or ":" in qualname:
        raise ValueError(f"a class's name has the form 'module:Name', which {name!r} has not")
    if name == name_of(cls):
        raise ValueError(f"{name!r} is the class's name")
    if named.get(name, cls) is not cls:
        raise ValueError(f"{name!r} is taken by {named[name].__qualname__!r}")
    named[name] = cls
    former = aliases.get(cls, ())
    if name not in former:
        aliases[cls] = (*former, name)


def _check_is_class(cls: object) -> None:
    if not isinstance(cls, type):
        raise TypeError(f"a class is needed, not '{type(cls).__name__}'")


def _is_persistent(cls: type) -> bool:
    from nvm import _types

    return issubclass(cls, tuple(getattr(_types, name) for name in _types.__all__))
