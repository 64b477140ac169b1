"""Counts this process's requests to AWS Batch, each try of boto3's for itself."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

_made: Counter[tuple[str, str]] = Counter()
_lock = threading.Lock()


def made() -> dict[tuple[str, str], int]:
    """How many, by operation and answer: "ok", "throttled", "refused" (another 4xx),
    "failed" (5xx), "none".
    """
    with _lock:
        return dict(_made)


def count(event_name: str, parsed_response: Any = None, **event: Any) -> None:
    """Of botocore's event `response-received.batch.<operation>`."""
    operation = event_name.rpartition(".")[2]
    with _lock:
        _made[operation, _answer(parsed_response)] += 1


def _answer(response: Any) -> str:
    if not isinstance(response, dict):
        return "none"
    from batchexec.aws.answers import TOO_MANY  # with boto3, which the figures don't need

    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = (response.get("Error") or {}).get("Code", "")
    if status == 429 or code in TOO_MANY:
        return "throttled"
    if status >= 500:
        return "failed"
    return "refused" if status >= 400 else "ok"
