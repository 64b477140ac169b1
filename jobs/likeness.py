"""Which errors are alike: the same class and the same error, but for what differs from
one job to the next.
"""

from __future__ import annotations

import hashlib
import re

from jobs.text import first_line

#: Characters of a key.
LENGTH = 16
#: An error is told by its first line, and by no more of it than this.
LONGEST = 500

#: What stands in the place of a text that is another one each time, in this order.
# fmt: off
_DIFFERING = [
    (re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "<address>"),
    (re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s'\"<>]+", re.IGNORECASE), "<address>"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b0x[0-9a-f]+\b", re.IGNORECASE), "<address>"),
    (re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b"), "<address>"),
    # At least one digit, because there are words of these letters.
    (re.compile(r"\b(?=[a-f]*\d)[0-9a-f]{12,}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\d+(?:[.,:]\d+)*"), "<n>"),
]
# fmt: on


def normalised(text: str) -> str:
    """The first line of `text`, with numbers, ids and addresses replaced."""
    found = first_line(text)[:LONGEST]
    for pattern, instead in _DIFFERING:
        found = pattern.sub(instead, found)
    return found


def key(name: str, error: str) -> str:
    """The same for all jobs of this name, numbers aside, with errors like this one.

    Never raises, whatever is in a row's columns.
    """
    told = f"{normalised(str(name))}\0{normalised(str(error))}"
    digest = hashlib.sha256(told.encode("utf-8", "backslashreplace"))
    return digest.hexdigest()[:LENGTH]
