"""Job objects, and how they are stored."""

from jobs.payloads.asynchronous import finished
from jobs.payloads.handler import carried_by, dump, load
from jobs.payloads.paths import import_dotted, path_of
from jobs.payloads.performable import (
    Performable,
    call_hook,
    call_with_accepted,
    check,
    destroys_when_failed,
    display_name,
    max_attempts,
    max_run_time,
    perform,
    performing,
    subclasses,
    unique_key,
)
from jobs.payloads.plain import NotPlain, writer_of
from jobs.payloads.reporting import progress, reported_to, track
from jobs.payloads.signing import is_current, sign, signer, verified
from jobs.payloads.vetting import vet

__all__ = [
    "NotPlain",
    "Performable",
    "call_hook",
    "call_with_accepted",
    "carried_by",
    "check",
    "destroys_when_failed",
    "display_name",
    "dump",
    "finished",
    "import_dotted",
    "is_current",
    "load",
    "max_attempts",
    "max_run_time",
    "path_of",
    "perform",
    "performing",
    "progress",
    "reported_to",
    "sign",
    "signer",
    "subclasses",
    "track",
    "unique_key",
    "verified",
    "vet",
    "writer_of",
]
