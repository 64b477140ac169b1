"""Attempts, the rules of evaluateOnExit, and time-outs.

Source: RetryStrategy, EvaluateOnExit and JobTimeout in the API reference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from batchexec.local.errors import refuse

MIN_TIMEOUT = 60
MOST_ATTEMPTS, MOST_RULES, LONGEST_PATTERN = 10, 5, 512
PATTERNS = {
    "onStatusReason": re.compile(r"[A-Za-z0-9.:\s]*\*?"),
    "onReason": re.compile(r"[A-Za-z0-9.:\s]*\*?"),
    "onExitCode": re.compile(r"[0-9]*\*?"),
}


def check_retry_strategy(retry: Mapping[str, Any]) -> int:
    """How many attempts there are. Raises ApiError if the strategy isn't allowed."""
    attempts = retry.get("attempts", 1)
    if not 1 <= attempts <= MOST_ATTEMPTS:
        raise refuse(f"retryStrategy.attempts must be 1 to {MOST_ATTEMPTS}, not {attempts}.")
    rules = retry.get("evaluateOnExit") or []
    if len(rules) > MOST_RULES:
        raise refuse(f"retryStrategy.evaluateOnExit takes at most {MOST_RULES} rules.")
    for rule in rules:
        for key, pattern in PATTERNS.items():
            text = rule.get(key)
            if text is None:
                continue
            if not text or len(text) > LONGEST_PATTERN or not pattern.fullmatch(text):
                allowed = "digits" if key == "onExitCode" else "letters, digits, '.', ':', spaces"
                raise refuse(
                    f"{key} {text[:100]!r} must have up to {LONGEST_PATTERN} {allowed}, "
                    "and * only at its end."
                )
    return int(attempts)


def check_timeout(timeout: Mapping[str, Any], allow_short: bool) -> float:
    """The time-out in seconds. Raises ApiError under 60, unless short ones may be."""
    seconds = timeout.get("attemptDurationSeconds")
    least = 1 if allow_short else MIN_TIMEOUT
    if seconds is None or seconds < least:
        raise refuse(f"attemptDurationSeconds must be at least {MIN_TIMEOUT}, not {seconds}.")
    return float(seconds) if seconds % 1 else int(seconds)


def check_scheduling_priority(priority: int | None) -> int | None:
    if priority is not None and not 0 <= priority <= 9999:
        raise refuse(f"The scheduling priority must be 0 to 9999, not {priority}.")
    return priority
