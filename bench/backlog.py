"""How fast workers that run and are idle perform many jobs that come at once."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.db import transaction

#: How long to wait for all of them, in seconds, and how often to look.
LIMIT, LOOK = 300.0, 0.02


def emptied(
    enqueue: Callable[[int], object], unfinished: Callable[[], int], number: int
) -> dict[str, float]:
    """Jobs per second, from the commit of all to the record of the last.

    `enqueue(number)` enqueues that many, and `unfinished()` returns how many are left.
    """
    with transaction.atomic():
        enqueue(number)
    began = time.perf_counter()
    while unfinished():
        if time.perf_counter() - began > LIMIT:
            raise SystemExit(f"The workers did not perform {number} jobs within {LIMIT:g} s.")
        time.sleep(LOOK)
    return {"per_second": number / (time.perf_counter() - began)}
