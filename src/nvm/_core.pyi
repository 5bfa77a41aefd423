"""The extension module: everything public in it is found in nvm and nvm.pmemobj."""

from collections.abc import (
    ItemsView,
    Iterable,
    Iterator,
    KeysView,
    Mapping,
    MutableMapping,
    MutableSequence,
    MutableSet,
    Sequence,
    Set,
    ValuesView,
)
from os import PathLike
from types import TracebackType
from typing import Any, Callable, Generic, Literal, SupportsIndex, TypeVar, overload

from typing_extensions import ParamSpec, Self, TypeAlias

from nvm._finding import Finding
from nvm._memory import MemoryManager

_T = TypeVar("_T")
_S = TypeVar("_S")
_K = TypeVar("_K")
_V = TypeVar("_V")
_P = ParamSpec("_P")
_Function = TypeVar("_Function", bound=Callable[[], object])
_Object = TypeVar("_Object", bound=PersistentObject)

_Path: TypeAlias = str | bytes | PathLike[str] | PathLike[bytes]
_Bytes: TypeAlias = bytes | bytearray | memoryview | PersistentByteArray
_Flag: TypeAlias = Literal["r", "w", "c", "n", "x"]
_Progress: TypeAlias = Callable[[int, int], object] | bool | None

MIN_POOL_SIZE: int
"""The least size of a pool, in bytes."""

def open(
    path: _Path,
    flag: _Flag = "c",
    *,
    size: int | str | None = None,
    mode: int = 0o666,
    backend: Literal["dax", "journal", "memory"] | None = None,
    sync: Literal["commit", "relaxed"] = "commit",
    timeout: float | None = 0,
) -> PersistentObjectPool:
    """Open a pool of persistent objects, creating the file if the flag says so.

    Args:
        path: The file.
        flag: ``"r"`` an existing pool, for reading: nothing in the file changes; ``"w"`` an
            existing one; ``"c"`` create it if it is missing; ``"n"`` always a new one, replacing
            the file; ``"x"`` create it, FileExistsError if it exists.
        size: The limit that the pool may grow to, in bytes or as a text such as ``"64 GiB"``. It
            raises an existing pool's. By default half of what the file system has free; with
            the journal 64 GiB, as its files take only what is used of them.
        mode: The permissions of a new file, less the umask.
        backend: What makes stores durable: ``"dax"`` the processor's caches written back, for
            persistent memory; ``"journal"`` one write and one sync a commit, for disks;
            ``"memory"`` nothing, for tmpfs and what need not survive a power failure. By default
            what the file system calls for.
        sync: ``"commit"``: an operation or transaction is durable when it returns.
            ``"relaxed"``, with the journal: it survives the process then, and soon afterwards (a
            tenth of a second, if the disk keeps up) a power failure, of which a later change never
            survives without all before it.
        timeout: Seconds to wait for another process that has the pool open; None: for ever.

    Returns:
        The pool, a context manager and a mapping.

    Raises:
        OSError: The file is missing, exists, cannot be accessed or is no regular file; the disk
            has too little room.
        PoolLockedError: It is open already, in another process or in this one.
        PoolCorruptError: It is damaged or no pool.
        LayoutError: It is the pool of another program or format.
        ValueError: The size is too small or too large, or another argument is wrong.
    """

def pmemobj_create(
    filename: _Path, pool_size: int = ..., mode: int = 0o666, debug: bool = False
) -> PersistentObjectPool:
    """Create a pool that may grow to ``pool_size`` bytes.

    Raises:
        FileExistsError: The file exists.
        ValueError: ``pool_size`` is under MIN_POOL_SIZE.
    """

def pmemobj_open(filename: _Path, debug: bool = False) -> PersistentObjectPool:
    """Open an existing pool.

    Raises:
        FileNotFoundError: The file does not exist.
        PoolLockedError, PoolCorruptError, LayoutError: As nvm.open().
    """

def libraries() -> dict[str, dict[str, str]]:
    """Return the libraries of PMDK in use.

    For each name the version of its interface (``"version"``) and the file it was loaded from
    (``"path"``).
    """

class PersistentObjectPool(MutableMapping[Any, Any]):
    """A file of persistent objects. nvm.open() is the usual way to one.

    A pool is a context manager that closes itself, has a root object of any kind, and is a mapping
    over a dict of its own: ``pool["users"] = {}``. Whatever is assigned is copied into the pool and
    durable when the assignment returns. A pool is true, and equal only to itself.
    """

    root: Any
    """The root object: None in a new pool; anything that can be stored may be assigned."""

    @property
    def _p_id(self) -> int:
        """What the oids of the pool's objects begin with."""

    @property
    def _p_mm(self) -> MemoryManager:
        """The pool's MemoryManager."""

    def __init__(
        self,
        filename: _Path,
        flag: _Flag = "w",
        pool_size: int = ...,
        mode: int = 0o666,
        debug: bool = False,
    ) -> None:
        """Open a pool.

        Args:
            filename: The file.
            flag: ``"w"`` an existing pool, ``"c"`` create it if it is missing, ``"x"`` create it,
                ``"r"`` for reading, ``"n"`` always a new one.
            pool_size: The limit that a new pool may grow to, in bytes; raises an existing one's.
            mode: The permissions of a new file, less the umask.
            debug: What gc() takes for its own debug by default.
        """

    @property
    def filename(self) -> str:
        """The file's name, as it was given."""

    @property
    def closed(self) -> bool:
        """True once the pool cannot be used any more."""

    @property
    def flag(self) -> _Flag:
        """The flag it was opened with."""

    @property
    def debug(self) -> bool:
        """Whether collections log what they meet."""

    @property
    def backend(self) -> Literal["dax", "memory"]:
        """What makes stores durable."""

    @property
    def size(self) -> int:
        """Bytes that the file has now."""

    @property
    def limit(self) -> int:
        """Bytes that the file may grow to."""

    @overload
    def new(
        self, type: type[PersistentList[Any]], iterable: Iterable[_T] = ..., /
    ) -> PersistentList[_T]: ...
    @overload
    def new(
        self, type: type[PersistentDict[Any, Any]], /, *args: Any, **kwargs: Any
    ) -> PersistentDict[Any, Any]: ...
    @overload
    def new(
        self, type: type[PersistentSet[Any]], iterable: Iterable[_T] = ..., /
    ) -> PersistentSet[_T]: ...
    @overload
    def new(
        self, type: type[PersistentByteArray], /, *args: Any, **kwargs: Any
    ) -> PersistentByteArray: ...
    @overload
    def new(
        self, type: type[PersistentTuple[Any]], iterable: Iterable[_T] = ..., /
    ) -> PersistentTuple[_T]: ...
    @overload
    def new(
        self, type: type[PersistentFrozenSet[Any]], iterable: Iterable[_T] = ..., /
    ) -> PersistentFrozenSet[_T]: ...
    @overload
    def new(self, type: Callable[_P, _Object], /, *args: _P.args, **kwargs: _P.kwargs) -> _Object:
        """Make a persistent object.

        It is freed again when the last reference to it is gone, unless something in the pool refers
        to it by then.

        Args:
            type: One of the persistent types of nvm.pmemobj, or a subclass of PersistentObject.
            *args: What its constructor takes.
            **kwargs: The same.
        """

    def transaction(
        self, *, timeout: float | None = None, sync: Literal["commit", "relaxed"] | None = None
    ) -> Transaction:
        """Return a context manager and decorator that makes all changes in it one.

        Args:
            timeout: Seconds to wait for other threads at its beginning (None: for ever); then
                TransactionTimeoutError is raised.
            sync: As for nvm.open(), for this transaction if it is the outermost; None: as the pool
                was opened.
        """

    def reading(self, *, timeout: float | None = None) -> Reading:
        """Return a context manager for a consistent view over several reads.

        Inside, no thread changes the pool; a change by this one is a TransactionError.

        Args:
            timeout: As for transaction().
        """

    def persist_via_pickle(self, *types: type) -> None:
        """Let the pool hold instances of these classes as pickles, and load those that it holds.

        It is for classes that a pool could not hold otherwise; they cannot be keys. Loading a
        pickle can run any code: call this only for pools that you trust. It holds for this pool
        object, until it is closed.

        Args:
            *types: The classes themselves, not their subclasses.
        """

    def sync(self) -> None:
        """Return when everything done so far is as durable as the backend makes it.

        With the journal: on stable storage, what was done relaxed included.

        Raises:
            OSError: It could not be written or synced; the pool takes no more changes then.
        """

    def check(self, *, repair: bool = False, progress: _Progress = None) -> list[Finding]:
        """Look through the whole pool and say what is wrong with it.

        Everything that can be reached is looked at: values, reference counts, indexes, and whether
        each allocated block belongs to something. Other threads can read meanwhile, not write.

        With ``repair``, what can be put right without loss is: reference counts, numbers of
        entries, indexes, the list of objects that wait to be freed, footers of chunks, and leaks,
        which are freed. Nothing is freed, and no count lowered, while anything is damaged beyond
        that: what cannot be read may refer to it. Each repair happens or not, whenever the process
        is killed or an exception ends the check; all are durable on return.

        Args:
            repair: Put right what can be.
            progress: A function of the blocks done and in all, or True for a bar; with ``repair``,
                then again of the repairs done and in all.

        Returns:
            What was found, the first thousand; empty: the pool is sound. With ``repair`` each says
            in ``repaired`` what has been done about it, or in ``kept`` why nothing has.

        Raises:
            TransactionError: Inside a transaction or ``reading()`` of this thread.
            ReadOnlyError: To be repaired, and open for reading only.
            OSError: A repair could not be written.
        """

    def gc(
        self, debug: bool | None = None, *, progress: _Progress = None
    ) -> tuple[dict[str, int], dict[str, int]]:
        """Free the objects that only keep one another alive.

        Everything else is freed at once, when the last reference to it goes; this finds cycles.
        What a Python object, an iterator or a view still refers to is kept. Each object is freed by
        operations of their own: an exception, a signal's too, ends the collection between two of
        them, and what has been freed is freed for good. Other threads can read meanwhile, and wait
        to write; it waits for their transactions. No code of the objects' classes is run.

        Args:
            debug: Log what was met to the logger "nvm", and check the pool before and after. By
                default what the pool was opened with.
            progress: A function of the objects done and in all, or True for a bar.

        Returns:
            How many objects of each type or class there are now; and counts: ``containers-total``
            and ``containers-live`` (objects that can refer to others, before and after),
            ``other-total`` and ``other-live`` (large values), ``orphans0-gced`` and
            ``orphans1-gced`` (freed, and their reference count was zero or otherwise wrong),
            ``collections-gced`` (freed from cycles).

        Raises:
            TransactionError: Inside a transaction or reading() of this thread.
            ReadOnlyError: The pool is open for reading.
            PoolCorruptError: The pool is damaged: nothing has been freed.
            PoolFullError: What is left can only be freed in a larger pool.
        """

    def stats(self, *, leaks: bool = False) -> dict[str, Any]:
        """Return how the pool's room is used.

        ``size``, ``limit``: of the file, in bytes; ``allocated_bytes``; ``free_bytes``, of these
        ``free_in_chunks`` (for blocks of any size) and ``free_in_runs`` (for blocks of about the
        size of those freed there); ``run_unused``: the share of the runs that is free, from 0 to 1;
        ``largest_free``: the largest block that fits without growing; ``objects``; ``blobs``,
        ``blob_bytes``: their bodies and large values; ``limbo``: objects that wait to be freed;
        ``classes``; ``session``: how often it has been opened for writing; ``types``: for each
        type's or class's name its ``count``, and its ``bytes`` with all they own.

        Args:
            leaks: Also look for what nothing owns, as check() does: ``leaks``, with ``count`` and
                ``bytes``.

        Raises:
            TransactionError: Leaks are asked for inside a transaction or reading() of this thread.
        """

    def close(self) -> None:
        """Close the pool; twice is fine.

        This thread's open transaction is undone. Everything of the pool then raises
        PoolClosedError.

        Raises:
            TransactionError: Another thread is inside a transaction.
        """

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
    def __bool__(self) -> Literal[True]: ...
    def __hash__(self) -> int: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __reversed__(self) -> Iterator[Any]: ...
    def __getitem__(self, key: Any) -> Any: ...
    def __setitem__(self, key: Any, value: Any) -> None: ...
    def __delitem__(self, key: Any) -> None: ...

class Transaction:
    """A transaction of a pool, made by pool.transaction().

    As a context manager it commits when the block ends and undoes everything when an exception
    leaves it; as a decorator it runs each call of the function in a transaction. Changes are
    durable, all at once, when the outermost level has ended. Other threads wait meanwhile and never
    see a part of it. It can be used more than once, and nested: inner transactions join the outer
    one, and what undoes one undoes all.
    """

    @property
    def pool(self) -> PersistentObjectPool:
        """The pool that this is a transaction of."""

    def begin(self) -> None:
        """Begin the transaction, or a further level of this thread's open one.

        For use without ``with``: end it by commit() or abort().

        Raises:
            TransactionTimeoutError: Other threads took longer than the timeout.
        """

    def commit(self) -> None:
        """End what begin() began.

        The outermost commit makes all changes durable before it returns.

        Raises:
            TransactionError: Outside of a transaction; or inside a ``with`` block: then everything
                is undone.
        """

    def abort(self, errno: int = ...) -> None:
        """Undo everything back to the outermost begin, and raise OSError with this errno.

        In nested blocks the OSError leaves them all, unless it is caught; then the blocks still
        open commit nothing.

        Args:
            errno: By default errno.ECANCELED.

        Raises:
            OSError: Always, in a transaction.
            TransactionError: Outside of a transaction; nothing is undone.
        """

    def on_commit(self, function: _Function, /) -> _Function:
        """Call function() once the outermost level has been committed and is durable.

        All are called, in the order given; the first exception among theirs is then raised (the
        transaction stays committed), others are reported as unraisable. Returns the function.
        """

    def on_abort(self, function: _Function, /) -> _Function:
        """Call function() once the transaction is undone and its outermost level has ended.

        Exceptions in it are reported as unraisable. Returns the function.
        """

    def __call__(self, function: Callable[_P, _T]) -> Callable[_P, _T]: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

class Reading:
    """A consistent view of a pool over several reads, made by pool.reading().

    Inside the block no thread changes the pool: others that want to wait for its end, and a change
    by this thread is a TransactionError. Blocks may be nested, and inside this thread's own
    transaction one changes nothing.
    """

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

class PersistentList(MutableSequence[_T], Generic[_T]):
    """A list that lives in a pool.

    It behaves as the built-in list does; each change is atomic, and durable when it returns (or
    with the transaction that it is part of). Made by storing a list in the pool, or by
    ``pool.new(PersistentList, iterable)``.
    """

    def __new__(cls, iterable: Iterable[_T] = ..., /) -> Self:
        """Make one in the pool of this thread's transaction; TypeError outside of one."""

    @property
    def _p_oid(self) -> tuple[int, int]:
        """The object's oid: (pool id, offset)."""

    @property
    def _p_mm(self) -> MemoryManager:
        """The pool's MemoryManager."""

    @property
    def _p_pool(self) -> PersistentObjectPool:
        """The pool that the object lives in."""

    def append(self, object: _T, /) -> None:
        """Append object to the end of the list."""

    def extend(self, iterable: Iterable[_T], /) -> None:
        """Append all items of the iterable, which is read first, in one operation."""

    def insert(self, index: SupportsIndex, object: _T, /) -> None:
        """Insert object before index."""

    def pop(self, index: SupportsIndex = -1, /) -> _T:
        """Remove and return the item at index (default last).

        Raises:
            IndexError: The list is empty or index is out of range.
        """

    def remove(self, value: _T, /) -> None:
        """Remove the first item that equals value.

        Raises:
            ValueError: There is none.
        """

    def clear(self) -> None:
        """Remove all items."""

    def reverse(self) -> None:
        """Reverse the list in place."""

    def sort(self, *, key: Callable[[_T], Any] | None = None, reverse: bool = False) -> None:
        """Sort the list in ascending order, in one operation; the sort is stable.

        Raises:
            ValueError: The list was changed meanwhile; nothing is changed then.
        """

    def index(self, value: _T, start: SupportsIndex = 0, stop: SupportsIndex = ..., /) -> int:
        """Return the first index of value.

        Raises:
            ValueError: The value is not present.
        """

    def count(self, value: _T, /) -> int:
        """Return the number of items that equal value."""

    def copy(self) -> list[_T]:
        """Return the items in an ordinary list."""

    def to_python(self) -> list[Any]:
        """Return a deep copy made of ordinary built-ins.

        Shared and cyclic parts stay so; instances of PersistentObject are not copied.
        """

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[_T]: ...
    def __reversed__(self) -> Iterator[_T]: ...
    def __contains__(self, value: object) -> bool: ...
    @overload
    def __getitem__(self, index: SupportsIndex) -> _T: ...
    @overload
    def __getitem__(self, index: slice) -> list[_T]: ...
    @overload
    def __setitem__(self, index: SupportsIndex, value: _T) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: Iterable[_T]) -> None: ...
    def __delitem__(self, index: SupportsIndex | slice) -> None: ...
    def __add__(self, other: list[_S] | PersistentList[_S]) -> list[_T | _S]: ...
    def __iadd__(self, other: Iterable[_T]) -> Self: ...  # type: ignore[misc]
    def __mul__(self, times: SupportsIndex) -> list[_T]: ...
    def __rmul__(self, times: SupportsIndex) -> list[_T]: ...
    def __imul__(self, times: SupportsIndex) -> Self: ...
    def __lt__(self, other: list[_T] | PersistentList[_T]) -> bool: ...
    def __le__(self, other: list[_T] | PersistentList[_T]) -> bool: ...
    def __gt__(self, other: list[_T] | PersistentList[_T]) -> bool: ...
    def __ge__(self, other: list[_T] | PersistentList[_T]) -> bool: ...

class PersistentDict(MutableMapping[_K, _V], Generic[_K, _V]):
    """A dict that lives in a pool.

    It behaves as the built-in dict does; each change is atomic, and durable when it returns (or
    with the transaction that it is part of). Made by storing a dict in the pool, or by
    ``pool.new(PersistentDict, mapping_or_pairs, **entries)``.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Make one in the pool of this thread's transaction; TypeError outside of one."""

    @property
    def _p_oid(self) -> tuple[int, int]:
        """The object's oid: (pool id, offset)."""

    @property
    def _p_mm(self) -> MemoryManager:
        """The pool's MemoryManager."""

    @property
    def _p_pool(self) -> PersistentObjectPool:
        """The pool that the object lives in."""

    def keys(self) -> KeysView[_K]:
        """Return a view of the keys."""

    def values(self) -> ValuesView[_V]:
        """Return a view of the values."""

    def items(self) -> ItemsView[_K, _V]:
        """Return a view of the (key, value) pairs."""

    def clear(self) -> None:
        """Remove all entries."""

    def copy(self) -> dict[_K, _V]:
        """Return the entries in an ordinary dict."""

    def to_python(self) -> dict[Any, Any]:
        """Return a deep copy made of ordinary built-ins.

        Shared and cyclic parts stay so; instances of PersistentObject are not copied.
        """

    @classmethod
    def fromkeys(cls, iterable: Iterable[_S], value: Any = None, /) -> PersistentDict[_S, Any]:
        """Make one, in this thread's transaction, with these keys and one value for all."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[_K]: ...
    def __reversed__(self) -> Iterator[_K]: ...
    def __contains__(self, key: object) -> bool: ...
    def __getitem__(self, key: _K) -> _V: ...
    def __setitem__(self, key: _K, value: _V) -> None: ...
    def __delitem__(self, key: _K) -> None: ...
    def __or__(self, other: Mapping[_K, _V]) -> dict[_K, _V]: ...
    def __ror__(self, other: Mapping[_K, _V]) -> dict[_K, _V]: ...
    def __ior__(self, other: Mapping[_K, _V] | Iterable[tuple[_K, _V]]) -> Self: ...

class PersistentSet(MutableSet[_T], Generic[_T]):
    """A set that lives in a pool.

    It behaves as the built-in set does; each change is atomic, and durable when it returns (or with
    the transaction that it is part of). Made by storing a set in the pool, or by
    ``pool.new(PersistentSet, iterable)``. Operators and methods that make a new set return an
    ordinary one.
    """

    def __new__(cls, iterable: Iterable[_T] = ..., /) -> Self:
        """Make one in the pool of this thread's transaction; TypeError outside of one."""

    @property
    def _p_oid(self) -> tuple[int, int]:
        """The object's oid: (pool id, offset)."""

    @property
    def _p_mm(self) -> MemoryManager:
        """The pool's MemoryManager."""

    @property
    def _p_pool(self) -> PersistentObjectPool:
        """The pool that the object lives in."""

    def add(self, object: _T, /) -> None:
        """Add an element; nothing happens if it is there already."""

    def discard(self, object: object, /) -> None:
        """Remove an element if it is there."""

    def remove(self, object: object, /) -> None:
        """Remove an element.

        Raises:
            KeyError: It is not there.
        """

    def pop(self) -> _T:
        """Remove and return an element.

        Raises:
            KeyError: The set is empty.
        """

    def clear(self) -> None:
        """Remove all elements."""

    def update(self, *others: Iterable[_T]) -> None:
        """Add the elements of all others, which are read first, in one operation."""

    def intersection_update(self, *others: Iterable[Any]) -> None:
        """Keep only the elements that are in all others too, in one operation."""

    def difference_update(self, *others: Iterable[Any]) -> None:
        """Remove the elements of all others, in one operation."""

    def symmetric_difference_update(self, other: Iterable[_T], /) -> None:
        """Keep what is in just one of the two, in one operation."""

    def union(self, *others: Iterable[_S]) -> set[_T | _S]:
        """Return an ordinary set of the elements of this and all others."""

    def intersection(self, *others: Iterable[Any]) -> set[_T]:
        """Return an ordinary set of what is in this and all others."""

    def difference(self, *others: Iterable[Any]) -> set[_T]:
        """Return an ordinary set of what is in this and none of the others."""

    def symmetric_difference(self, other: Iterable[_S], /) -> set[_T | _S]:
        """Return an ordinary set of what is in just one of the two."""

    def isdisjoint(self, other: Iterable[Any], /) -> bool:
        """Return True if the two have no element in common."""

    def issubset(self, other: Iterable[Any], /) -> bool:
        """Return True if all elements are in the other."""

    def issuperset(self, other: Iterable[Any], /) -> bool:
        """Return True if all elements of the other are in this."""

    def copy(self) -> set[_T]:
        """Return the elements in an ordinary set."""

    def to_python(self) -> set[Any]:
        """Return an ordinary set of the elements.

        Instances of PersistentObject are not copied.
        """

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[_T]: ...
    def __contains__(self, element: object) -> bool: ...
    def __or__(self, other: Set[_S]) -> set[_T | _S]: ...
    def __ror__(self, other: Set[_S]) -> set[_T | _S]: ...  # type: ignore[misc]
    def __and__(self, other: Set[Any]) -> set[_T]: ...
    def __rand__(self, other: Set[Any]) -> set[_T]: ...
    def __sub__(self, other: Set[Any]) -> set[_T]: ...
    def __rsub__(self, other: Set[_S]) -> set[_S]: ...  # type: ignore[misc]
    def __xor__(self, other: Set[_S]) -> set[_T | _S]: ...
    def __rxor__(self, other: Set[_S]) -> set[_T | _S]: ...  # type: ignore[misc]
    def __ior__(self, other: Set[_T]) -> Self: ...  # type: ignore[override,misc]
    def __iand__(self, other: Set[Any]) -> Self: ...
    def __isub__(self, other: Set[Any]) -> Self: ...
    def __ixor__(self, other: Set[_T]) -> Self: ...  # type: ignore[override,misc]

class PersistentByteArray(MutableSequence[int]):
    """A bytearray that lives in a pool.

    It behaves as the built-in bytearray does; each change is atomic, and durable when it returns
    (or with the transaction that it is part of). Made by storing a bytearray in the pool, or by
    ``pool.new(PersistentByteArray, ...)``, with the arguments of bytearray().

    A memoryview of it is writable and writes through. What is stored that way is durable when the
    view is released, after pool.sync() and pool.close(), and no abort undoes it. While a view is
    alive the size cannot change (BufferError). In a pool opened for reading it is read-only.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Make one in the pool of this thread's transaction; TypeError outside of one."""

    @property
    def _p_oid(self) -> tuple[int, int]:
        """The object's oid: (pool id, offset)."""

    @property
    def _p_pool(self) -> PersistentObjectPool:
        """The pool that the object lives in."""

    def append(self, item: SupportsIndex, /) -> None:
        """Append a byte to the end."""

    def extend(self, iterable_of_ints: Iterable[SupportsIndex], /) -> None:
        """Append all bytes of the iterable or buffer, which is read first, in one operation."""

    def insert(self, index: SupportsIndex, item: SupportsIndex, /) -> None:
        """Insert a byte before index."""

    def pop(self, index: SupportsIndex = -1, /) -> int:
        """Remove and return the byte at index (default last).

        Raises:
            IndexError: There is none.
        """

    def remove(self, value: int, /) -> None:
        """Remove the first byte of this value.

        Raises:
            ValueError: There is none.
        """

    def clear(self) -> None:
        """Remove all bytes."""

    def reverse(self) -> None:
        """Reverse the order of the bytes in place."""

    def copy(self) -> bytearray:
        """Return the bytes in an ordinary bytearray."""

    def to_python(self) -> bytearray:
        """Return the bytes in an ordinary bytearray."""

    @classmethod
    def fromhex(cls, string: str, /) -> bytearray:
        """Return an ordinary bytearray of the bytes that hexadecimal digits say."""

    @staticmethod
    def maketrans(frm: _Bytes, to: _Bytes, /) -> bytes:
        """Return a table for translate()."""

    def capitalize(self) -> bytearray: ...
    def center(self, width: SupportsIndex, fillchar: bytes = b" ", /) -> bytearray: ...
    def count(self, *args: Any) -> int: ...
    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str: ...
    def endswith(self, *args: Any) -> bool: ...
    def expandtabs(self, tabsize: SupportsIndex = 8) -> bytearray: ...
    def find(self, *args: Any) -> int: ...
    def hex(self, sep: str | bytes = ..., bytes_per_sep: SupportsIndex = ...) -> str: ...
    def index(self, *args: Any) -> int: ...
    def isalnum(self) -> bool: ...
    def isalpha(self) -> bool: ...
    def isascii(self) -> bool: ...
    def isdigit(self) -> bool: ...
    def islower(self) -> bool: ...
    def isspace(self) -> bool: ...
    def istitle(self) -> bool: ...
    def isupper(self) -> bool: ...
    def join(self, iterable_of_bytes: Iterable[_Bytes], /) -> bytearray: ...
    def ljust(self, width: SupportsIndex, fillchar: _Bytes = b" ", /) -> bytearray: ...
    def lower(self) -> bytearray: ...
    def lstrip(self, bytes: _Bytes | None = None, /) -> bytearray: ...
    def partition(self, sep: _Bytes, /) -> tuple[bytearray, bytearray, bytearray]: ...
    def removeprefix(self, prefix: _Bytes, /) -> bytearray: ...
    def removesuffix(self, suffix: _Bytes, /) -> bytearray: ...
    def replace(self, old: _Bytes, new: _Bytes, count: SupportsIndex = -1, /) -> bytearray: ...
    def rfind(self, *args: Any) -> int: ...
    def rindex(self, *args: Any) -> int: ...
    def rjust(self, width: SupportsIndex, fillchar: _Bytes = b" ", /) -> bytearray: ...
    def rpartition(self, sep: _Bytes, /) -> tuple[bytearray, bytearray, bytearray]: ...
    def rsplit(
        self, sep: _Bytes | None = None, maxsplit: SupportsIndex = -1
    ) -> list[bytearray]: ...
    def rstrip(self, bytes: _Bytes | None = None, /) -> bytearray: ...
    def split(self, sep: _Bytes | None = None, maxsplit: SupportsIndex = -1) -> list[bytearray]: ...
    def splitlines(self, keepends: bool = False) -> list[bytearray]: ...
    def startswith(self, *args: Any) -> bool: ...
    def strip(self, bytes: _Bytes | None = None, /) -> bytearray: ...
    def swapcase(self) -> bytearray: ...
    def title(self) -> bytearray: ...
    def translate(self, table: _Bytes | None, /, delete: _Bytes = b"") -> bytearray: ...
    def upper(self) -> bytearray: ...
    def zfill(self, width: SupportsIndex, /) -> bytearray: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[int]: ...
    def __contains__(self, value: object) -> bool: ...
    @overload
    def __getitem__(self, index: SupportsIndex) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> bytearray: ...
    @overload
    def __setitem__(self, index: SupportsIndex, value: SupportsIndex) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: Iterable[SupportsIndex] | bytes) -> None: ...
    def __delitem__(self, index: SupportsIndex | slice) -> None: ...
    def __add__(self, other: _Bytes) -> bytearray: ...
    def __iadd__(self, other: _Bytes) -> Self: ...  # type: ignore[override]
    def __mul__(self, times: SupportsIndex) -> bytearray: ...
    def __rmul__(self, times: SupportsIndex) -> bytearray: ...
    def __imul__(self, times: SupportsIndex) -> Self: ...
    def __mod__(self, value: Any) -> bytes: ...
    def __lt__(self, other: _Bytes) -> bool: ...
    def __le__(self, other: _Bytes) -> bool: ...
    def __gt__(self, other: _Bytes) -> bool: ...
    def __ge__(self, other: _Bytes) -> bool: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...

class PersistentTuple(Sequence[_T], Generic[_T]):
    """A tuple that lives in a pool and keeps its identity.

    It behaves as the built-in tuple does. Made by ``pool.new(PersistentTuple, iterable)``; a tuple
    that is assigned comes back as an ordinary one.
    """

    def __new__(cls, iterable: Iterable[_T] = ..., /) -> Self:
        """Make one in the pool of this thread's transaction; TypeError outside of one."""

    @property
    def _p_oid(self) -> tuple[int, int]:
        """The object's oid: (pool id, offset)."""

    @property
    def _p_pool(self) -> PersistentObjectPool:
        """The pool that the object lives in."""

    def count(self, value: Any, /) -> int:
        """Return the number of items that equal value."""

    def index(self, value: Any, start: SupportsIndex = 0, stop: SupportsIndex = ..., /) -> int:
        """Return the first index of value.

        Raises:
            ValueError: The value is not present.
        """

    def to_python(self) -> tuple[Any, ...]:
        """Return a deep copy made of ordinary built-ins.

        Shared and cyclic parts stay so; instances of PersistentObject are not copied.
        """

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[_T]: ...
    def __contains__(self, value: object) -> bool: ...
    @overload
    def __getitem__(self, index: SupportsIndex) -> _T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[_T, ...]: ...
    def __hash__(self) -> int: ...
    def __add__(self, other: tuple[_S, ...] | PersistentTuple[_S]) -> tuple[_T | _S, ...]: ...
    def __radd__(self, other: tuple[_S, ...]) -> tuple[_T | _S, ...]: ...
    def __mul__(self, times: SupportsIndex) -> tuple[_T, ...]: ...
    def __rmul__(self, times: SupportsIndex) -> tuple[_T, ...]: ...
    def __lt__(self, other: tuple[_T, ...] | PersistentTuple[_T]) -> bool: ...
    def __le__(self, other: tuple[_T, ...] | PersistentTuple[_T]) -> bool: ...
    def __gt__(self, other: tuple[_T, ...] | PersistentTuple[_T]) -> bool: ...
    def __ge__(self, other: tuple[_T, ...] | PersistentTuple[_T]) -> bool: ...

class PersistentFrozenSet(Set[_T], Generic[_T]):
    """A frozenset that lives in a pool and keeps its identity.

    It behaves as the built-in frozenset does. Made by ``pool.new(PersistentFrozenSet, iterable)``;
    a frozenset that is assigned comes back as an ordinary one.
    """

    def __new__(cls, iterable: Iterable[_T] = ..., /) -> Self:
        """Make one in the pool of this thread's transaction; TypeError outside of one."""

    @property
    def _p_oid(self) -> tuple[int, int]:
        """The object's oid: (pool id, offset)."""

    @property
    def _p_pool(self) -> PersistentObjectPool:
        """The pool that the object lives in."""

    def union(self, *others: Iterable[_S]) -> frozenset[_T | _S]:
        """Return an ordinary frozenset of the elements of this and all others."""

    def intersection(self, *others: Iterable[Any]) -> frozenset[_T]:
        """Return an ordinary frozenset of what is in this and all others."""

    def difference(self, *others: Iterable[Any]) -> frozenset[_T]:
        """Return an ordinary frozenset of what is in this and none of the others."""

    def symmetric_difference(self, other: Iterable[_S], /) -> frozenset[_T | _S]:
        """Return an ordinary frozenset of what is in just one of the two."""

    def isdisjoint(self, other: Iterable[Any], /) -> bool:
        """Return True if the two have no element in common."""

    def issubset(self, other: Iterable[Any], /) -> bool:
        """Return True if all elements are in the other."""

    def issuperset(self, other: Iterable[Any], /) -> bool:
        """Return True if all elements of the other are in this."""

    def copy(self) -> frozenset[_T]:
        """Return the elements in an ordinary frozenset."""

    def to_python(self) -> frozenset[Any]:
        """Return an ordinary frozenset of the elements.

        Instances of PersistentObject are not copied.
        """

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[_T]: ...
    def __contains__(self, element: object) -> bool: ...
    def __hash__(self) -> int: ...
    def __or__(self, other: Set[_S]) -> frozenset[_T | _S]: ...
    def __ror__(self, other: Set[_S]) -> Set[_T | _S]: ...
    def __and__(self, other: Set[Any]) -> frozenset[_T]: ...
    def __rand__(self, other: Set[Any]) -> Set[_T]: ...
    def __sub__(self, other: Set[Any]) -> frozenset[_T]: ...
    def __rsub__(self, other: Set[_S]) -> Set[_S]: ...
    def __xor__(self, other: Set[_S]) -> frozenset[_T | _S]: ...
    def __rxor__(self, other: Set[_S]) -> Set[_T | _S]: ...

class PersistentObject:
    """Base of classes whose instances live in a pool.

    Attributes are persistent, but for those that begin with ``_v_``, which are volatile; ``_p_`` is
    reserved. ``__init__`` runs once, when ``pool.new(Class, ...)`` makes the object. Calling the
    class makes one in the pool of this thread's transaction.
    """

    @property
    def _p_oid(self) -> tuple[int, int]:
        """The object's oid: (pool id, offset)."""

    @property
    def _p_mm(self) -> MemoryManager:
        """The pool's MemoryManager."""

    @property
    def _p_pool(self) -> PersistentObjectPool:
        """The pool that the object lives in."""

    def _v__init__(self) -> None:
        """Set volatile attributes up: at creation, and each time it comes back from the pool."""

class PersistentAttribute:
    """What stands for a persistent attribute on a class."""

    def __get__(self, instance: object, owner: type | None = None, /) -> Any: ...
    def __set__(self, instance: object, value: Any, /) -> None: ...

# For nvm._strays.

def store_strays(object: PersistentObject, /) -> None:
    """Store what object.__setattr__ has left in an instance's dict."""

# For nvm._pypy.front.

class PersistentDictKeys:
    """What keys() gives."""

    def __iter__(self) -> Iterator[Any]: ...

class PersistentDictValues:
    """What values() gives."""

    def __iter__(self) -> Iterator[Any]: ...

class PersistentDictItems:
    """What items() gives."""

    def __iter__(self) -> Iterator[Any]: ...

def front_functions() -> list[tuple[str, str, int]]:
    """The C interface of the core: name, signature and address of each function."""

def front_handle(proxy: object, /) -> int:
    """The address of a proxy's handle, 0 if it has none."""

def front_place(attribute: PersistentAttribute, /) -> tuple[int, int] | None:
    """Epoch and place of an attribute in the record that was read last, if known."""

def front_replace(items: PersistentList[Any], count: int, before: int, after: int, /) -> int:
    """As list_replace of the C interface, but that it waits: the cells by their addresses."""

def front_open_view(exporter: Any, address: int, room: int, /) -> int | tuple[int, int, bool]:
    """Show the bytes of a byte array or block at an address.

    Gives the bytes before them, their size, and whether they are read-only; or, if there is not
    enough of it, the room that is needed.
    """

def front_end_view(exporter: Any, address: int, /) -> None:
    """End what is shown at an address, if anything is."""

def front_use_views(end_dead: Callable[[], bool], /) -> None:
    """What is called before a view is in the way: whether it has ended any."""

def front_cursor(iterator: object, /) -> tuple[object, int, int] | None:
    """Dict or set, address of its place in it, and parts, of an iterator that has not ended."""

def front_use(subclass: type, /) -> None:
    """Put a subclass of a persistent type in its place: what is made from now on is of it."""

# What MemoryManager calls (nvm/_memory.py): blocks and objects by their offsets.

class MemoryBlock:
    """The bytes of a block, as a buffer."""

class Pin:
    """Keeps the head of an object from being freed."""

    @property
    def offset(self) -> int:
        """Where it is; 0: it was undone with its transaction."""

def _memory_alloc(pool: PersistentObjectPool, size: int, type_num: int, zeroed: bool, /) -> int: ...
def _memory_resize(
    pool: PersistentObjectPool, block: int, size: int, type_num: int | None, zeroed: bool, /
) -> int: ...
def _memory_release(pool: PersistentObjectPool, block: int, /) -> None: ...
def _memory_describe(
    pool: PersistentObjectPool, block: int, /
) -> tuple[int, int, int, str | None]: ...
def _memory_block(pool: PersistentObjectPool, block: int, /) -> Any: ...
def _memory_snapshot(pool: PersistentObjectPool, buffer: Any, size: int, /) -> None: ...
def _memory_add_reference(pool: PersistentObjectPool, object: int, /) -> None: ...
def _memory_drop_reference(pool: PersistentObjectPool, object: int, /) -> None: ...
def _memory_adopt(pool: PersistentObjectPool, block: int, class_name: str, /) -> None: ...
def _memory_orphans(pool: PersistentObjectPool, /) -> list[int]: ...
def _memory_class(pool: PersistentObjectPool, object: int, /) -> type[Any]: ...
def _memory_report(error: BaseException, what: str, /) -> None: ...
def _memory_fetch(pool: PersistentObjectPool, object: int, /) -> Any: ...
def _memory_pin(pool: PersistentObjectPool, block: int, /) -> Pin: ...
