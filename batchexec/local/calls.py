"""Remembers the requests, for tests that must know what went over the wire."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any


class Calls:
    """How often each operation was called, and the fate of every SubmitJob request.

    `refusals` counts the answers that were errors, by operation and HTTP status.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        with self._lock:
            self._counts: Counter[str] = Counter()
            self._refusals: dict[str, Counter[str]] = {}
            self._submissions: list[dict[str, Any]] = []

    def count(self, operation: str) -> None:
        with self._lock:
            self._counts[operation] += 1

    def refusal(self, operation: str, status: int) -> None:
        with self._lock:
            self._refusals.setdefault(operation, Counter())[str(status)] += 1

    def submission(self, job_name: Any, job_id: str | None, reply: int | str) -> None:
        """Notes a SubmitJob request.

        `job_id` is None if it was refused. `reply` is the HTTP status sent, or what
        happened to the connection instead.
        """
        accepted = job_id is not None
        one = {"jobName": job_name, "accepted": accepted, "jobId": job_id, "reply": reply}
        with self._lock:
            self._submissions.append(one)

    def show(self) -> dict[str, Any]:
        with self._lock:
            submissions = [dict(one) for one in self._submissions]
            refusals = {name: dict(counts) for name, counts in self._refusals.items()}
            counts = dict(self._counts)
        return {"counts": counts, "refusals": refusals, "submissions": submissions}
