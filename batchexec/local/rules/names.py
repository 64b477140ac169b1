"""The names of jobs, queues, definitions and the rest."""

from __future__ import annotations

import re

from batchexec.local.errors import refuse

#: Source: jobName, jobQueueName, jobDefinitionName and computeEnvironmentName in the
#: API reference.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
#: Source: shareIdentifier in the API reference.
SHARE = re.compile(r"[A-Za-z0-9]{1,255}")


def check_name(what: str, name: str) -> None:
    if not NAME.fullmatch(name):
        raise refuse(
            f"{what} {name!r} must have 1 to 128 letters, digits, - and _, "
            "and begin with a letter or digit."
        )


def check_share_identifier(value: str) -> None:
    if not SHARE.fullmatch(value):
        raise refuse(f"shareIdentifier {value!r} must have 1 to 255 letters and digits.")
