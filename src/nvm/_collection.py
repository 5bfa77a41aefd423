"""What ``pool.gc(debug=True)`` checks and writes to the log."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nvm._core import PersistentObjectPool

_LOG = logging.getLogger("nvm")


def _check(pool: PersistentObjectPool, when: str) -> None:
    for finding in pool.check():
        _LOG.warning("%s: %s the collection: %s", pool.filename, when, finding.what)


def before(pool: PersistentObjectPool) -> None:
    """Log what is wrong with the pool."""
    _LOG.info("%s: collection begins", pool.filename)
    _check(pool, "before")


def after(
    pool: PersistentObjectPool,
    types: dict[str, int],
    counts: dict[str, int],
    met: list[tuple[int, str]],
) -> None:
    """Log the garbage, object by object, what is left, and what is wrong with the pool now."""
    for offset, name in met:
        _LOG.debug("%s: garbage at offset %d: %s", pool.filename, offset, name)
    for name, count in sorted(types.items()):
        _LOG.debug("%s: live: %d of %s", pool.filename, count, name)
    _LOG.info("%s: collection ended: %s", pool.filename, counts)
    _check(pool, "after")
