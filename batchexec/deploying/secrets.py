"""The secrets of an environment, in Secrets Manager.

They go there directly, so that no template, log or command line ever has one.
"""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from batchexec.aws.boto import exceptions

#: Schemes of DATABASE_URL that a container can use.
SCHEMES = ("mongodb", "mongodb+srv", "postgres", "postgresql")
LONGEST = 10_000


def database_url(source: str) -> str:
    """DATABASE_URL from a file, or from standard input if `source` is `-`.

    Raises ValueError, in a sentence without the URL, for one that no container can use.
    """
    try:
        text = sys.stdin.read(LONGEST) if source == "-" else Path(source).read_text()[:LONGEST]
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it isn't text"
        raise ValueError(f"--database-url-file {source}: {reason}.") from None
    url = text.strip()
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        raise ValueError("--database-url-file: it doesn't hold a URL.") from None
    if parts.scheme not in SCHEMES or not host or any(map(str.isspace, url)):
        raise ValueError(
            f"--database-url-file must hold one URL, of {', '.join(SCHEMES)}, such as "
            "mongodb+srv://user:password@host/name."
        )
    if host in ("localhost", "::1") or host.startswith("127."):
        raise ValueError(
            "--database-url-file names a database on this machine, which containers can't reach."
        )
    return url


class Secrets:
    """The secrets `<environment>/database-url` and `<environment>/secret-key`."""

    def __init__(self, client: Any, name: str):
        self._client = client
        self._name = name

    def find(self, kind: str) -> str | None:
        """The ARN; None if there is none, or it is about to be deleted."""
        found = self._described(kind)
        return None if found is None or found.get("DeletedDate") else str(found["ARN"])

    def _described(self, kind: str) -> dict[str, Any] | None:
        try:
            return dict(self._client.describe_secret(SecretId=f"{self._name}/{kind}"))
        except self._client.exceptions.ResourceNotFoundException:
            return None

    def keep(self, kind: str, value: str) -> str:
        """Makes the secret, or gives it a new value; returns its ARN.

        One that `delete` is about to delete is taken back.
        """
        found = self._described(kind)
        if found is None:
            made = self._client.create_secret(
                Name=f"{self._name}/{kind}",
                SecretString=value,
                Description=f"Of the environment {self._name}",
            )
            return str(made["ARN"])
        if found.get("DeletedDate"):
            self._client.restore_secret(SecretId=found["ARN"])
        self._client.put_secret_value(SecretId=found["ARN"], SecretString=value)
        return str(found["ARN"])

    def secret_key(self) -> str:
        """The ARN of SECRET_KEY, which is made at random once and then stays."""
        return self.find("secret-key") or self.keep("secret-key", secrets.token_urlsafe(50))

    def delete(self) -> list[str]:
        """Has them deleted in 30 days, until when AWS can restore them; their names."""
        gone = []
        for kind in ("database-url", "secret-key"):
            if self.find(kind):
                self._client.delete_secret(SecretId=f"{self._name}/{kind}", RecoveryWindowInDays=30)
                gone.append(f"{self._name}/{kind}")
        return gone


def exists(client: Any, arn: str) -> bool | None:
    """Whether there is a secret with that ARN; None if we may not look."""
    try:
        found = client.describe_secret(SecretId=whole(arn))
    except client.exceptions.ResourceNotFoundException:
        return False
    except exceptions.ClientError as error:
        if error.response.get("Error", {}).get("Code") == "AccessDeniedException":
            return None
        raise
    return not found.get("DeletedDate")


def whole(arn: str) -> str:
    """The ARN of the secret itself, without the member that may be named behind it."""
    return ":".join(arn.split(":")[:7])
