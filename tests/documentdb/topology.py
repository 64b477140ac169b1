"""What the gateway says of itself: the primary of a replica set with one member, of
MongoDB 7.0.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Mapping
from typing import Any

from bson import Int64, ObjectId

VERSION = (7, 0, 0, 0)
#: MongoDB 7.0's.
MAX_WIRE_VERSION = 21
SET_NAME = "rs0"


class Topology:
    """Whether this is the primary, and how often that changed: a driver's monitors wait
    for the next time.
    """

    def __init__(self, address: str):
        self._address = address
        self._process = ObjectId()
        self._changed = threading.Condition()
        # Higher than that of a gateway which was here before: drivers remember it.
        self._changes = time.time_ns() // 10**6
        self._secondary_until = 0.0

    @property
    def is_primary(self) -> bool:
        return time.monotonic() >= self._secondary_until

    def step_down(self, seconds: float) -> None:
        """Is no primary for so long, then again."""
        with self._changed:
            self._secondary_until = time.monotonic() + seconds
            self._announce()
        timer = threading.Timer(seconds, self._step_up)
        timer.daemon = True
        timer.start()

    def step_up(self) -> None:
        """Is primary from now on."""
        with self._changed:
            self._secondary_until = 0.0
            self._announce()

    def hello(self, command: Mapping[str, Any], connection: int) -> dict[str, Any]:
        """Waits as long as the command allows if the driver knows all this already."""
        if (known := command.get("topologyVersion")) is not None:
            with self._changed:
                news = lambda: Int64(self._changes) != known["counter"]  # noqa: E731
                self._changed.wait_for(news, min(command.get("maxAwaitTimeMS", 0) / 1000, 60))
        now = dt.datetime.now(dt.timezone.utc)
        return {
            "isWritablePrimary": self.is_primary,
            "ismaster": self.is_primary,
            "secondary": not self.is_primary,
            "topologyVersion": {"processId": self._process, "counter": Int64(self._changes)},
            "hosts": [self._address],
            "setName": SET_NAME,
            "setVersion": 1,
            "me": self._address,
            **(
                {"primary": self._address, "electionId": ObjectId(f"7fffffff{self._changes:016x}")}
                if self.is_primary
                else {}
            ),
            "maxBsonObjectSize": 16 * 2**20,
            "maxMessageSizeBytes": 48_000_000,
            "maxWriteBatchSize": 100_000,
            "localTime": now,
            "logicalSessionTimeoutMinutes": 30,
            "connectionId": connection,
            "minWireVersion": 0,
            "maxWireVersion": MAX_WIRE_VERSION,
            "readOnly": False,
            "ok": 1.0,
        }

    def _step_up(self) -> None:
        with self._changed:
            self._announce()

    def _announce(self) -> None:
        self._changes += 1
        self._changed.notify_all()


def build_info() -> dict[str, Any]:
    return {
        "version": ".".join(map(str, VERSION[:3])),
        "versionArray": list(VERSION),
        "maxBsonObjectSize": 16 * 2**20,
        "ok": 1.0,
    }
