"""libpmemlog: a file that anybody appends to, and nobody changes but as a whole."""

from nvm._absent import absent

try:
    from nvm._kit import PMEMLOG_MIN_POOL as MIN_POOL_SIZE
    from nvm._kit import LogPool
    from nvm._kit import pmemlog_check as check
    from nvm._kit import pmemlog_check_version as check_version
    from nvm._kit import pmemlog_create as create
    from nvm._kit import pmemlog_ctl_get as ctl_get
    from nvm._kit import pmemlog_ctl_set as ctl_set
    from nvm._kit import pmemlog_open as open
except ImportError as error:
    raise absent("pmemlog", error) from None

__all__ = [
    "MIN_POOL_SIZE",
    "LogPool",
    "check",
    "check_version",
    "create",
    "ctl_get",
    "ctl_set",
    "open",
]
