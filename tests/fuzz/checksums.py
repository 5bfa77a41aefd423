"""The checksums of a pool's file, for damage that gets past them."""

from __future__ import annotations

import ctypes
import struct

WORD = 1 << 32


def fletcher64(data: bytes, sum: int = 0) -> int:
    """PMDK's, as src/core/heap/layout/checksum.h computes it; the checksum's place holds zeros."""
    low, high = sum % WORD, sum // WORD
    for (word,) in struct.iter_unpack("<I", data):
        low = (low + word) % WORD
        high = (high + low) % WORD
    return high * WORD + low


def xxh3(data: bytes, seed: int = 0) -> int:
    """XXH3, 64 bits."""
    return int(_library().XXH3_64bits_withSeed(data, len(data), seed))


def _library() -> ctypes.CDLL:
    library = ctypes.CDLL("libxxhash.so.0")  # of the package whose header the core is built with
    library.XXH3_64bits_withSeed.restype = ctypes.c_uint64
    library.XXH3_64bits_withSeed.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]
    return library
