"""Signatures of handlers: who can write rows, but doesn't know a key, has nothing run.

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

#: Keeps the queue's signatures apart from all others that are made with the same key.
PURPOSE = b"jobs.handler"


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


def sign(handler: str) -> str:
    """The signature of a handler's text, as hexadecimal digits."""
    return signer()(handler)


def signer() -> Callable[[str], str]:
    """`sign` with the key that signs now, for many handlers."""
    begun = _keyed(keys()[0])

    def sign(handler: str) -> str:
        signature = begun.copy()
        signature.update(handler.encode("utf-8", "surrogatepass"))
        return signature.hexdigest()

    return sign


def verified(handler: Any, signature: Any) -> bool:
    """Whether one of the keys made this signature for this text."""
    return _key_of(handler, signature) is not None


def is_current(handler: Any, signature: Any) -> bool:
    """Whether the key that signs today made the signature; False for an older one."""
    return _key_of(handler, signature) == 0


def _key_of(handler: Any, signature: Any) -> int | None:
    """The index of the key that made the signature."""
    if not (isinstance(handler, str) and isinstance(signature, str) and signature.isascii()):
        return None
    for index, key in enumerate(keys()):
        if hmac.compare_digest(_signature(key, handler), signature):
            return index
    return None


def _signature(key: str | bytes, handler: str) -> str:
    signature = _keyed(key).copy()
    signature.update(handler.encode("utf-8", "surrogatepass"))
    return signature.hexdigest()


@lru_cache(maxsize=16)
def _keyed(key: str | bytes) -> hmac.HMAC:
    """The beginning of every signature with this key."""
    secret = key if isinstance(key, bytes) else key.encode("utf-8", "surrogatepass")
    return hmac.new(hmac.digest(secret, PURPOSE, hashlib.sha256), digestmod=hashlib.sha256)
