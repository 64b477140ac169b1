"""What an operator has to know of jobs that are executed elsewhere.

`jobs` knows no such place. An app that has jobs executed in one registers what it knows
of them, and the commands and the admin ask here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from jobs.execution.notes import forget_jobs
from jobs.models import Job

if TYPE_CHECKING:
    from jobs.models import AbstractJob

Question: TypeAlias = "Callable[[Sequence[AbstractJob]], dict[str, str]]"

#: Jobs that a place is asked about at once.
AT_ONCE = 1000


class Place:
    """Somewhere that jobs are executed; override what yours can answer."""

    #: How people call it.
    name = "elsewhere"

    def executions(self, job: AbstractJob) -> list[dict[str, Any]]:
        """The executions of the job that this place remembers, the oldest first.

        Names and values for people and for JSON: only text, numbers and None.
        """
        return []

    def why_not_begun(self, jobs: Sequence[AbstractJob]) -> dict[str, str]:
        """By the job's id, for each of the jobs that is meant for this place: why it
        hasn't been accepted there yet.

        Empty for a job that was accepted, and only waits for its start.
        """
        return {}

    def why_not_started(self, jobs: Sequence[AbstractJob]) -> dict[str, str]:
        """By the job's id: what keeps a detached job from its start, as this place said
        last.

        Without those that have started, or of which it has said nothing.
        """
        return {}

    def to_be_deleted(self, ids: Sequence[str]) -> int:
        """The rows of these jobs are about to be deleted.

        Has their executions ended once the rows are gone, and forgets their history.
        Returns how many of them have an execution here.
        """
        return 0


_places: list[Place] = []


def register(place: Place) -> None:
    """Has the commands and the admin ask this place, too."""
    if all(type(known) is not type(place) for known in _places):
        _places.append(place)


def executions(job: AbstractJob) -> list[dict[str, Any]]:
    """The executions of the job that any place remembers."""
    return [execution for place in _places for execution in place.executions(job)]


def why_not_begun(jobs: Sequence[AbstractJob]) -> dict[str, str]:
    """As `Place.why_not_begun`, by what every place says."""
    return _said([place.why_not_begun for place in _places], jobs)


def why_not_started(jobs: Sequence[AbstractJob]) -> dict[str, str]:
    """As `Place.why_not_started`, by what every place says."""
    return _said([place.why_not_started for place in _places], jobs)


def _said(questions: Iterable[Question], jobs: Sequence[AbstractJob]) -> dict[str, str]:
    said: dict[str, str] = {}
    for start in range(0, len(jobs), AT_ONCE):
        for question in questions:
            said.update(question(jobs[start : start + AT_ONCE]))
    return said


def to_be_deleted(ids: Sequence[Any], model: type[AbstractJob] = Job) -> int:
    """Call it before rows are deleted; returns how many are executed elsewhere.

    What is kept of these jobs, such as their failed attempts, is deleted with them.
    """
    forget_jobs(model, ids)
    return sum(place.to_be_deleted([str(pk) for pk in ids]) for place in _places)


def names() -> str:
    """The places, for a sentence."""
    return " or ".join(place.name for place in _places) or Place.name
