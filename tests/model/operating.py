"""Operators: what they see may be old, too."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import rule

from jobs import transitions
from jobs.exceptions import JobError
from jobs.models import Job
from jobs.operator import actions, bulk
from jobs.operator.bulk import Selection
from jobs.operator.filters import Filter
from tests.model.actors import Handle
from tests.model.base import STALE, mostly, picks
from tests.model.model import FINISHED, SILENT_AFTER, UNFINISHED, ModelJob
from tests.model.settling import Settling


class Operating(Settling):
    @rule(number=picks)
    def read_a_row(self, number: int) -> None:
        if found := self.model.present():
            handle = self.read(self.pick(found, number).pk)
            assert handle is not None
            self.handles.append(handle)

    @rule(number=picks, fresh=mostly)
    def cancel(self, number: int, fresh: bool) -> None:
        if (
            fresh
            and number < STALE
            and not any(job.runner for job in self.model.in_states(*UNFINISHED))
        ):
            return self.start_container(number, registers=True)
        self.tick()
        if not (handle := self.some_handle(number, fresh, *UNFINISHED)):
            self.reserve(number)
        else:
            job = self.job_of(handle)
            if self.agree("cancel", done(actions.cancel, handle), job.at(handle.epoch, UNFINISHED)):
                job.cancel()
                self.happened(
                    "cancel: the runner stays named" if job.runner else "cancel: nobody executes it"
                )

    @rule(number=picks, fresh=mostly, waits=st.booleans(), signs=st.booleans())
    def retry(self, number: int, fresh: bool, waits: bool, signs: bool) -> None:
        self.tick()
        still_named = any(job.runner for job in self.model.in_states(*FINISHED))
        if fresh and number < STALE and not still_named and self.model.in_states(*UNFINISHED):
            self.cancel(number, fresh)
        elif handle := self.some_handle(number, fresh, *FINISHED):
            self.retries(handle, waits=waits, signs=signs)
        else:
            self.cancel(number, fresh)

    def retries(self, handle: Handle, *, waits: bool, signs: bool) -> None:
        """By what was read before the runner had been silent for long enough, and,
        maybe, had shown itself again.
        """
        job = self.job_of(handle)
        if waits:
            self.outlast(job)
        if signs:
            self.let_it_show_itself(job)
        if self.agree("retry", done(actions.retry, handle), job.retriable(handle.seen, self.now)):
            self._begin_again(job)
        elif job.at(handle.epoch, FINISHED) and job.runner_is_alive(self.now):
            self.happened("retry: refused beside a living runner")

    @rule()
    def retry_all_failed(self) -> None:
        self.tick()
        failed = self.model.in_states("failed")
        assert bulk.perform(bulk.retry(), Selection(Filter(state="failed"))).done == len(failed)
        for job in failed:
            self._begin_again(job)
            self.happened("retry all failed")

    def _begin_again(self, job: ModelJob) -> None:
        for execution in self.executions:
            if execution.pk == job.pk and execution.alive and not execution.given_up:
                assert self.now - execution.last_sign > SILENT_AFTER, f"{execution.runner} is alive"
                execution.given_up = "cancelled, silent, and retried"
        job.retry(self.now)

    @rule(number=picks, fresh=mostly)
    def unlock(self, number: int, fresh: bool) -> None:
        self.tick()
        if not (handle := self.some_handle(number, fresh, "running")):
            self.reserve(number)
        else:
            job = self.job_of(handle)
            may = (
                job.watched_by(handle.seen.locked_by, handle.epoch)
                and job.locked_at == handle.seen.locked_at
            )
            if self.agree("unlock", done(actions.unlock, handle), may):
                job.locked_at = self.now - 2 * SILENT_AFTER
                self._reaped_at_once()

    @rule(number=picks)
    def unlock_worker(self, number: int) -> None:
        self.tick()
        name = self.pick(self.workers, number).name
        locked = [job for job in self.model.in_states("running") if job.locked_by == name]
        assert bulk.perform(bulk.unlock(), Selection(Filter(worker=name))).done == len(locked)
        for job in locked:
            job.locked_at = self.now - 2 * SILENT_AFTER
        if locked:
            self.happened("unlock a worker's jobs")
            self._reaped_at_once()

    def _reaped_at_once(self) -> None:
        self.released(
            [job.snapshot() for job in self.model.expired(self.now)], "unlocked", silent=False
        )

    @rule(number=picks, fresh=mostly)
    def discard(self, number: int, fresh: bool) -> None:
        self.tick()
        if not (handle := self.some_handle(number, fresh, *FINISHED)):
            self.cancel(number, fresh)
        else:
            job = self.job_of(handle)
            if self.agree(
                "discard", transitions.discard(handle.instance()), job.at(handle.epoch, FINISHED)
            ):
                job.gone = job.state


def done(operation: Callable[[Job], object], handle: Handle) -> bool:
    try:
        operation(handle.instance())
    except JobError:
        return False
    return True
