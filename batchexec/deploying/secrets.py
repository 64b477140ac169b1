"""The secrets of an environment, in Secrets Manager.

They go there directly, so that no template, log or command line ever has one.
"""

from __future__ import annotations

import ipaddress
import secrets
import sys
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from batchexec.aws.boto import exceptions
from jobs import databases

#: Schemes of DATABASE_URL that a container can use.
SCHEMES = ("mongodb", "mongodb+srv", "postgres", "postgresql")
LONGEST = 10_000
#: Of the name of a file that can't be read, in characters.
SHOWN = 200


def database_url(source: str) -> str:
    """DATABASE_URL from a file, or from standard input if `source` is `-`.

    Raises ValueError, in a sentence without the URL, for one that no container can use.
    """
    url = _read(source).strip()
    if len(url) >= LONGEST:
        raise ValueError(f"--database-url-file holds {LONGEST} characters or more.")
    if url.partition("://")[0] not in SCHEMES or any(map(str.isspace, url)):
        raise ValueError(
            f"--database-url-file must hold one URL, of {', '.join(SCHEMES)}, such as "
            "mongodb+srv://user:password@host/name."
        )
    try:
        problem, hosts = databases.problem(url), databases.hosts(url)
    except ImproperlyConfigured as error:
        problem, hosts = str(error), []
    if problem:
        raise ValueError(f"--database-url-file: {problem}")
    if any(map(_is_here, hosts)):
        raise ValueError(
            "--database-url-file names a database on this machine, which containers can't reach."
        )
    return url


def _read(source: str) -> str:
    """The text, or as much of it as shows that it is too long."""
    if "://" in source:
        raise ValueError(
            "--database-url-file is the name of a file, and was given a URL: write that into a "
            "file that nobody else can read."
        )
    try:
        if source == "-":
            # Without a standard input, Python has None there.
            return sys.stdin.read(LONGEST) if sys.stdin else ""
        # Some editors begin a file with a mark of its encoding.
        with Path(source).open(encoding="utf-8-sig") as file:
            return file.read(LONGEST)
    except UnicodeDecodeError:
        reason = "it isn't text"
    except OSError as error:
        reason = error.strerror or "it can't be read"
    except ValueError:  # a NUL in the name
        reason = "No such file or directory"
    raise ValueError(f"--database-url-file {source[:SHOWN]!r}: {reason}.")


def _is_here(host: str) -> bool:
    """Whether it means whatever machine uses it."""
    if not host or host.startswith("/") or host.rpartition(".")[2] == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified


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

    def keep(self, kind: str, value: str, key: str = "") -> str:
        """Makes the secret, or gives it a new value; returns its ARN.

        One that `delete` is about to delete is taken back. `key`: the ARN of the KMS
        key that encrypts one that is made; empty, AWS's own.
        """
        found = self._described(kind)
        if found is None:
            made = self._client.create_secret(
                Name=f"{self._name}/{kind}",
                SecretString=value,
                Description=f"Of the environment {self._name}",
                **({"KmsKeyId": key} if key else {}),
            )
            return str(made["ARN"])
        if found.get("DeletedDate"):
            self._client.restore_secret(SecretId=found["ARN"])
        self._client.put_secret_value(SecretId=found["ARN"], SecretString=value)
        return str(found["ARN"])

    def secret_key(self, key: str = "") -> str:
        """The ARN of SECRET_KEY, which is made at random once and then stays."""
        return self.find("secret-key") or self.keep("secret-key", secrets.token_urlsafe(50), key)

    def delete(self) -> list[str]:
        """Has them deleted in 30 days, until when AWS can restore them; their names."""
        gone = []
        for kind in ("database-url", "secret-key"):
            if self.find(kind):
                self._client.delete_secret(SecretId=f"{self._name}/{kind}", RecoveryWindowInDays=30)
                gone.append(f"{self._name}/{kind}")
        return gone


def named(client: Any, arn: str) -> str | None:
    """The ARN as AWS writes it, with the member that is named behind it.

    AWS finds a secret by an ARN without its six random characters, too, but IAM, which
    compares texts, doesn't. As it was given if we may not look; None if there is none.
    """
    secret = whole(arn)
    try:
        found = client.describe_secret(SecretId=secret)
    except client.exceptions.ResourceNotFoundException:
        return None
    except exceptions.ClientError as error:
        if error.response.get("Error", {}).get("Code") == "AccessDeniedException":
            return arn
        raise
    return None if found.get("DeletedDate") else f"{found['ARN']}{arn.removeprefix(secret)}"


def whole(arn: str) -> str:
    """The ARN of the secret itself, without the member that may be named behind it."""
    return ":".join(arn.split(":")[:7])
