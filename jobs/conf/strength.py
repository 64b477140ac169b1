"""How strong a secret must be that signs what workers execute.

Who can write rows and has one signature can guess at the key for as long as they like,
and with the key they run code. The measure is Django's for SECRET_KEY (its check
`security.W009`): 50 characters, 5 different ones, and not the key of a new project.
"""

from __future__ import annotations

from typing import Any

SHORTEST = 50
FEWEST_DIFFERENT = 5
#: Keys of new projects and of examples begin like this, and everybody knows some.
DEVELOPMENT = ("django-insecure-", "insecure-")


def weakness(key: Any) -> str:
    """What is wrong with a key, without a character of it; empty if it is strong."""
    text = key.decode("latin-1") if isinstance(key, bytes) else str(key)
    if not text:
        return "is empty"
    if text.startswith(DEVELOPMENT):
        return "is a development key"
    if len(text) < SHORTEST:
        return f"has fewer than {SHORTEST} characters"
    if len(set(text)) < FEWEST_DIFFERENT:
        return f"has fewer than {FEWEST_DIFFERENT} different characters"
    return ""
