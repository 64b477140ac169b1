"""Whether containers would judge jobs as this process does: keys, database, settings.

A container gets its settings from the definition's environment and secrets. What is
secret is compared by a fingerprint, and never shown.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from django.conf import settings as django_settings

from batchexec.doctor.deployment import Deployment
from batchexec.doctor.findings import Finding, fault, members, ok, warning
from batchexec.doctor.secrets import SECRET
from jobs.conf import settings
from jobs.payloads import signing

#: What a container goes by when it records how a job ended.
RECORDING = (
    "LEASE",
    "MAX_ATTEMPTS",
    "MAX_RUN_TIME",
    "DESTROY_FAILED_JOBS",
    "KEEP_SUCCEEDED_FOR",
    "KEEP_RESULTS_FOR",
)
SIGNING_KEYS, SECRET_KEY, DATABASE_URL = "JOBS_SIGNING_KEYS", "SECRET_KEY", "DATABASE_URL"
FALLBACKS = "SECRET_KEY_FALLBACKS"
PURPOSE = b"batchexec.doctor"


def keys(deployment: Deployment) -> Iterator[Finding]:
    """A container verifies what we sign, and what it enqueues, we verify."""
    theirs = _keys(deployment)
    if not theirs:
        yield warning(
            f"The definition names neither {SECRET_KEY} nor {SIGNING_KEYS}, so whether its "
            "containers can verify our jobs can't be looked at.",
            f"name {SECRET_KEY} in the definition's secrets, or run doctor --canary.",
        )
        return
    ours = list(map(_bytes, signing.keys()))
    if not ours:
        yield fault(
            "No key signs jobs here, so none can be enqueued.",
            f"set {SECRET_KEY} or {SIGNING_KEYS}.",
        )
    elif ours[0] not in theirs and _is_key_unread():
        yield fault(
            f"{SECRET_KEY} is set in the environment, and your settings don't read it, so the "
            "secret that containers get isn't used.",
            f'write {SECRET_KEY} = os.environ["{SECRET_KEY}"] in your settings.',
        )
    elif ours[0] not in theirs:
        yield fault(
            f"We sign jobs with the key {fingerprint(ours[0])}, and containers verify by "
            f"{_shown(theirs)}, so every job fails with DeserializationError.",
            f"give both the same {SECRET_KEY} or {SIGNING_KEYS}; when you rotate, add the new key "
            "behind the old one everywhere first.",
        )
    elif theirs[0] not in ours:
        yield fault(
            f"Containers sign jobs with the key {fingerprint(theirs[0])}, and we verify by "
            f"{_shown(ours)}, so what a job enqueues there fails here.",
            f"add their key to {SIGNING_KEYS} here.",
        )
    else:
        yield ok(f"Containers verify our signatures, with the key {fingerprint(ours[0])}.")


def _is_key_unread() -> bool:
    """Whether jobs are signed by a SECRET_KEY that isn't the environment's."""
    given = os.environ.get(SECRET_KEY)
    return bool(given) and settings.SIGNING_KEYS is None and given != django_settings.SECRET_KEY


def database(deployment: Deployment) -> Iterator[Finding]:
    ours, theirs = os.environ.get(DATABASE_URL), _value(deployment, DATABASE_URL)
    if theirs is None:
        yield warning(
            f"The definition names no {DATABASE_URL}, so which database its containers use can't "
            "be looked at.",
            f"name {DATABASE_URL} in the definition's secrets, or run doctor --canary.",
        )
    elif ours is None:
        yield ok(f"{DATABASE_URL} is set for containers, and not here, where the settings say it.")
    elif _place(ours) != _place(theirs):
        yield fault(
            "Containers use another database than this process, so they find no job (exit "
            "status 4).",
            f"put the same {DATABASE_URL} into the secret, or correct it here.",
        )
    else:
        yield ok("Containers use the same database as this process.")


def settings_agree(deployment: Deployment) -> Iterator[Finding]:
    """Those that either side takes from its environment; the others are the image's."""
    found = _environment(deployment)
    differing = False
    for key in RECORDING:
        name = f"JOBS_{key}"
        if name not in found and name not in os.environ:
            continue
        try:
            theirs = settings.told(key, found.get(name))
        except (TypeError, ValueError) as error:
            differing = True
            yield fault(
                f"The definition's {name} is {found[name]!r}, and it takes {error}.",
                f"correct {name} in the definition's environment.",
            )
            continue
        if theirs != getattr(settings, key):
            differing = True
            yield fault(
                f"{name} is {getattr(settings, key)} here and {theirs} in containers, which "
                "record how jobs end.",
                f"set {name} to the same in the definition's environment and for the workers.",
            )
    if not differing:
        yield ok("Containers record outcomes by the same settings as this process.")


def fingerprint(key: bytes) -> str:
    """Eight digits by which two people can compare a key without telling it."""
    return hmac.new(key, PURPOSE, hashlib.sha256).hexdigest()[:8]


def _keys(deployment: Deployment) -> list[bytes]:
    if text := _value(deployment, SIGNING_KEYS):
        try:
            return [_bytes(key) for key in settings.told("SIGNING_KEYS", text) or ()]
        except (TypeError, ValueError):
            return []
    first = _value(deployment, SECRET_KEY)
    if not first:
        return []
    rest = (_value(deployment, FALLBACKS) or "").split(",")
    return [_bytes(key) for key in [first, *rest] if key]


def _environment(deployment: Deployment) -> dict[str, str]:
    pairs = members(deployment.container(), "environment")
    return {str(one.get("name")): str(one.get("value") or "") for one in pairs}


def _value(deployment: Deployment, name: str) -> str | None:
    """What a container has in that variable; None if the definition doesn't name it."""
    for one in members(deployment.container(), "secrets"):
        if one.get("name") == name:
            return _secret(deployment, str(one.get("valueFrom") or ""))
    return _environment(deployment).get(name)


def _secret(deployment: Deployment, source: str) -> str | None:
    place = SECRET.fullmatch(source)
    if not place:
        return None
    which = {"VersionStage": place["stage"]} if place["stage"] else {}
    answer = deployment.client("secretsmanager").get_secret_value(SecretId=place["secret"], **which)
    text = answer.get("SecretString")
    if text is None or not place["key"]:
        return text
    found = json.loads(text)
    return str(found[place["key"]]) if place["key"] in found else None


def _place(url: str) -> tuple[str, str, str]:
    parts = urlsplit(url)
    hosts = parts.netloc.rpartition("@")[2]
    return parts.scheme, ",".join(sorted(hosts.lower().split(","))), parts.path


def _shown(found: Sequence[bytes]) -> str:
    return ", ".join(fingerprint(key) for key in found)


def _bytes(key: str | bytes) -> bytes:
    return key if isinstance(key, bytes) else key.encode("utf-8", "surrogatepass")
