"""What to say where nvm was built without a library."""

from __future__ import annotations

_WHERE = {
    "pmem2": "libpmem2, a part of PMDK from 1.10 on (Debian: libpmem2-dev)",
    "pmemlog": "libpmemlog, a part of PMDK up to 1.13 (Debian: libpmemlog-dev); PMDK 2 has it no "
    "longer: store your records with nvm.pmemobj instead",
    "pmemblk": "libpmemblk, a part of PMDK up to 1.13 (Debian: libpmemblk-dev); PMDK 2 has it no "
    "longer: store your blocks with nvm.pmemobj instead",
    "pmempool": "libpmempool, a part of PMDK (Debian: libpmempool-dev)",
    "vmem": "libmemkind, 1.10 or newer (Debian: libmemkind-dev)",
}


def absent(module: str, error: ImportError) -> ImportError:
    """The error to raise for ``error``, which importing from ``nvm._kit`` raised."""
    name = f"nvm.{module}"
    if "cannot import name" not in str(error):
        return error  # nvm._kit itself cannot be loaded, and the error says why
    return ImportError(
        f"{name} needs {_WHERE[module]}. nvm was built where it was absent: install it, and build "
        "nvm again",
        name=name,
    )
