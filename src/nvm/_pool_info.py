"""What pmempool.info() tells of a pool: its header, and its content by kind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from uuid import UUID

# Here at run time too, where typing.get_type_hints() looks for it.
from nvm._poolset import PoolSet  # noqa: TC001

if TYPE_CHECKING:
    from typing import Any


@dataclass(frozen=True)
class HeaderInfo:
    """A pool's header, of its first part if there are several."""

    signature: str
    major: int
    compatible: int
    incompatible: int
    ro_compatible: int
    pool_set_uuid: UUID
    uuid: UUID
    previous_part_uuid: UUID
    next_part_uuid: UUID
    previous_replica_uuid: UUID
    next_replica_uuid: UUID
    created: datetime
    checksum_right: bool
    closed_cleanly: bool


@dataclass(frozen=True)
class HeapInfo:
    """How libpmemobj's heap is used; bytes."""

    zones: int
    bytes: int
    free_bytes: int
    largest_free: int
    used_bytes: int
    run_bytes: int
    run_used_bytes: int
    runs: int
    blocks: int


@dataclass(frozen=True)
class ChunkInfo:
    """A link of the chain of chunks (256 KiB each) that a zone of libpmemobj's heap is.

    Attributes:
        index: Of its first chunk, in the zone.
        chunks: How many it covers.
        kind: "free", "used" (one block) or "run" (many of one size).
        flags: 1 blocks with a compact header, 2 without one, 4 aligned, 8 a flexible bitmap.
        offset: Of its first byte, in the pool.
        block_type: Of one that is used: libpmemobj's type number of the block.
        block_size: Of one that is used: bytes of the block.
        unit: Of a run: bytes of a unit.
        units: Of a run: how many units it has.
        units_used: Of a run: how many of them are allocated.
    """

    zone: int
    index: int
    chunks: int
    kind: str
    flags: int
    offset: int
    block_type: int
    block_size: int
    unit: int
    units: int
    units_used: int


@dataclass(frozen=True)
class ObjectInfo:
    """A pool of objects.

    Attributes:
        redo_logs: Of lanes that a crash has left to be applied; the heap is told as it is then.
        undo_logs: The same.
    """

    layout: str
    lanes: int
    redo_logs: int
    undo_logs: int
    heap_offset: int
    heap_size: int
    root_offset: int
    root_size: int
    heap: HeapInfo


@dataclass(frozen=True)
class LogInfo:
    """A log; offsets in the pool."""

    start: int
    end: int
    write: int

    @property
    def used(self) -> int:
        """Bytes that have been appended."""
        return self.write - self.start

    @property
    def free(self) -> int:
        """Bytes that there is room for."""
        return self.end - self.write


@dataclass(frozen=True)
class ArenaInfo:
    """A part of a pool of blocks with a translation table of its own."""

    offset: int
    flags: int
    major: int
    minor: int
    blocks: int
    internal_block_size: int
    free_blocks: int
    written: int
    zero: int
    error: int


@dataclass(frozen=True)
class BlockInfo:
    """A pool of blocks; it has no arena before the first write."""

    block_size: int
    arenas: tuple[ArenaInfo, ...]


@dataclass(frozen=True)
class PoolInfo:
    """What info() tells.

    Attributes:
        kind: "obj", "log", "blk" or "unknown".
        size: Bytes of the pool.
        pool_set: If it was a pool set file.
        header: As it lies there, right or not.
        content: By kind; None if it is damaged.
        damage: What is wrong with it, if anything.
    """

    path: str
    kind: str
    size: int
    pool_set: PoolSet | None
    header: HeaderInfo
    content: ObjectInfo | LogInfo | BlockInfo | None
    damage: str | None


def header_of(found: dict[str, Any]) -> HeaderInfo:
    uuids = found.pop("uuids")
    names = (
        "pool_set_uuid",
        "uuid",
        "previous_part_uuid",
        "next_part_uuid",
        "previous_replica_uuid",
        "next_replica_uuid",
    )
    told: dict[str, Any] = {
        name: UUID(bytes=uuids[i * 16 : i * 16 + 16]) for i, name in enumerate(names)
    }
    # A damaged header may name a time that no calendar has.
    seconds = min(found.pop("created"), 253402300799)
    return HeaderInfo(created=datetime.fromtimestamp(seconds, timezone.utc), **told, **found)


def content_of(kind: str, found: dict[str, Any] | None) -> ObjectInfo | LogInfo | BlockInfo | None:
    if found is None:
        return None
    if kind == "obj":
        return ObjectInfo(heap=HeapInfo(**found.pop("heap")), **found)
    if kind == "log":
        return LogInfo(**found)
    arenas = tuple(ArenaInfo(**arena) for arena in found["arenas"])
    return BlockInfo(found["block_size"], arenas)
