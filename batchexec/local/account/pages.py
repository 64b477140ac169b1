"""Pages of the Describe and List calls on resources."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, TypeVar

from batchexec.local.errors import refuse

MOST = 100
Item = TypeVar("Item")


def page(key: str, items: list[Item], request: Mapping[str, Any]) -> dict[str, Any]:
    """The answer: at most `maxResults` items under `key`, and the next page's token.

    AWS gives at most 100 items a page for these calls.
    """
    wanted = request.get("maxResults")
    if wanted is not None and not 1 <= wanted <= MOST:
        raise refuse(f"maxResults must be 1 to {MOST}, not {wanted}.")
    start = _start(request.get("nextToken"))
    end = start + (wanted or MOST)
    answer: dict[str, Any] = {key: items[start:end]}
    if end < len(items):
        answer["nextToken"] = base64.urlsafe_b64encode(str(end).encode()).decode()
    return answer


def check_number(what: str, names: list[str]) -> None:
    if len(names) > MOST:
        raise refuse(f"{what} takes at most {MOST} names, not {len(names)}.")


def _start(token: str | None) -> int:
    if token is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token))
    except ValueError:
        raise refuse("nextToken is not one that this call gave.") from None
