"""libpmem2's enumerations and errors; the bindings make them, nvm.pmem2 shows them."""

from __future__ import annotations

import enum
import os
from typing import NamedTuple


class Granularity(enum.IntEnum):
    """What a store has to be flushed by before it is durable."""

    BYTE = 0
    """Nothing: the caches are flushed when the power fails (eADR)."""
    CACHE_LINE = 1
    """The processor's cache lines (ADR)."""
    PAGE = 2
    """Pages, by msync: any file."""


class Sharing(enum.IntEnum):
    """Whether stores reach the file."""

    SHARED = 0
    PRIVATE = 1


class Protection(enum.IntFlag):
    """What may be done with the pages of a map."""

    NONE = 0
    EXEC = 1 << 29
    READ = 1 << 30
    WRITE = 1 << 31


class BadBlock(NamedTuple):
    """A stretch of a source that cannot be read."""

    offset: int
    length: int


class ErrorCode(enum.IntEnum):
    """libpmem2's own errors; ``meaning`` tells each in words."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> ErrorCode:
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    E_UNKNOWN = -100000, "an error that libpmem2 does not know"
    E_NOSUPP = -100001, "not supported here"
    E_FILE_HANDLE_NOT_SET = -100003, "the source has no file handle"
    E_INVALID_FILE_HANDLE = (
        -100004,
        "the descriptor cannot be mapped: it is not open, or for writing only",
    )
    E_INVALID_FILE_TYPE = -100005, "neither a regular file nor device DAX"
    E_MAP_RANGE = -100006, "the map would reach beyond the end of the source"
    E_MAPPING_EXISTS = -100007, "there is a mapping at these addresses already"
    E_GRANULARITY_NOT_SET = -100008, "the config does not say which granularity is required"
    E_GRANULARITY_NOT_SUPPORTED = -100009, "the source cannot offer the granularity required"
    E_OFFSET_OUT_OF_RANGE = -100010, "the offset is out of range"
    E_OFFSET_UNALIGNED = -100011, "the offset is not a multiple of the alignment"
    E_INVALID_ALIGNMENT_FORMAT = -100012, "the system tells no alignment that can be read"
    E_INVALID_ALIGNMENT_VALUE = -100013, "the system tells an alignment that makes no sense"
    E_INVALID_SIZE_FORMAT = -100014, "the system tells no size that can be read"
    E_LENGTH_UNALIGNED = -100015, "the length is not a multiple of the alignment"
    E_MAPPING_NOT_FOUND = -100016, "there is no map there"
    E_BUFFER_TOO_SMALL = -100017, "the buffer is too small"
    E_SOURCE_EMPTY = -100018, "the source has no bytes"
    E_INVALID_SHARING_VALUE = -100019, "neither shared nor private"
    E_SRC_DEVDAX_PRIVATE = -100020, "device DAX cannot be mapped privately"
    E_INVALID_ADDRESS_REQUEST_TYPE = -100021, "no such kind of address request"
    E_ADDRESS_UNALIGNED = (
        -100022,
        "the address is not aligned, or the reservation ends before the map",
    )
    E_ADDRESS_NULL = -100023, "an address is needed"
    E_DEEP_FLUSH_RANGE = -100024, "the range is not in the map"
    E_INVALID_REGION_FORMAT = -100025, "the system tells no DAX region that can be read"
    E_DAX_REGION_NOT_FOUND = -100026, "the source lies on no DAX region"
    E_INVALID_DEV_FORMAT = -100027, "the system tells no device that can be read"
    E_CANNOT_READ_BOUNDS = -100028, "the bounds of the namespace cannot be read"
    E_NO_BAD_BLOCK_FOUND = -100029, "there are no more bad blocks"
    E_LENGTH_OUT_OF_RANGE = -100030, "the length is out of range"
    E_INVALID_PROT_FLAG = -100031, "no such protection"
    E_NO_ACCESS = -100032, "the protection asks for what the file is not open for"
    E_VM_RESERVATION_NOT_EMPTY = -100033, "there are maps in the reservation"
    E_MAP_EXISTS = -100034, "there is a map at these addresses already"
    E_FILE_DESCRIPTOR_NOT_SET = -100035, "the source has no descriptor: it is anonymous"
    E_SOURCE_TYPE_NOT_SUPPORTED = -100036, "not supported for this kind of source"
    E_IO_FAIL = -100037, "the medium failed: a bad block may have been met"


class Error(OSError):
    """What libpmem2 refused, with ``errno`` and the file's name.

    ``code`` is the `ErrorCode`, or None where a system call failed.
    """

    code: ErrorCode | None = None


def make_error(code: int, number: int, message: str, filename: object) -> Error:
    """The error for what libpmem2 returned: its own message beside what the code means."""
    known = next((member for member in ErrorCode if member == code), None)
    meaning = known.meaning if known else os.strerror(number)
    text = f"{meaning} ({message})" if message and message != meaning else meaning
    error = Error(number, text, filename) if filename is not None else Error(number, text)
    error.code = known
    return error
