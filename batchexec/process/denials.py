"""Whether AWS denies one job's own choice, or everything that a process submits.

A role that loses its right to submit is denied everything, and no job is to blame.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass

#: The settings' own request: queue, definition, and nothing besides.
PLAIN = "the settings' own request"
#: How many different requests are denied, with nothing accepted, before that counts as
#: everything.
DIFFERENT = 2
#: For how many seconds an accepted submission proves that not everything is denied.
PROVES_FOR = 60.0
#: Accepted requests that are remembered at most.
MOST = 10_000
#: How AWS names what it denied. Source: IAM User Guide, access denied error messages.
NAMED = re.compile(r"to perform: (?P<action>\S+)(?: on resource: (?P<resource>\S+))?")


@dataclass(frozen=True)
class Request:
    """What IAM may tell one submission from another by.

    `queue` and `definition` are None where they are the settings'.
    """

    queue: str | None = None
    definition: str | None = None
    tags: frozenset[tuple[str, str]] = frozenset()
    share_identifier: str | None = None


class Denials:
    """What AWS has denied to this process since it last accepted a submission."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._denied: set[Hashable] = set()
        self._accepted: dict[Request, None] = {}
        self._accepted_at = float("-inf")

    def accepted(self, request: Request) -> None:
        """AWS Batch has taken a submission, so it doesn't deny everything."""
        with self._lock:
            self._denied.clear()
            self._accepted_at = time.monotonic()
            self._accepted[request] = None
            if len(self._accepted) > MOST:
                del self._accepted[next(iter(self._accepted))]

    def denied(self, request: Request, reason: str, *, is_plain: bool) -> None:
        """AWS has denied it, with these words.

        `is_plain`: no job could ask for less.
        """
        with self._lock:
            self._denied.add(PLAIN if is_plain else _subject(request, reason))

    def are_of_everything(self, request: Request, since: float) -> bool:
        """Whether that request is denied because everything is.

        It is if the settings' own request is denied, too; or one like it was accepted
        before, and nothing has been since `since`, by time.monotonic(); or different
        requests are denied, and none was accepted lately.
        """
        with self._lock:
            if PLAIN in self._denied:
                return True
            if self._accepted_at > since:
                return False
            if request in self._accepted:
                return True
            is_lately = time.monotonic() - self._accepted_at < PROVES_FOR
            return len(self._denied) >= DIFFERENT and not is_lately


def _subject(request: Request, reason: str) -> Hashable:
    """What the denial is about, by AWS's words; the whole request if they don't say."""
    named = NAMED.search(reason)
    if named is None:
        return request
    action, resource = named["action"], named["resource"] or ""
    if action.endswith(":TagResource"):
        return action
    is_own = ("job-queue/" in resource and request.queue) or (
        "job-definition/" in resource and request.definition
    )
    return resource if is_own else request
