"""libpmem2: maps of files, device DAX and memory, with the granularity that their stores have."""

from __future__ import annotations

from nvm._absent import absent
from nvm._pmem2 import BadBlock, Error, ErrorCode, Granularity, Protection, Sharing

try:
    from nvm._kit import PMEM2_F_MEM_NODRAIN as F_MEM_NODRAIN
    from nvm._kit import PMEM2_F_MEM_NOFLUSH as F_MEM_NOFLUSH
    from nvm._kit import PMEM2_F_MEM_NONTEMPORAL as F_MEM_NONTEMPORAL
    from nvm._kit import PMEM2_F_MEM_TEMPORAL as F_MEM_TEMPORAL
    from nvm._kit import PMEM2_F_MEM_WB as F_MEM_WB
    from nvm._kit import PMEM2_F_MEM_WC as F_MEM_WC
    from nvm._kit import Pmem2BadBlocks as BadBlocks
    from nvm._kit import Pmem2Config as Config
    from nvm._kit import Pmem2Map as Map
    from nvm._kit import Pmem2Reservation as Reservation
    from nvm._kit import Pmem2Source as Source
except ImportError as error:
    raise absent("pmem2", error) from None

__all__ = [
    "F_MEM_NODRAIN",
    "F_MEM_NOFLUSH",
    "F_MEM_NONTEMPORAL",
    "F_MEM_TEMPORAL",
    "F_MEM_WB",
    "F_MEM_WC",
    "BadBlock",
    "BadBlocks",
    "Config",
    "Error",
    "ErrorCode",
    "Granularity",
    "Map",
    "Protection",
    "Reservation",
    "Sharing",
    "Source",
]

for _class in BadBlock, Error, ErrorCode, Granularity, Protection, Sharing:
    _class.__module__ = __name__
del _class
