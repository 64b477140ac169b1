"""Tags of jobs and other resources.

The service model has their lengths and number. The rest is in "Tagging your AWS Batch
resources".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from batchexec.local.errors import refuse

MOST = 50
TOO_MANY = "The total number of tags from the job and its job definition is over 50"


def check_tags(tags: Mapping[str, str] | None) -> dict[str, str]:
    """The tags. Raises ApiError if one is AWS's own."""
    for key in tags or {}:
        if key.lower().startswith("aws:"):
            raise refuse(f"Tag key {key!r}: the prefix aws: is reserved.")
    return dict(tags or {})


def too_many_propagated(job: Mapping[str, str], definition: Mapping[str, Any]) -> bool:
    """Whether a job whose tags are propagated fails because of their number."""
    return len({**definition.get("tags", {}), **job}) > MOST
