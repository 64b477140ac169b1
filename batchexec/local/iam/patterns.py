"""IAM's wildcards: `*` is anything, `?` one character."""

from __future__ import annotations

import re
from functools import cache


@cache
def _compiled(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    text = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(text, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def like(text: str, pattern: str, *, ignore_case: bool = False) -> bool:
    return _compiled(pattern, ignore_case).fullmatch(text) is not None


def is_arn(text: str) -> bool:
    """Whether it has the six parts of an ARN, wildcards included."""
    return text.startswith("arn:") and text.count(":") >= 5


def arn_like(arn: str, pattern: str) -> bool:
    """Matches ARNs part by part, so that no wildcard reaches into the next part."""
    parts, patterns = arn.split(":", 5), pattern.split(":", 5)
    return len(parts) == len(patterns) and all(map(like, parts, patterns))
