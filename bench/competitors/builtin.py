"""Python's own containers and objects: what everything is compared with. Nothing persists."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any

from bench.competitors.base import Competitor

if TYPE_CHECKING:
    from bench.work import Settings


class Thing:
    """An ordinary object."""

    alpha: Any

    def touch(self) -> None:
        """Do nothing."""


PLAIN = {"list": list, "dict": dict, "set": set, "bytearray": bytearray, "nested": dict}


class Builtin(Competitor):
    """The baseline."""

    name = "built-in"
    persistent = False
    kinds = frozenset({*PLAIN, "object"})

    @classmethod
    def version(cls) -> str:
        return f"{platform.python_implementation()} {platform.python_version()}"

    @classmethod
    def survives(cls, settings: Settings) -> str:
        return "nothing"

    def container(self, kind: str, place: str) -> Any:
        return Thing() if kind == "object" else PLAIN[kind]()
