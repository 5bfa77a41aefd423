"""libpmem: mapped files whose stores are made durable by flushing the processor's caches."""

from nvm._kit import pmem_check_version as check_version

__all__ = ["check_version"]
