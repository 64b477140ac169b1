"""Who acts on a job, with what each knew when it last read the row: any of them may
have lost the job since.
"""

from __future__ import annotations

import copy
import datetime as dt
from dataclasses import dataclass
from typing import Any

from jobs import Worker
from jobs.models import Job
from tests.model.model import ModelJob


@dataclass(eq=False)
class Handle:
    """An instance read earlier, and the model's job as it was then."""

    job: Job
    seen: ModelJob

    @property
    def pk(self) -> Any:
        return self.seen.pk

    @property
    def epoch(self) -> int:
        return self.seen.epoch

    def instance(self) -> Job:
        """A copy, because a transition brings its instance up to date: the handle stays
        what it is, and may act again.
        """
        return copy.copy(self.job)


@dataclass(eq=False)
class Watch(Handle):
    """A worker that has reserved the job, and believes that it watches it."""

    worker: Worker
    performs_itself: bool = False


@dataclass(eq=False)
class Look(Handle):
    """What a watcher read before it decides that the execution ended without an
    outcome.
    """

    worker: Worker


@dataclass(eq=False)
class Execution(Handle):
    """Lines of the job being run, in a worker or in a container."""

    worker: Worker
    runner: str
    in_container: bool
    last_sign: dt.datetime
    alive: bool = True
    #: Why another execution may begin beside this one, if it may.
    given_up: str = ""


@dataclass(eq=False)
class Container:
    """Submitted for one epoch of a job. It reads the row when it starts, and registers
    later.
    """

    pk: Any
    epoch: int
    runner: str
    handle: Handle | None = None
    over: bool = False
