"""What can be made to go wrong, on purpose: `operation:kind[:key=value,…]`.

    SubmitJob:reset-after:times=1        accepted, then the connection is reset without a reply
    SubmitJob:503-before                 refused (or -after: accepted) with that HTTP status; `429` is `429-before`
    SubmitJob:hang-after:seconds=30      accepted (or -before: not looked at yet), answered only seconds later
    *:latency:seconds=0.2                every answer comes later
    *:403:code=AccessDeniedException     with this error code instead of ExpiredTokenException
    ListJobs:blind:seconds=10            jobs submitted in the last seconds aren't listed (DescribeJobs: not described)
    DescribeJobs:forget                  finished jobs are unknown; `forget-all`: every job
    DescribeJobs:backwards:times=2       running jobs are shown as RUNNABLE
    Container:kill:after=2,exit=137      the host is lost: SIGKILL; without `exit`, no exit code is known
    Container:oom:after=1                out of memory: SIGKILL, exit code 137
    Container:reclaim:after=1            Spot takes the machine away: SIGTERM, and SIGKILL after the grace
    Container:exit0-on-term:after=1      SIGTERM (without `after`: somebody else's), after which 0 is recorded as exit code
    Container:twice                      the command runs a second time, beside the first, under the same job id
    Container:pull-error                 the image can't be pulled

`times=n` ends a fault after n calls or containers; without it, it lasts until faults are replaced. `when=<file>` in place
of `seconds` or `after`: as soon as that file exists, so that a fault can wait for whatever has to come first.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from botocore.session import get_session

CONTAINER = "Container"
CONTAINER_KINDS = {
    "kill": {"after", "when", "exit"},
    "oom": {"after", "when"},
    "reclaim": {"after", "when"},
    "exit0-on-term": {"after", "when"},
    "twice": set(),
    "pull-error": set(),
}
VIEW_KINDS = {
    "ListJobs": {"blind": {"seconds"}},
    "DescribeJobs": {"blind": {"seconds"}, "forget": set(), "forget-all": set(), "backwards": set()},
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


@cache
def batch_operations() -> dict[str, str]:
    """The operations of AWS Batch, by lower-case name."""
    names = get_session().get_service_model("batch").operation_names
    return {name.lower(): name for name in names}


class FaultError(ValueError):
    """A fault specification that means nothing; the message is one sentence that says why."""


@dataclass
class Fault:
    """`left` is how often it will still happen; None: always. `hits` is how often it did."""

    spec: str
    operation: str
    kind: str
    options: dict[str, str]
    left: int | None = None
    hits: int = 0

    @property
    def status(self) -> int | None:
        """The HTTP status it answers with, if it's that kind."""
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
        """Returns after its seconds, or once its file exists; at once when `closing` is set."""
        if "when" not in self.options:
            closing.wait(self.seconds())
        while self.waits and not closing.wait(LOOK):
            pass


def parse(spec: str) -> Fault:
    """The fault that `spec` describes, or a FaultError."""
    if not isinstance(spec, str) or spec.count(":") not in (1, 2):
        raise FaultError(f"The fault {spec!r} is not of the form operation:kind or operation:kind:key=value,….")
    operation, kind, *rest = spec.split(":")
    operation = batch_operations().get(operation.lower(), operation)
    allowed = _allowed_options(spec, operation, kind)
    options: dict[str, str] = {}
    for pair in filter(None, rest[0].split(",") if rest else []):
        key, equals, value = pair.partition("=")
        if not equals or key not in allowed:
            known = ", ".join(sorted(allowed))
            raise FaultError(f"The fault {spec!r} has the option {pair!r}, but {kind} takes key=value with {known}.")
        number = r"\d+" if key in ("times", "exit") else r"\d+(\.\d+)?"
        if key not in ("code", "when") and not re.fullmatch(number, value):
            raise FaultError(f"The fault {spec!r} has {key}={value!r}, which is not a number it can take.")
        options[key] = value
    times = options.pop("times", None)
    return Fault(spec, operation, kind, options, left=int(times) if times else None)


def _allowed_options(spec: str, operation: str, kind: str) -> set[str]:
    if operation == CONTAINER:
        kinds: dict[str, set[str]] = dict(CONTAINER_KINDS)
    elif operation == "*" or operation in batch_operations().values():
        kinds = {**CALL_KINDS, **VIEW_KINDS.get(operation, {})}
        if STATUS_KIND.fullmatch(kind):
            kinds[kind] = {"code"}
    else:
        raise FaultError(f"The fault {spec!r} names {operation!r}, which is neither a Batch operation, * nor Container.")
    if kind not in kinds:
        known = ", ".join([*kinds, *([] if operation == CONTAINER else ["an HTTP status"])])
        raise FaultError(f"The fault {spec!r} has the kind {kind!r}, but {operation} knows {known}.")
    return {"times", *kinds[kind]}


class Faults:
    """Those in force. Every method may be called from any thread."""

    def __init__(self, specs: Iterable[str] = ()):
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        #: All since `unmet` was asked.
        self._set: list[Fault] = []
        self.replace(specs)

    def replace(self, specs: Iterable[str]) -> None:
        """All of `specs` or, with a FaultError, no change."""
        faults = [parse(spec) for spec in specs]
        with self._lock:
            self._faults = faults
            self._set += faults

    def unmet(self) -> list[str]:
        """The faults set since this was last asked that never happened, or not as many times as they say."""
        with self._lock:
            found, self._set = self._set, []
        return [fault.spec for fault in found if not fault.hits or fault.left]

    def show(self) -> list[dict[str, Any]]:
        with self._lock:
            return [{"spec": fault.spec, "left": fault.left} for fault in self._faults]

    def take(self, operation: str, kinds: Collection[str]) -> Fault | None:
        """The first fault in force for an operation, of those kinds; it counts as having happened once more.

        What befalls a container comes later, or never: whoever does it counts that hit.
        """
        with self._lock:
            for fault in self._faults:
                named = fault.operation == operation or (fault.operation == "*" and operation != CONTAINER)
                if named and fault.left != 0 and ("status" if fault.status else fault.kind) in kinds:
                    if fault.left:
                        fault.left -= 1
                    fault.hits += operation != CONTAINER
                    return fault
        return None
