"""MongoDB's failpoint `failCommand`: the next so many commands of a kind fail, as a
test says.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.documentdb.refusals import CHANGES_OF_PRIMARY, RETRYABLE, Gone, Refused


@dataclass
class FailPoint:
    commands: frozenset[str]
    #: How often it fails yet; None: for ever.
    times: int | None
    data: Mapping[str, Any]


class FailPoints:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._current: FailPoint | None = None

    def configure(self, command: Mapping[str, Any]) -> dict[str, Any]:
        if command["configureFailPoint"] != "failCommand":
            raise Refused(
                2,
                f"There is no failpoint {command['configureFailPoint']!r} here, only failCommand.",
            )
        mode, data = command["mode"], command.get("data", {})
        with self._lock:
            if mode == "off":
                self._current = None
            else:
                commands = frozenset(name.lower() for name in data["failCommands"])
                self._current = FailPoint(
                    commands, None if mode == "alwaysOn" else mode["times"], data
                )
        return {"ok": 1.0}

    def hit(self, name: str, command: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is added to the reply of this command.

        Raises Refused or Gone where it isn't to be executed at all.
        """
        with self._lock:
            point = self._current
            if point is None or name not in point.commands or point.times == 0:
                return {}
            if point.times is not None:
                point.times -= 1
        if point.data.get("closeConnection"):
            raise Gone("by a failpoint")
        retryable = "txnNumber" in command
        if (code := point.data.get("errorCode")) is not None:
            raise Refused(
                code,
                "by a failpoint",
                *([RETRYABLE] if retryable and code in CHANGES_OF_PRIMARY else []),
            )
        concern = point.data.get("writeConcernError")
        if concern is None:
            return {}
        labels = [RETRYABLE] if retryable and concern["code"] in CHANGES_OF_PRIMARY else []
        return {"writeConcernError": concern, **({"errorLabels": labels} if labels else {})}
