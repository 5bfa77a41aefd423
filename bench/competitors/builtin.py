"""Python's own list, dict and objects: what everything is compared with. Nothing persists."""

from __future__ import annotations

from typing import Any

from bench.competitors.python_objects import PythonObjects


class Thing:
    """An ordinary object."""


class Builtin(PythonObjects):
    """The baseline."""

    name = "built-in"
    persistent = False

    def make_list(self, values: list[Any]) -> list[Any]:
        return values

    def make_dict(self, values: dict[str, Any]) -> dict[str, Any]:
        return values

    def make_object(self) -> Thing:
        return Thing()
