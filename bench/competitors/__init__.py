"""Who takes part. To add one: a subclass of Competitor in a module here, and a line below."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.competitors.base import Competitor

# Where each one's class is: modules are imported only when needed, as not all are installed.
COMPETITORS = {
    "built-in": "builtin.Builtin",
    "nvm": "persistent.NvmMemory",
    "nvm-dax": "persistent.NvmDax",
    "nvm-journal": "persistent.NvmJournal",
    "lmdb": "lmdb_database.Lmdb",
    "sqlite3": "sqlite_table.Sqlite",
    "shelve": "shelf.Shelve",
    "ZODB": "zodb_btree.Zodb",
    "rocksdict": "rocks.Rocks",
    "diskcache": "disk_index.DiskIndex",
    "sqlitedict": "sqlite_dict.SqliteDictionary",
}
BASELINE = "built-in"
OWN = ("nvm", "nvm-dax", "nvm-journal")


def load(name: str) -> type[Competitor]:
    """The class of a competitor.

    Raises:
        ImportError: It is not installed, or cannot take part here; the message says why.
    """
    module, kind = COMPETITORS[name].split(".")
    competitor: type[Competitor] = getattr(import_module(f"{__name__}.{module}"), kind)
    if reason := competitor.missing():
        raise ImportError(reason)
    return competitor
