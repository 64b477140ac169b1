"""Job objects, and how they are stored."""

from jobs.payloads.handler import dump, import_dotted, load
from jobs.payloads.performable import (
    Performable,
    call_hook,
    call_with_accepted,
    check,
    destroys_when_failed,
    display_name,
    max_attempts,
    max_run_time,
    unique_key,
)

__all__ = [
    "Performable",
    "call_hook",
    "call_with_accepted",
    "check",
    "destroys_when_failed",
    "display_name",
    "dump",
    "import_dotted",
    "load",
    "max_attempts",
    "max_run_time",
    "unique_key",
]
