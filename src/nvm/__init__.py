"""Persistent memory for Python: objects that live in a mapped file and survive a crash."""

from nvm._version import __version__

__all__ = ["__version__"]
