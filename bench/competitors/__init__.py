"""Who takes part. To add one: a subclass of Competitor in a module here, and a line below."""

from bench.competitors.base import Competitor
from bench.competitors.builtin import Builtin
from bench.competitors.lmdb_database import Lmdb
from bench.competitors.persistent import NvmDax, NvmMemory

COMPETITORS: list[type[Competitor]] = [Builtin, NvmMemory, NvmDax, Lmdb]
BASELINE = Builtin.name
