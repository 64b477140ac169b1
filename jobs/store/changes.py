"""MongoDB's change streams, which take a replica set."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pymongo.collection import Collection

#: After this many milliseconds the server answers that nothing has changed.
AWAITED = 1000


def watch(
    collection: Collection[dict[str, Any]],
    wanted: dict[str, Any],
    tell: Callable[[], None],
    stop: threading.Event,
) -> None:
    """Calls `tell` for each change that is as `wanted` says, until `stop` is set."""
    steps: list[dict[str, Any]] = [{"$match": wanted}, {"$project": {"_id": 1}}]
    with collection.watch(steps, max_await_time_ms=AWAITED) as stream:
        tell()  # for what happened before this began
        while not stop.is_set():
            if stream.try_next() is not None:
                tell()
