"""An object that sometimes cannot be made from the pool."""

from __future__ import annotations

from nvm.pmemobj import PersistentObject


class Shy(PersistentObject):
    """Cannot be made again from the pool while it refuses."""

    refuses = False

    def _v__init__(self) -> None:
        if Shy.refuses:
            raise ZeroDivisionError
