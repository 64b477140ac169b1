"""The states of a job, and how it moves between them.

    scheduled ──due──► ready ──reserve──► running ──success──► deleted or succeeded
        ▲                ▲                │  ▲  └─ last attempt, can't load ──► failed
        │                │   watcher gone │  │ taken over by a worker that hands over
        └── back-off ────┴─ failure ──  detached
                                          any unfinished state ──cancel──► cancelled

A job that names code which its worker doesn't have yet is put back to `scheduled`, and
nothing is counted.

Each arrow is one function of `jobs.transitions`, except `reserve`, which is the
store's.
"""

from __future__ import annotations

from django.db import models


class State(models.TextChoices):
    SCHEDULED = "scheduled"
    READY = "ready"
    RUNNING = "running"
    DETACHED = "detached"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


#: A job in one of these is being performed, or has yet to be.
UNFINISHED = (State.SCHEDULED, State.READY, State.RUNNING, State.DETACHED)
FINISHED = (State.SUCCEEDED, State.FAILED, State.CANCELLED)
