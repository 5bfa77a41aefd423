"""libmemkind: volatile memory of a kind, or in a mapped file, to allocate from.

The successor of libvmem and libvmmalloc. What is allocated here does not survive the process; it is
for data that is larger than DRAM, or belongs into another kind of memory.
"""

from __future__ import annotations

import contextlib
import enum
import importlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from nvm._absent import absent

try:
    from nvm._kit import VmemBuffer as Buffer
    from nvm._kit import (
        VmemHeap,
        vmem_kind_available,
        vmem_make_handler,
        vmem_report,
        vmem_set_handler,
    )
    from nvm._kit import vmem_is_dax as is_dax
    from nvm._kit import vmem_set_background_threads as set_background_threads
    from nvm._kit import vmem_version as version
except ImportError as error:
    raise absent("vmem", error) from None

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from nvm._kit import _Handler

__all__ = [
    "MIN_SIZE",
    "Buffer",
    "Heap",
    "Kind",
    "MemoryType",
    "Policy",
    "Statistics",
    "is_dax",
    "kinds",
    "report",
    "set_background_threads",
    "version",
]

MIN_SIZE = 16 << 20
"""The least size of a heap over a file, in bytes."""


class Kind(enum.Enum):
    """The kinds of memory that libmemkind knows. Most machines have few of them."""

    DEFAULT = "the process's own memory"
    REGULAR = "the process's own memory, on the nodes of regular memory only"
    HUGETLB = "huge pages"
    INTERLEAVE = "spread over all nodes"
    HBW = "high-bandwidth memory, of the nearest node"
    HBW_ALL = "high-bandwidth memory, of any node"
    HBW_PREFERRED = "high-bandwidth memory, or else regular"
    HBW_HUGETLB = "high-bandwidth memory, of the nearest node, in huge pages"
    HBW_ALL_HUGETLB = "high-bandwidth memory, of any node, in huge pages"
    HBW_PREFERRED_HUGETLB = "high-bandwidth memory in huge pages, or else regular"
    HBW_INTERLEAVE = "high-bandwidth memory, spread over its nodes"
    DAX_KMEM = "persistent memory used as system memory, of the nearest node"
    DAX_KMEM_ALL = "persistent memory used as system memory, of any node"
    DAX_KMEM_PREFERRED = "persistent memory used as system memory, or else regular"
    DAX_KMEM_INTERLEAVE = "persistent memory used as system memory, spread over its nodes"
    HIGHEST_CAPACITY = "the nodes with most memory"
    HIGHEST_CAPACITY_PREFERRED = "the node with most memory, or else others"
    HIGHEST_CAPACITY_LOCAL = "the local node with most memory"
    HIGHEST_CAPACITY_LOCAL_PREFERRED = "the local node with most memory, or else others"
    LOWEST_LATENCY_LOCAL = "the local node that answers first"
    LOWEST_LATENCY_LOCAL_PREFERRED = "the local node that answers first, or else others"
    HIGHEST_BANDWIDTH_LOCAL = "the local node with most bandwidth"
    HIGHEST_BANDWIDTH_LOCAL_PREFERRED = "the local node with most bandwidth, or else others"

    @property
    def available(self) -> bool:
        """Whether this machine has it."""
        return vmem_kind_available(self.name)


def kinds() -> list[Kind]:
    """The kinds of memory that this machine has."""
    return [kind for kind in Kind if kind.available]


class MemoryType(enum.IntFlag):
    """For `Heap.of_policy`: which memory to take."""

    DEFAULT = 1
    HIGH_BANDWIDTH = 2


class Policy(enum.IntEnum):
    """For `Heap.of_policy`: from which nodes to take it."""

    BIND_LOCAL = 0
    BIND_ALL = 1
    PREFERRED_LOCAL = 2
    INTERLEAVE_LOCAL = 3
    INTERLEAVE_ALL = 4


class Statistics(NamedTuple):
    """What a heap has in use, in bytes."""

    resident: int
    """In pages that are there."""
    active: int
    """In pages with something allocated."""
    allocated: int
    """Allocated."""


class Heap(VmemHeap):
    """Memory in a file, to allocate from.

    Args:
        path: A folder: the file is one of ``max_size`` bytes, without a name, that gets its blocks
            as they are needed. Anything else: that file, which is made if it is missing, gets
            ``max_size`` bytes at once, and belongs to one heap at a time; what it held is lost.
        max_size: Bytes, at least `MIN_SIZE`; in a folder 0, without a limit but the disk's.
        conservative: In a folder: give pages back as soon as they are free.

    A forked child cannot allocate here (PoolForkedError), since it shares the file.
    """

    __slots__ = ()

    @classmethod
    def of(cls, kind: Kind) -> Self:
        """A heap of a kind of memory; OSError if this machine lacks it."""
        return cls._of_kind(Kind(kind).name)

    @classmethod
    def of_policy(cls, memory: MemoryType, policy: Policy, *, huge_pages: bool = False) -> Self:
        """A heap of memory that a policy chooses; OSError if this machine cannot."""
        return cls._of_policy(MemoryType(memory), Policy(policy), huge_pages)

    def statistics(self) -> Statistics:
        """What is in use now."""
        return Statistics(*self._statistics())

    def numpy(self) -> contextlib.AbstractContextManager[Self]:
        """A context manager, and a decorator: the data of NumPy arrays made inside lies here.

        Inside means in this thread (or task): NumPy keeps its allocator in a context variable. The
        arrays stay valid after the block, and after `close`. Needs NumPy 1.22 or newer.
        """
        return _NumpyAllocator(self)


class _NumpyAllocator(contextlib.ContextDecorator, contextlib.AbstractContextManager[Any]):
    def __init__(self, heap: Heap) -> None:
        self._heap = heap
        self._interface = _numpy_interface()
        self._handler = vmem_make_handler(heap)
        self._before: _Handler | None = None

    def _recreate_cm(self) -> _NumpyAllocator:
        return _NumpyAllocator(self._heap)  # for each call of a function that is decorated

    def __enter__(self) -> Heap:
        if self._before is not None:
            raise RuntimeError("this block has been entered already: call heap.numpy() again")
        self._before = vmem_set_handler(self._interface, self._handler)
        return self._heap

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        before, self._before = self._before, None
        vmem_set_handler(self._interface, before)


def _numpy_interface() -> object:
    """NumPy's table of C functions."""
    import numpy

    core = "numpy.core" if numpy.__version__.startswith("1.") else "numpy._core"
    return importlib.import_module(f"{core}._multiarray_umath")._ARRAY_API


def report(*, detailed: bool = False) -> dict[str, Any]:
    """All that libmemkind's allocator tells of itself, over all heaps.

    Args:
        detailed: With each arena, size class and mutex.
    """
    json_format, omitted = 1, 0 if detailed else 0x1FC
    return json.loads(vmem_report(json_format | omitted))  # type: ignore[no-any-return]
