"""What the rules share: the model beside the queue, the actors, and the checks after
each step.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, TypeVar

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

import jobs
from jobs.models import Job
from jobs.store import store_for
from tests.model import rows, world
from tests.model.actors import Container, Execution, Handle, Look, Watch
from tests.model.model import SILENT_AFTER, ModelJob, ModelQueue

T = TypeVar("T")

#: Which of several is meant, counted from the latest, so that a failure shrinks to few
#: actors.
picks = st.integers(0, 5)

mostly = st.sampled_from([True, True, True, False])
seldom = st.sampled_from([False, False, False, True])

#: From this number on, an actor is picked that has lost its job.
STALE = 3

#: How often each event happened in all examples of the run.
happenings: Counter[str] = Counter()


class Base(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock = world.Clock()
        self.model = ModelQueue()
        self.watches: list[Watch] = []
        self.looks: list[Look] = []
        self.executions: list[Execution] = []
        self.containers: list[Container] = []
        self.handles: list[Handle] = []
        #: Outcomes the queue says it recorded.
        self.recorded: set[tuple[Any, int]] = set()
        self.rows: dict[Any, Job] = {}
        self._unchecked = True
        self._world = ExitStack()

    @initialize(keeps_succeeded=st.booleans())
    def an_empty_queue(self, keeps_succeeded: bool) -> None:
        self.keeps_succeeded = keeps_succeeded
        self._world.enter_context(world.world(self.clock, keeps_succeeded=keeps_succeeded))
        self.workers = world.workers()

    def teardown(self) -> None:
        self._world.close()

    @invariant()
    def the_rows_are_as_the_model_has_them(self) -> None:
        if not self._unchecked:
            return
        self._unchecked = False
        before, self.rows = self.rows, rows.read_rows()
        rows.check_by_themselves(self.rows)
        rows.check_step(before, self.rows)
        rows.check_against_model(self.rows, self.model)

    # For the rules

    @property
    def now(self) -> dt.datetime:
        return self.clock.now

    def tick(self) -> None:
        """Before each step that writes. No two write the same time: a renewal always
        shows.
        """
        self.clock.advance(0.001)
        self._unchecked = True

    def happened(self, what: str) -> None:
        event(what)
        happenings[what] += 1

    def agree(self, what: str, did: Any, may: bool) -> bool:
        """The queue did it just where the model says that the actor may."""
        assert did in (True, False)
        assert did is may, (
            f"{what}: {'done' if did else 'refused'}, but the model says {'yes' if may else 'no'}"
        )
        self.happened(what if may else f"{what}: refused")
        return may

    @staticmethod
    def pick(items: Sequence[T], number: int) -> T:
        return items[-1 - number % len(items)]

    def job_of(self, actor: Any) -> ModelJob:
        return self.model.jobs[actor.pk]

    def pick_an_actor(self, items: Sequence[T], able: Callable[[T], bool], number: int) -> T:
        """One that still is what it believes to be, or one that no longer is; any,
        where there is no such.
        """
        return self.pick(
            [item for item in items if able(item) is (number < STALE)] or items, number % STALE
        )

    def read(self, pk: Any) -> Handle | None:
        row = store_for(Job).get(pk)
        assert (row is None) == bool(self.model.jobs[pk].gone)
        return None if row is None else Handle(row, self.model.jobs[pk].snapshot())

    def some_handle(self, number: int, fresh: bool, *states: str) -> Handle | None:
        """What an operator acts on: a job that is in such a state now, or one as it was
        read at some time.
        """
        if self.handles and not fresh:
            return self.pick(self.handles, number)
        found = self.model.in_states(*states)
        return (
            self.read(self.pick_an_actor(found, lambda job: bool(job.runner), number).pk)
            if found
            else None
        )

    def outlast(self, job: ModelJob) -> None:
        """Until its runner has been silent beyond the lease."""
        if job.heartbeat_at is not None:
            self.clock.now = max(
                self.now, job.heartbeat_at + SILENT_AFTER + dt.timedelta(seconds=1)
            )

    def record(self, actor: Handle) -> None:
        """At most one execution's outcome per epoch, by what the queue itself said."""
        assert (actor.pk, actor.epoch) not in self.recorded
        self.recorded.add((actor.pk, actor.epoch))

    def begin(
        self, handle: Handle, worker: jobs.Worker, runner: str, *, in_container: bool
    ) -> None:
        """An execution starts. Others of the same job may only go on where they have
        been given up, for a reason.
        """
        job = self.job_of(handle)
        assert in_container or not job.handed_over, f"{runner} performs what was handed over"
        for other in self.executions:
            if other.pk == handle.pk and other.alive:
                assert other.given_up, f"{runner} begins beside {other.runner}"
                self.happened(f"overlap: {other.given_up}")
        self.executions.append(
            Execution(handle.job, handle.seen, worker, runner, in_container, self.now)
        )

    def give_up(self, seen: ModelJob, why: str, *, silent: bool) -> None:
        """Whoever executes what was seen may go on from now on beside another, and its
        outcome will be dropped.
        """
        for execution in self.executions:
            if execution.pk == seen.pk and execution.runner == seen.runner and execution.alive:
                last = execution.last_sign if execution.in_container else seen.locked_at
                assert not silent or self.now - last > SILENT_AFTER, (
                    f"{execution.runner} wasn't silent"
                )
                execution.given_up = execution.given_up or why

    def released(self, read: list[ModelJob], why: str, *, silent: bool) -> None:
        """What becomes of jobs whose watchers are gone, as they were read: in the order
        that the design gives.
        """
        elsewhere = [seen for seen in read if seen.handed_over]
        locks = {(seen.pk, seen.locked_by, seen.locked_at) for seen in read}
        for job in self.model.in_states("running"):
            # By the conditions, not by what was read, as soon as one such job was read.
            if elsewhere and job.handed_over and (job.pk, job.locked_by, job.locked_at) in locks:
                self.happened(f"{why}: detached")
                job.detach()
        for seen in read:
            job = self.model.jobs[seen.pk]
            if seen.handed_over:
                continue
            if not job.free_to_requeue(seen):
                self.happened(f"{why}: changed meanwhile")
            elif seen.runner:
                self.give_up(seen, why, silent=silent)
                self.happened(f"{why}: an attempt is counted, {job.attempt_failed(self.now)}")
            else:
                job.requeue()
                self.happened(f"{why}: ready again")
