"""Who looks at a job before it is stored because its object has an option.

What only matters to objects with that option costs all others nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: By the name of the option, which is an attribute of the object.
VETS: dict[str, Callable[[Any], None]] = {}


def register(option: str, vet: Callable[[Any], None]) -> None:
    """Has `vet(job)` called with each job whose object has the option and, of many
    jobs that don't, with one of each class. What it raises refuses the job.
    """
    VETS[option] = vet


def vet(job: Any) -> None:
    """Raises what those who are registered raise."""
    for one in VETS.values():
        one(job)
