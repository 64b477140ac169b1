"""Faults that you can set, on purpose: `operation:kind[:key=value,…]`.

Calls (`*` stands for every operation):

    SubmitJob:reset-after        accepted, then the connection is reset without a reply
    SubmitJob:reset-before       not accepted, and the connection is reset
    SubmitJob:503-before         refused with this HTTP status; `429` means `429-before`
    SubmitJob:503-after          accepted, but answered with this HTTP status
    *:403:code=AccessDeniedException     the same, with another error code
    SubmitJob:hang-after:seconds=30      accepted, but answered only after this time
    SubmitJob:hang-before:seconds=30     accepted and answered only after this time
    *:latency:seconds=0.2                answered later

What is shown of jobs:

    ListJobs:blind:seconds=10    jobs submitted in the last seconds aren't listed
                                 (DescribeJobs: aren't described)
    DescribeJobs:forget          finished jobs are unknown
    DescribeJobs:forget-all      every job is unknown
    DescribeJobs:backwards       running jobs are shown as RUNNABLE

Containers (`after=2` waits for 2 seconds first):

    Container:kill:exit=137      the host is lost: SIGKILL, and this exit code or none
    Container:oom                out of memory: SIGKILL, exit code 137
    Container:reclaim            Spot takes the machine away: SIGTERM, and SIGKILL after
                                 the grace
    Container:exit0-on-term      the exit code after a SIGTERM is 0; `after=2` sends it
    Container:twice              a second process runs the command beside the first,
                                 under the same job id
    Container:pull-error         the image can't be pulled
    Container:fails:cause=no-secret      fails as on AWS for a reason of
                                 `batchexec.local.causes`

`times=n` ends a fault after n calls or containers. Without it, the fault lasts until
you replace the faults.
`when=<file>` in place of `seconds` or `after` waits until that file exists, so that you
decide what comes first.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchexec.local.causes import CAUSES
from batchexec.local.rules.model import operations

CONTAINER = "Container"
CONTAINER_KINDS = {
    "kill": {"after", "when", "exit"},
    "oom": {"after", "when"},
    "reclaim": {"after", "when"},
    "exit0-on-term": {"after", "when"},
    "twice": set(),
    "pull-error": set(),
    "fails": {"after", "when", "cause"},
}
VIEW_KINDS = {
    "ListJobs": {"blind": {"seconds"}},
    "DescribeJobs": {
        "blind": {"seconds"},
        "forget": set(),
        "forget-all": set(),
        "backwards": set(),
    },
}
CALL_KINDS = {
    "latency": {"seconds", "when"},
    "hang-before": {"seconds", "when"},
    "hang-after": {"seconds", "when"},
    "reset-before": set(),
    "reset-after": set(),
}
STATUS_KIND = re.compile(r"([45]\d\d)(-before|-after)?")
DEFAULTS: dict[str, float] = {"seconds": 30, "after": 0}
#: How often a file that is waited for is looked for, in seconds.
LOOK = 0.02


class FaultError(ValueError):
    """A malformed fault specification. The message is one sentence that says why."""


@dataclass
class Fault:
    """A fault that will happen `left` more times, or always if that is None.

    `hits` counts how often it has happened.
    """

    spec: str
    operation: str
    kind: str
    options: dict[str, str]
    left: int | None = None
    hits: int = 0

    @property
    def status(self) -> int | None:
        """The HTTP status that it answers with, if it is of that kind."""
        found = STATUS_KIND.fullmatch(self.kind)
        return int(found[1]) if found else None

    @property
    def performs_call(self) -> bool:
        """Whether the call takes effect in spite of the fault."""
        return self.kind.endswith("-after") or self.kind == "hang-before"

    def seconds(self, key: str = "seconds") -> float:
        return float(self.options.get(key, DEFAULTS[key]))

    @property
    def waits(self) -> bool:
        """Whether the file that it waits for isn't there yet."""
        return "when" in self.options and not Path(self.options["when"]).exists()

    def hold(self, closing: threading.Event) -> None:
        """Waits for its seconds or its file, or until `closing` is set."""
        if "when" not in self.options:
            closing.wait(self.seconds())
        while self.waits and not closing.wait(LOOK):
            pass


def parse(spec: str) -> Fault:
    """The fault that `spec` describes. Raises FaultError if it describes none."""
    if not isinstance(spec, str) or spec.count(":") not in (1, 2):
        form = "operation:kind or operation:kind:key=value,…"
        raise FaultError(f"The fault {spec!r} is not of the form {form}.")
    operation, kind, *rest = spec.split(":")
    operation = operations().get(operation.lower(), operation)
    allowed = _allowed_options(spec, operation, kind)
    options: dict[str, str] = {}
    for pair in filter(None, rest[0].split(",") if rest else []):
        key, equals, value = pair.partition("=")
        if not equals or key not in allowed:
            known = ", ".join(sorted(allowed))
            raise FaultError(
                f"The fault {spec!r} has the option {pair!r}, "
                f"but {kind} takes key=value with {known}."
            )
        if key == "cause" and value not in CAUSES:
            reason = f"cause={value!r}, which is none of {', '.join(CAUSES)}"
            raise FaultError(f"The fault {spec!r} has {reason}.")
        number = r"\d{1,9}" if key in ("times", "exit") else r"\d{1,9}(\.\d+)?"
        if key not in ("code", "when", "cause") and not re.fullmatch(number, value):
            reason = f"{key}={value!r}, which is not a number it can take"
            raise FaultError(f"The fault {spec!r} has {reason}.")
        options[key] = value
    if kind == "fails" and "cause" not in options:
        raise FaultError(f"The fault {spec!r} has no cause, which is one of {', '.join(CAUSES)}.")
    times = options.pop("times", None)
    return Fault(spec, operation, kind, options, left=int(times) if times else None)


def _allowed_options(spec: str, operation: str, kind: str) -> set[str]:
    if operation == CONTAINER:
        kinds: dict[str, set[str]] = dict(CONTAINER_KINDS)
    elif operation == "*" or operation in operations().values():
        kinds = {**CALL_KINDS, **VIEW_KINDS.get(operation, {})}
        if STATUS_KIND.fullmatch(kind):
            kinds[kind] = {"code"}
    else:
        raise FaultError(
            f"The fault {spec!r} names {operation!r}, "
            "which is neither a Batch operation, * nor Container."
        )
    if kind not in kinds:
        known = ", ".join([*kinds, *([] if operation == CONTAINER else ["an HTTP status"])])
        reason = f"the kind {kind!r}, but {operation} knows {known}"
        raise FaultError(f"The fault {spec!r} has {reason}.")
    return {"times", *kinds[kind]}


class Faults:
    """The faults in force. You may call every method from any thread."""

    def __init__(self, specs: Iterable[str] = ()):
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        #: All since `unmet` was asked.
        self._set: list[Fault] = []
        self.replace(specs)

    def replace(self, specs: Iterable[str]) -> None:
        """Replaces all faults.

        Raises FaultError, and changes nothing, if one of `specs` is malformed.
        """
        faults = [parse(spec) for spec in specs]
        with self._lock:
            self._faults = faults
            self._set += faults

    def unmet(self) -> list[str]:
        """The faults set since the last call that happened never, or too seldom."""
        with self._lock:
            found, self._set = self._set, []
        return [fault.spec for fault in found if not fault.hits or fault.left]

    def show(self) -> list[dict[str, Any]]:
        with self._lock:
            return [{"spec": fault.spec, "left": fault.left} for fault in self._faults]

    def take(self, operation: str, kinds: Collection[str]) -> Fault | None:
        """The first fault in force for an operation, of one of these kinds, or None.

        Taking it counts as one of the times that it happens. A container's fault
        happens later, or never: whoever makes it happen counts the hit.
        """
        names = {operation} if operation == CONTAINER else {operation, "*"}
        with self._lock:
            for fault in self._faults:
                kind = "status" if fault.status else fault.kind
                if fault.operation in names and kind in kinds and fault.left != 0:
                    if fault.left:
                        fault.left -= 1
                    fault.hits += operation != CONTAINER
                    return fault
        return None
