"""The Batch job's name: the only handle on a submission whose reply was lost, so it follows from what is known before."""

from __future__ import annotations

import hashlib
import re
import secrets

from batchexec.conf import settings
from batchexec.models import Installation
from jobs.store import store_for

#: AWS Batch's limit for a job name, in characters.
LONGEST = 128
#: What is left of a name that had to be cut for its hash.
LONGEST_COMMON = LONGEST - 17


def job_name(job_id: str, epoch: int) -> str:
    """`<prefix>-<installation>-<job>-e<epoch>`: lower case, because ListJobs compares without regard to case.

    Valid for any prefix and job id. Where it had to be changed or cut, a hash of the whole keeps it unique.
    """
    wanted = f"{settings.JOB_NAME_PREFIX}-{installation_id()}-{job_id}-e{epoch}".lower()
    name = _valid(wanted)
    if name == wanted and len(name) <= LONGEST:
        return name
    digest = hashlib.sha256(wanted.encode()).hexdigest()[:16]
    return f"{name[: LONGEST - len(digest) - 1]}-{digest}"


def common_prefix() -> str:
    """What the names of all this installation's Batch jobs begin with."""
    return _valid(f"{settings.JOB_NAME_PREFIX}-{installation_id()}-".lower())[:LONGEST_COMMON]


def _valid(name: str) -> str:
    return re.sub(r"[^a-z0-9_-]", "-", name).lstrip("-_")


def installation_id() -> str:
    """BATCHEXEC['INSTALLATION_ID'], else one that is made once and kept in the database."""
    if settings.INSTALLATION_ID:
        return str(settings.INSTALLATION_ID)
    store = store_for(Installation)
    while True:
        if found := store.find({"key": "installation"}, limit=1):
            return str(found[0].value)
        # Of two that make one at once, the unique key refuses the second.
        store.insert([Installation(value=secrets.token_hex(4))])
