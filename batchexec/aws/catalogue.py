"""Queues and job definitions, asked of AWS once a minute for all slots of a process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from batchexec.aws.answers import is_denied, is_refused, is_throttling
from batchexec.aws.definitions import Definition, definition_of
from batchexec.aws.queues import PLATFORM_OF_TYPE, Queue, queue_of
from jobs.logs import get_logger
from jobs.text import one_line

if TYPE_CHECKING:
    from batchexec.aws.client import BatchClient

logger = get_logger(__name__)

A = TypeVar("A")
T = TypeVar("T", Queue, Definition)
Details = list[dict[str, Any]]

#: How long an answer holds, in seconds.
FRESH_FOR = 60.0
#: How long an answer holds that keeps jobs from being submitted, or an error: somebody
#: may just be mending it.
WRONG_FOR = 5.0


class _Entry:
    """One question, and its last answer."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.answer: Any = None
        self.error: Exception | None = None
        self.until = 0.0


class Catalogue:
    """What AWS Batch says of queues and definitions. It is thread-safe.

    The calls raise what boto3 raises. What AWS Batch doesn't have is an answer, too: a
    queue or definition with a `problem`.
    """

    def __init__(self, client: BatchClient, throttled: Callable[[], object] = lambda: None):
        """`throttled` is called when AWS Batch refuses a look-up as one too many."""
        self._client = client
        self._throttled = throttled
        self._lock = threading.Lock()
        self._entries: dict[tuple[str, str], _Entry] = {}

    def queue(self, name: str) -> Queue:
        """The queue of that name or ARN."""
        return self._asked("queue", name, self._ask_queue, Queue)

    def definition(self, name: str) -> Definition:
        """The definition that this name or ARN means now.

        Without a revision, it is the latest active one.
        """
        return self._asked("definition", name, self._ask_definition, Definition)

    def forget(self, *names: str) -> None:
        """Has these asked again, because AWS Batch refused a submission to them."""
        with self._lock:
            entries = [entry for (_, name), entry in self._entries.items() if name in names]
        for entry in entries:
            entry.until = min(entry.until, 0.0)

    def _asked(self, kind: str, name: str, ask: Callable[[str], T], made: Callable[..., T]) -> T:
        with self._lock:
            entry = self._entries.setdefault((kind, name), _Entry())
        with entry.lock:  # of those who want it at once, one asks
            if time.monotonic() >= entry.until:
                self._renew(entry, name, ask)
                if entry.error is not None and is_refused(entry.error):
                    # Of a name that can't be one.
                    problem = f"AWS Batch finds a fault with the {kind} {name!r}: {entry.error}"
                    entry.answer, entry.error = made(name, problem=problem), None
            if entry.error is not None:
                raise entry.error.with_traceback(None)
            answer: T = entry.answer
            return answer

    def _renew(self, entry: _Entry, name: str, ask: Callable[[str], T]) -> None:
        try:
            entry.answer, entry.error = ask(name), None
        except Exception as error:
            entry.answer, entry.error = None, error
            if is_throttling(error):
                self._throttled()
        is_wrong = entry.error is not None or bool(entry.answer.problem)
        entry.until = time.monotonic() + (WRONG_FOR if is_wrong else FRESH_FOR)

    def _ask_queue(self, name: str) -> Queue:
        details = self._allowed(self._client.queues, name)
        if details is None:
            return Queue(name)
        if not details:
            return queue_of(name, None)
        return queue_of(name, details[0], self._environments(details[0]))

    def _environments(self, detail: dict[str, Any]) -> list[dict[str, Any]]:
        """The queue's compute environments, where its type says too little."""
        if detail.get("jobQueueType") in PLATFORM_OF_TYPE:
            return []
        order = detail.get("computeEnvironmentOrder") or ()
        names = [item["computeEnvironment"] for item in order]
        return self._allowed(self._client.compute_environments, names) or [] if names else []

    def _allowed(self, question: Callable[[A], Details], of: A) -> Details | None:
        """The answer, or None if the worker's role has no right to ask."""
        try:
            return question(of)
        except Exception as error:
            if not is_denied(error):
                raise
            message = "AWS doesn't tell the platform of %s, so BATCHEXEC['PLATFORM'] counts: %s"
            logger.info(message, of, one_line(error))
            return None

    def _ask_definition(self, name: str) -> Definition:
        plain = name.rpartition(":job-definition/")[2]
        is_arn = plain != name
        if ":" in plain:
            found = self._client.definition(name)
        else:
            found = self._client.definition_revisions(plain)
        if not found:
            return Definition(
                name,
                problem=f"AWS Batch has no active job definition {name!r}: "
                "register it, or name another.",
            )
        latest = max(found, key=lambda detail: detail["revision"])
        pinned = f"{latest['jobDefinitionName']}:{latest['revision']}"
        return definition_of(latest["jobDefinitionArn"] if is_arn else pinned, latest)
