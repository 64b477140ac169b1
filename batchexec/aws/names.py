"""The names of Batch jobs.

A name is the only handle on a submission whose reply was lost, so it is made only of
what is known before the submission.
"""

from __future__ import annotations

import hashlib
import re
import secrets

from batchexec.conf import settings
from batchexec.models import Installation
from jobs.store import store_for

#: AWS Batch's limit for a job name, in characters.
LONGEST = 128
#: What a hash leaves of a name that had to be cut.
LONGEST_COMMON = LONGEST - 17
#: An installation's id that is part of a name as it is.
PLAIN = re.compile(r"[a-z0-9]{1,32}")
#: The characters of any other id that a name shows.
LONGEST_READABLE = 24


def job_name(job_id: str, epoch: int) -> str:
    """`<prefix>-<installation>-<job>-e<epoch>`, valid for any prefix and job id.

    It is in lower case, because ListJobs compares without regard to case. If it had to
    be changed or cut, a hash of the whole name keeps it unique.
    """
    wanted = f"{settings.JOB_NAME_PREFIX}-{_installation()}-{job_id}-e{epoch}".lower()
    name = _valid(wanted)
    if name == wanted and len(name) <= LONGEST:
        return name
    digest = hashlib.sha256(wanted.encode()).hexdigest()[:16]
    return f"{name[: LONGEST - len(digest) - 1]}-{digest}"


def common_prefix() -> str:
    """The beginning of the names of all Batch jobs of this installation.

    Names of others may begin like this, too: `is_ours` tells them apart.
    """
    return _valid(f"{settings.JOB_NAME_PREFIX}-{_installation()}-".lower())[:LONGEST_COMMON]


def is_ours(name: str, job_id: str, epoch: str) -> bool:
    """Whether this installation gives that name to that job and epoch."""
    return epoch.isdecimal() and name == job_name(job_id, int(epoch))


def _installation() -> str:
    """The installation's id as a part of a name, different for every id.

    `shop-staging` would also be `shop` with a job id that begins with `staging`, and a
    name holds no capitals; such an id is told apart by a hash of the whole.
    """
    whole = installation_id()
    if PLAIN.fullmatch(whole):
        return whole
    digest = hashlib.sha256(whole.encode()).hexdigest()[:12]
    return f"{_valid(whole.lower()).replace('_', '-')[:LONGEST_READABLE]}_{digest}"


def _valid(name: str) -> str:
    return re.sub(r"[^a-z0-9_-]", "-", name).lstrip("-_")


def installation_id() -> str:
    """BATCHEXEC['INSTALLATION_ID'], or an id that is made once and kept in a table."""
    if settings.INSTALLATION_ID:
        return str(settings.INSTALLATION_ID)
    store = store_for(Installation)
    while (found := store.find_one({"key": "installation"})) is None:
        # If two processes make one at once, the unique key refuses the second.
        store.insert([Installation(value=secrets.token_hex(4))])
    return str(found.value)
