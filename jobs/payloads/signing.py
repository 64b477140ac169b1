"""Signatures of handlers and results: who can write rows, but doesn't know a key, has
nothing run and nothing imported.

HMAC-SHA256 over the stored text. The first of SIGNING_KEYS signs, all of them verify,
so that jobs which are stored already outlive a change of the key.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from jobs.conf import settings

#: They keep the queue's signatures apart from each other, and from all others that are
#: made with the same key.
HANDLER, RESULT = b"jobs.handler", b"jobs.result"


def keys() -> Sequence[str | bytes]:
    """The keys that verify; the first one signs.

    SIGNING_KEYS, or Django's SECRET_KEY and SECRET_KEY_FALLBACKS if that is None.
    """
    found: Sequence[str | bytes] | None = settings.SIGNING_KEYS
    if found is not None:
        return found
    from django.conf import settings as of_django

    found = [of_django.SECRET_KEY, *getattr(of_django, "SECRET_KEY_FALLBACKS", ())]
    return [key for key in found if key]  # with an empty one, anybody could sign


def sign(text: str, purpose: bytes = HANDLER) -> str:
    """The signature of a handler's text, or another's, as 64 hexadecimal digits."""
    return _signature(keys()[0], text, purpose)


def signer() -> Callable[[str], str]:
    """`sign` with the key that signs now, for many handlers."""
    begun = _keyed(keys()[0], HANDLER)

    def sign(handler: str) -> str:
        signature = begun.copy()
        signature.update(handler.encode("utf-8", "surrogatepass"))
        return signature.hexdigest()

    return sign


def verified(text: Any, signature: Any, purpose: bytes = HANDLER) -> bool:
    """Whether one of the keys made this signature for this text."""
    return _key_of(text, signature, purpose) is not None


def is_current(text: Any, signature: Any, purpose: bytes = HANDLER) -> bool:
    """Whether the key that signs today made the signature; False for an older one."""
    return _key_of(text, signature, purpose) == 0


def _key_of(text: Any, signature: Any, purpose: bytes) -> int | None:
    """The index of the key that made the signature."""
    if not (isinstance(text, str) and isinstance(signature, str) and signature.isascii()):
        return None
    for index, key in enumerate(keys()):
        if hmac.compare_digest(_signature(key, text, purpose), signature):
            return index
    return None


def _signature(key: str | bytes, text: str, purpose: bytes) -> str:
    signature = _keyed(key, purpose).copy()
    signature.update(text.encode("utf-8", "surrogatepass"))
    return signature.hexdigest()


@lru_cache(maxsize=32)
def _keyed(key: str | bytes, purpose: bytes) -> hmac.HMAC:
    """The beginning of every signature with this key."""
    secret = key if isinstance(key, bytes) else key.encode("utf-8", "surrogatepass")
    return hmac.new(hmac.digest(secret, purpose, hashlib.sha256), digestmod=hashlib.sha256)
