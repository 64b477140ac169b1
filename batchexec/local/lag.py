"""How late AWS Batch is, at random around a time that you choose."""

from __future__ import annotations

import random


class Lag:
    """Draws times from half of `seconds` to one and a half of it."""

    def __init__(self, seconds: float = 0):
        self.set(seconds)

    def set(self, seconds: float) -> None:
        """For what is drawn from now on."""
        if not 0 <= seconds < float("inf"):
            raise ValueError(f"A lag is 0 seconds or more, not {seconds}.")
        self._seconds = seconds

    def draw(self) -> float:
        return self._seconds * random.uniform(0.5, 1.5)  # noqa: S311
