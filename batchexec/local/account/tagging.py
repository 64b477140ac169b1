"""Tags of resources and jobs after their creation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from batchexec.local.errors import refuse
from batchexec.local.rules.tags import MOST, check_tags

Request = Mapping[str, Any]
Tags = dict[str, str]


def tag(tags: Tags, request: Request) -> dict[str, Any]:
    added = check_tags(request["tags"])
    if len({**tags, **added}) > MOST:
        raise refuse(f"A resource takes at most {MOST} tags.")
    tags.update(added)
    return {}


def untag(tags: Tags, request: Request) -> dict[str, Any]:
    for key in request["tagKeys"]:
        tags.pop(key, None)
    return {}


def list_tags(tags: Tags, request: Request) -> dict[str, Any]:
    return {"tags": dict(tags)}
