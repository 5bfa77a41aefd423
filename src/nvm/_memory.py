"""The memory manager: blocks of a pool for those who write persistent types of their own."""

from __future__ import annotations

import gc
import operator
import sys
import weakref
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex

from nvm import _core, _types
from nvm._errors import ClassNotFoundError, PoolCorruptError, StaleObjectError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nvm._core import PersistentObjectPool, Transaction

_MAX_NUMBER = 2**63 - 1


class Oid(NamedTuple):
    """The name of an object or block: its pool's id and its offset in bytes from the start."""

    pool_id: int
    offset: int


Oid.__module__ = "nvm.pmemobj"

OID_NULL = Oid(0, 0)
"""The oid of nothing."""


class _Live(NamedTuple):
    """An instance of a class with code of its own, while it lives."""

    instance: weakref.ref[Any]
    pin: _core.Pin


class MemoryManager:
    """Memory of a pool, for persistent types that lay out their own: ``obj._p_mm``.

    Each method is one operation: durable when it returns, or with the transaction that it is part
    of. A block that is allocated outside of a transaction and not yet named by anything in the
    pool stays allocated if the process dies: allocate, and store the oid, in one transaction.

    A class offers ``_p_new(manager)``, which allocates the head of a new object and returns its
    oid; ``_p_resurrect(manager, oid)``, called on an instance made by ``__new__`` alone;
    ``_p_traverse()``, the oids of the objects that it holds references to (``incref``);
    ``_p_substructures()``, its other blocks as (type number, oid) pairs; and ``_p_deallocate()``,
    which drops these references and frees these blocks, but not the head, and leaves the object
    empty: it may be called again. Before ``_p_new`` and
    ``_p_resurrect`` its ``_p_mm`` and, for the latter, ``_p_oid`` are set.

    ``pool.new(Class, ...)`` calls ``_p_new``, then ``__init__`` with the arguments, in one
    transaction. The object can be stored like any other, and is freed when nothing refers to it
    any more and no instance of it lives: at the next use of the manager, ``pool.sync()``,
    ``pool.gc()`` or ``pool.close()``.
    """

    def __init__(self, pool: PersistentObjectPool) -> None:
        self._pool = pool
        self._live: dict[int, _Live] = {}
        self._freeing = False

    def __repr__(self) -> str:
        return f"<MemoryManager of {self._pool!r}>"

    @property
    def pool(self) -> PersistentObjectPool:
        """The pool whose memory this is."""
        return self._pool

    # ---- Objects

    def new(self, type: type[Any], /, *args: Any, **kwargs: Any) -> Any:
        """Make a persistent object: as ``pool.new``."""
        return self._pool.new(type, *args, **kwargs)

    def transaction(self) -> Transaction:
        """Return a transaction of the pool: as ``pool.transaction``."""
        return self._pool.transaction()

    def persist(self, obj: Any) -> Oid:
        """Store a value and return the oid of the object that holds it.

        A persistent object of this pool gives its own oid. Anything else that a pool can store is
        stored: a list, dict or set as what it becomes by assignment, any other value in a
        PersistentTuple of its own. A new object is freed unless the transaction that it is
        made in gives it a reference (``incref``, or a place in another object).
        """
        oid = getattr(obj, "_p_oid", None)
        if oid is not None:
            return self.otuple(oid)
        kind = _KINDS.get(type(obj))
        made = (
            self._pool.new(_types.PersistentTuple, (obj,))
            if kind is None
            else self._pool.new(kind, obj)
        )
        return self.otuple(made._p_oid)

    def resurrect(self, oid: tuple[int, int]) -> Any:
        """Return the object of an oid, None for ``OID_NULL``.

        Raises:
            ValueError: There is no object there.
        """
        if tuple(oid) == OID_NULL:
            return None
        return _core._memory_fetch(self._pool, self._offset(oid))

    # ---- Blocks

    def alloc(self, size: SupportsIndex, type_num: SupportsIndex = 0) -> Oid:
        """Allocate a block of ``size`` bytes, whose content is undefined.

        Args:
            size: Bytes; 0 is fine.
            type_num: A number of your own, from 0 to 2**63 - 1, which stays with the block.

        Raises:
            PoolFullError: The pool is full.
            ValueError: The size is negative or beyond what a block can have.
        """
        return self._alloc(size, type_num, zeroed=False)

    def zalloc(self, size: SupportsIndex, type_num: SupportsIndex = 0) -> Oid:
        """Allocate a block of ``size`` bytes, all zero: as ``alloc``."""
        return self._alloc(size, type_num, zeroed=True)

    def realloc(
        self, oid: tuple[int, int], size: SupportsIndex, type_num: SupportsIndex | None = None
    ) -> Oid:
        """Give a block another size; it may move. What it keeps of its content stays.

        ``OID_NULL`` allocates a new block. The type number stays unless one is given.

        Raises:
            BufferError: A view given by ``direct`` is alive.
            ValueError: There is no block there, or it is the head of an object.
        """
        return self._realloc(oid, size, type_num, zeroed=False)

    def zrealloc(
        self, oid: tuple[int, int], size: SupportsIndex, type_num: SupportsIndex | None = None
    ) -> Oid:
        """Give a block another size, zeros where it grows: as ``realloc``."""
        return self._realloc(oid, size, type_num, zeroed=True)

    def free(self, oid: tuple[int, int]) -> None:
        """Free a block; nothing for ``OID_NULL``.

        Raises:
            BufferError: A view given by ``direct`` is alive.
            ValueError: There is no block there.
        """
        if tuple(oid) != OID_NULL:
            _core._memory_release(self._pool, self._offset(oid))

    def direct(self, oid: tuple[int, int]) -> memoryview:
        """Return the bytes of a block: a writable memoryview, bounded to the size allocated.

        What is stored through it is durable after its release, ``pool.sync()``, ``pool.close()``
        or the end of a transaction; it is undone by an abort only where ``snapshot_range`` was
        told before. The block can be neither freed nor moved while it lives.
        """
        return memoryview(_core._memory_block(self._pool, self._offset(oid)))

    def snapshot_range(self, ptr: memoryview, size: SupportsIndex | None = None) -> None:
        """Tell a transaction that bytes are about to change, so that an abort restores them.

        Args:
            ptr: A view given by ``direct``, or a slice of it.
            size: Bytes from its start; all of it unless given.

        Raises:
            TransactionError: Outside of a transaction.
            ValueError: It is no view of this pool, or ``size`` goes beyond its end.
        """
        length = memoryview(ptr).nbytes if size is None else _number(size, "size")
        _core._memory_snapshot(self._pool, ptr, length)

    # ---- Names and references

    def otuple(self, oid: tuple[int, int]) -> Oid:
        """Return an oid as a named tuple (pool id, offset).

        Raises:
            TypeError: It is no pair of integers.
            ValueError: It is of another pool.
        """
        if tuple(oid) == OID_NULL:
            return OID_NULL
        return Oid(self._pool_id(), self._offset(oid))

    def incref(self, oid: tuple[int, int]) -> None:
        """Count one more reference to the object or block: one that lies in memory of yours."""
        _core._memory_add_reference(self._pool, self._offset(oid))

    def decref(self, oid: tuple[int, int]) -> None:
        """Count one reference less; the last one frees the object or block.

        Raises:
            ValueError: There is none, or it has no reference.
        """
        _core._memory_drop_reference(self._pool, self._offset(oid))

    def xdecref(self, oid: tuple[int, int]) -> None:
        """Count one reference less, as ``decref``; nothing for ``OID_NULL``."""
        if tuple(oid) != OID_NULL:
            self.decref(oid)

    # ---- What these share

    def _pool_id(self) -> int:
        return self._pool._p_id

    def _offset(self, oid: tuple[int, int]) -> int:
        try:
            pool_id, offset = map(operator.index, oid)
        except (TypeError, ValueError):
            raise TypeError(f"an oid is a pair (pool id, offset), not {oid!r}") from None
        if pool_id != self._pool_id():
            raise ValueError(f"{(pool_id, offset)} is the oid of another pool, or of none")
        if not 0 <= offset < 2**64:
            raise ValueError(f"there is nothing at offset {offset}")
        return offset

    def _alloc(self, size: SupportsIndex, type_num: SupportsIndex, *, zeroed: bool) -> Oid:
        self._free_orphans()
        block = _core._memory_alloc(
            self._pool, _number(size, "size"), _number(type_num, "type_num"), zeroed
        )
        return Oid(self._pool_id(), block)

    def _realloc(
        self,
        oid: tuple[int, int],
        size: SupportsIndex,
        type_num: SupportsIndex | None,
        *,
        zeroed: bool,
    ) -> Oid:
        if tuple(oid) == OID_NULL:
            return self._alloc(size, 0 if type_num is None else type_num, zeroed=zeroed)
        number = None if type_num is None else _number(type_num, "type_num")
        block = _core._memory_resize(
            self._pool, self._offset(oid), _number(size, "size"), number, zeroed
        )
        return Oid(self._pool_id(), block)

    # ---- Objects of classes with code of their own; called by the extension module

    def _create(self, cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        name = f"{cls.__module__}:{cls.__qualname__}"
        with self._pool.transaction():
            instance = cls.__new__(cls)
            instance._p_mm = self
            oid = instance._p_new(self)
            if oid is None:
                oid = instance._p_oid
            instance._p_oid = self.otuple(oid)
            offset = self._offset(oid)
            pin = _core._memory_pin(self._pool, offset)
            _core._memory_adopt(self._pool, offset, name)
            self._remember(instance, pin)
            instance.__init__(*args, **kwargs)
        self._free_orphans()
        return instance

    def _instance(self, pin: _core.Pin) -> Any:
        """The instance for a head: the one that lives, or a new one."""
        offset = pin.offset
        living = self._living(offset)
        if living is not None:
            return living
        cls: Any = _core._memory_class(self._pool, offset)
        instance = cls.__new__(cls)
        instance._p_mm = self
        instance._p_oid = Oid(self._pool_id(), offset)
        instance._p_resurrect(self, instance._p_oid)
        living = self._living(offset)  # other code has run
        if living is not None:
            return living
        self._remember(instance, pin)
        return instance

    def _pin_of(self, instance: Any) -> _core.Pin:
        """The pin of an instance that is to be stored."""
        oid = getattr(instance, "_p_oid", None)
        if oid is None:
            raise TypeError(
                f"this '{type(instance).__name__}' object was not made by a pool: use "
                f"pool.new({type(instance).__name__}, ...)"
            )
        if oid[0] != self._pool_id():
            raise TypeError("an object of another pool cannot be stored: make one in this pool")
        live = self._live.get(oid[1])
        if live is None or live.instance() is not instance:
            raise StaleObjectError("the object was born in a transaction that has been undone")
        return live.pin

    def _remember(self, instance: Any, pin: _core.Pin) -> None:
        live = self._live
        offset = pin.offset

        def forget(reference: weakref.ref[Any]) -> None:
            entry = live.get(offset)
            if entry is not None and entry.instance is reference:
                del live[offset]

        live[offset] = _Live(weakref.ref(instance, forget), pin)

    def _living(self, offset: int) -> Any:
        live = self._live.get(offset)
        if live is None:
            return None
        if live.pin.offset != offset:
            del self._live[offset]  # it was undone, and the place belongs to another now
            return None
        return live.instance()

    def _free_orphans(self) -> None:
        """Let the classes of objects that nothing refers to let go what they hold."""
        if self._freeing or self._pool.closed:
            return
        self._freeing = True
        try:
            for offset in self._orphans():
                self._free_object(offset)
        finally:
            self._freeing = False

    def _orphans(self) -> Iterator[int]:
        """Each once, those too that come to be meanwhile."""
        seen: set[int] = set()
        while True:
            found = [at for at in _core._memory_orphans(self._pool) if at not in seen]
            if not found:
                return
            seen.update(found)
            yield from found

    def _free_object(self, offset: int) -> None:
        try:
            with self._pool.transaction():
                instance = _core._memory_fetch(self._pool, offset)
                instance._p_deallocate()
                self._live.pop(offset, None)
                _core._memory_release(self._pool, offset)
        except ClassNotFoundError:
            return  # it waits until a program that has the class opens the pool
        except Exception as error:
            _core._memory_report(error, f"freeing the object at offset {offset}")

    def _held(self, heads: list[int], strict: bool) -> Iterator[tuple[int, list[int], list[int]]]:
        """What each object refers to and owns, by offsets, as its class says."""
        for head in heads:
            try:
                instance = _core._memory_fetch(self._pool, head)
            except (ClassNotFoundError, PoolCorruptError):
                if strict:
                    raise
                continue  # check() tells of what is damaged by itself
            references = [self._offset(oid) for oid in instance._p_traverse()]
            blocks = [self._offset(oid) for _, oid in instance._p_substructures()]
            yield head, references, blocks
            del instance
        _end_instances()

    def _free_garbage(self, heads: list[int]) -> None:
        """Let objects that only cycles keep alive let go what they hold."""
        for head in heads:
            try:
                with self._pool.transaction():
                    _core._memory_fetch(self._pool, head)._p_deallocate()
            except Exception as error:
                _core._memory_report(error, f"emptying the object at offset {head}")
        self._free_orphans()


_KINDS: dict[type[Any], Any] = {
    list: _types.PersistentList,
    dict: _types.PersistentDict,
    set: _types.PersistentSet,
    bytearray: _types.PersistentByteArray,
}


def _end_instances() -> None:
    """End those that nothing refers to: PyPy's collector takes a few rounds for their pins."""
    if sys.implementation.name != "cpython":
        for _ in range(4):
            gc.collect()


def _number(value: SupportsIndex, name: str) -> int:
    number = operator.index(value)
    if not 0 <= number <= _MAX_NUMBER:
        raise ValueError(f"{name} must be from 0 to 2**63 - 1, not {number}")
    return number


for _public in (MemoryManager,):
    _public.__module__ = "nvm.pmemobj"
del _public
