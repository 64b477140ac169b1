"""Jobs that this process's code may be too old for, as in a deploy."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from jobs import transitions
from jobs.conf import settings
from jobs.store.clock import aware

if TYPE_CHECKING:
    from jobs.models import AbstractJob

#: For how many seconds such a job is put back: half its age, between these.
SHORTEST_POSTPONEMENT, LONGEST_POSTPONEMENT = 5.0, 60.0


def postponement(job: AbstractJob) -> float | None:
    """For how many seconds it is put back; None if it is older than DEPLOY_WINDOW."""
    window = settings.DEPLOY_WINDOW
    if not isinstance(job.created_at, dt.datetime):
        return None
    age = (transitions.store_of(job).now() - aware(job.created_at)).total_seconds()
    # Clocks may disagree, but a job from a far future would never grow old.
    if not -window < age < window:
        return None
    return min(max(age / 2, SHORTEST_POSTPONEMENT), LONGEST_POSTPONEMENT)
