"""libpmemblk: blocks of one size, each written whole or not at all."""

from nvm._absent import absent

try:
    from nvm._kit import PMEMBLK_MIN_BLK as MIN_BLK
    from nvm._kit import PMEMBLK_MIN_POOL as MIN_POOL_SIZE
    from nvm._kit import BlockPool
    from nvm._kit import pmemblk_check as check
    from nvm._kit import pmemblk_check_version as check_version
    from nvm._kit import pmemblk_create as create
    from nvm._kit import pmemblk_ctl_get as ctl_get
    from nvm._kit import pmemblk_ctl_set as ctl_set
    from nvm._kit import pmemblk_open as open
except ImportError as error:
    raise absent("pmemblk", error) from None

__all__ = [
    "MIN_BLK",
    "MIN_POOL_SIZE",
    "BlockPool",
    "check",
    "check_version",
    "create",
    "ctl_get",
    "ctl_set",
    "open",
]
