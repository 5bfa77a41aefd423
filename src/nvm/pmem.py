"""libpmem: mapped files whose stores are made durable by flushing the processor's caches.

Wherever a function takes a ``buffer``, anything contiguous with the buffer protocol serves: a
`MemoryBuffer`, a memoryview, a NumPy array, or a slice of one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nvm._kit import PMEM_F_MEM_NODRAIN as F_MEM_NODRAIN
from nvm._kit import PMEM_F_MEM_NOFLUSH as F_MEM_NOFLUSH
from nvm._kit import PMEM_F_MEM_NONTEMPORAL as F_MEM_NONTEMPORAL
from nvm._kit import PMEM_F_MEM_TEMPORAL as F_MEM_TEMPORAL
from nvm._kit import PMEM_F_MEM_WB as F_MEM_WB
from nvm._kit import PMEM_F_MEM_WC as F_MEM_WC
from nvm._kit import PMEM_FILE_CREATE as FILE_CREATE
from nvm._kit import PMEM_FILE_EXCL as FILE_EXCL
from nvm._kit import PMEM_FILE_SPARSE as FILE_SPARSE
from nvm._kit import PMEM_FILE_TMPFILE as FILE_TMPFILE
from nvm._kit import MemoryBuffer
from nvm._kit import pmem_check_version as check_version
from nvm._kit import pmem_deep_drain as deep_drain
from nvm._kit import pmem_deep_flush as deep_flush
from nvm._kit import pmem_deep_persist as deep_persist
from nvm._kit import pmem_drain as drain
from nvm._kit import pmem_flush as flush
from nvm._kit import pmem_has_auto_flush as has_auto_flush
from nvm._kit import pmem_has_hw_drain as has_hw_drain
from nvm._kit import pmem_is_pmem as is_pmem
from nvm._kit import pmem_map_file as map_file
from nvm._kit import pmem_memcpy as memcpy
from nvm._kit import pmem_memcpy_nodrain as memcpy_nodrain
from nvm._kit import pmem_memcpy_persist as memcpy_persist
from nvm._kit import pmem_memmove as memmove
from nvm._kit import pmem_memmove_nodrain as memmove_nodrain
from nvm._kit import pmem_memmove_persist as memmove_persist
from nvm._kit import pmem_memset as memset
from nvm._kit import pmem_memset_nodrain as memset_nodrain
from nvm._kit import pmem_memset_persist as memset_persist
from nvm._kit import pmem_msync as msync
from nvm._kit import pmem_persist as persist
from nvm._kit import pmem_unmap as unmap

if TYPE_CHECKING:
    from types import TracebackType

__all__ = [
    "FILE_CREATE",
    "FILE_EXCL",
    "FILE_SPARSE",
    "FILE_TMPFILE",
    "F_MEM_NODRAIN",
    "F_MEM_NOFLUSH",
    "F_MEM_NONTEMPORAL",
    "F_MEM_TEMPORAL",
    "F_MEM_WB",
    "F_MEM_WC",
    "DrainContext",
    "FlushContext",
    "MemoryBuffer",
    "check_version",
    "deep_drain",
    "deep_flush",
    "deep_persist",
    "drain",
    "flush",
    "has_auto_flush",
    "has_hw_drain",
    "is_pmem",
    "map_file",
    "memcpy",
    "memcpy_nodrain",
    "memcpy_persist",
    "memmove",
    "memmove_nodrain",
    "memmove_persist",
    "memset",
    "memset_nodrain",
    "memset_persist",
    "msync",
    "persist",
    "unmap",
]


class FlushContext:
    """A context manager that flushes a buffer on leaving, and unmaps it if ``unmap``.

    What it flushed is durable after the next `drain` of this thread.
    """

    def __init__(self, buffer: MemoryBuffer, unmap: bool = True) -> None:
        self._buffer = buffer
        self._unmap = unmap

    def __enter__(self) -> MemoryBuffer:
        return self._buffer.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._buffer.closed:
            self._finish()
        if self._unmap:
            self._buffer.unmap()

    def _finish(self) -> None:
        flush(self._buffer)


class DrainContext(FlushContext):
    """A context manager that drains on leaving, and unmaps the buffer if ``unmap``.

    What this thread flushed before is durable then; what it only stored need not be.
    """

    def _finish(self) -> None:
        drain(self._buffer)
