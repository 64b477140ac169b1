"""Jobs come, time passes, workers reserve and reap."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

import jobs
from jobs import transitions
from jobs.models import Job
from jobs.process.reaper import Reaper
from jobs.runner import worker_runner
from tests.model.actors import Handle, Watch
from tests.model.base import Base, picks
from tests.model.model import WAITING, ModelJob
from tests.model.world import BY_HAND, LEASE, MAX_ATTEMPTS, QUEUES, Fragile, Task

MOST_JOBS = 6
keys = st.sampled_from([None, None, "k", "l"])
delays = st.sampled_from([None, None, -30, 30, 200])
seconds = st.sampled_from([1, LEASE / 4, LEASE, LEASE + 1, 200])


class Queueing(Base):
    @rule(
        task=st.sampled_from([Task, Task, Task, Fragile]),
        queue=st.sampled_from(QUEUES),
        priority=st.sampled_from([0, 0, -1, 2]),
        delay=delays,
        key=keys,
    )
    def enqueue(
        self, task: type[Task], queue: str, priority: int, delay: int | None, key: str | None
    ) -> None:
        if len(self.model.present()) >= MOST_JOBS:
            return
        self.tick()
        run_at = None if delay is None else self.now + dt.timedelta(seconds=delay)
        job = jobs.enqueue(task(), queue=queue, priority=priority, run_at=run_at, unique_key=key)
        self._enqueued(job, task(key), queue, priority, run_at)

    @rule(chosen=st.lists(keys, min_size=2, max_size=3), queue=st.sampled_from(QUEUES))
    def enqueue_many(self, chosen: list[str | None], queue: str) -> None:
        if len(self.model.present()) >= MOST_JOBS - 2:
            return
        self.tick()
        tasks = [Task(key) for key in chosen]
        for job, task in zip(jobs.enqueue_many(tasks, queue=queue), tasks, strict=True):
            self._enqueued(job, task, queue, 0, None)

    def _enqueued(
        self, job: Any, task: Task, queue: str, priority: int, run_at: dt.datetime | None
    ) -> None:
        holder = self.model.holder_of(task.unique_key)
        assert job.already_enqueued is (holder is not None)
        if holder is not None:
            assert job.pk == holder.pk
            self.happened("enqueue: the key is held")
            return
        assert job.pk not in self.model.jobs
        state = "scheduled" if run_at is not None and run_at > self.now else "ready"
        fragile = isinstance(task, Fragile)
        attempts = 1 if fragile else MAX_ATTEMPTS
        self.model.jobs[job.pk] = ModelJob(
            job.pk,
            queue,
            priority,
            run_at or self.now,
            task.unique_key,
            attempts,
            fragile,
            state=state,
        )
        self.happened(f"enqueue: {state}")

    @rule(seconds=seconds)
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(number=picks, in_time=st.booleans())
    def promote(self, number: int, in_time: bool) -> None:
        scheduled = self.model.in_states("scheduled")
        if not scheduled:
            return self.enqueue(Task, "a", 0, None, None)
        self.tick()
        if in_time:
            self.clock.now = max(self.now, min(job.run_at for job in scheduled))
        worker = self.pick(self.workers, number)
        count = Reaper(worker.model, worker.recorder).promote()
        assert count == self.model.promote(self.now)
        self.happened("promote" if count else "promote: none is due")

    @rule(number=picks)
    def reserve(self, number: int) -> None:
        self.reserve_for(
            self.pick([worker for worker in self.workers if worker.name != BY_HAND], number)
        )

    def reserve_for(self, worker: jobs.Worker) -> None:
        if not self.model.in_states("ready", "detached"):
            return self.promote(0, in_time=True)
        self.tick()
        expected = self.model.next_for(worker)
        job = Job.objects.reserve(worker)
        assert (job and job.pk) == (expected and expected.pk)
        if expected is None:
            return self.happened("reserve: nothing for this worker")
        assert worker.hands_over or not expected.handed_over
        self.happened("take over" if expected.state == "detached" else "reserve")
        expected.lock(worker.name, self.now)
        self._watched(job, worker, performs_itself=not worker.hands_over)

    @rule(number=picks, fresh=st.booleans())
    def take_by_hand(self, number: int, fresh: bool) -> None:
        self.tick()
        handle = self.some_handle(number, fresh, *WAITING)
        if handle is None:
            return self.enqueue(Task, "b", 0, None, None)
        job, worker = (
            handle.instance(),
            next(worker for worker in self.workers if worker.name == BY_HAND),
        )
        did = transitions.take(job, BY_HAND, worker_runner(BY_HAND, job.epoch))
        if self.agree("take by hand", did, self.job_of(handle).at(handle.epoch, WAITING)):
            self.job_of(handle).lock(BY_HAND, self.now)
            self._watched(job, worker, performs_itself=True)

    def _watched(self, row: Job, worker: jobs.Worker, *, performs_itself: bool) -> None:
        job = self.model.jobs[row.pk]
        if performs_itself:
            runner = worker_runner(worker.name, job.epoch)
            job.begin(runner, self.now)
            self.begin(Handle(row, job.snapshot()), worker, runner, in_container=False)
        self.watches.append(Watch(row, job.snapshot(), worker, performs_itself))

    @rule(number=picks)
    def let_go_of_all(self, number: int) -> None:
        """A worker is told to stop, and frees whatever is locked by its name."""
        self.tick()
        watching = {job.locked_by for job in self.model.in_states("running")}
        worker = self.pick_an_actor(self.workers, lambda worker: worker.name in watching, number)
        read = [
            job.snapshot()
            for job in self.model.in_states("running")
            if job.locked_by == worker.name
        ]
        worker.let_go_of_all()
        self.released(read, "let go of", silent=False)
