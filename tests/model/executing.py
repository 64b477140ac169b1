"""Executions: containers start and register, runners show signs of life, outcomes are recorded or dropped."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import rule

from jobs import outcomes, transitions
from jobs.exceptions import DeserializationError
from tests.model.actors import Container, Execution, Handle
from tests.model.base import picks
from tests.model.model import ModelJob
from tests.model.watching import Watching


class Executing(Watching):
    def waiting_containers(self) -> list[Container]:
        return [container for container in self.containers if not container.over]

    @rule(number=picks, registers=st.booleans())
    def start_container(self, number: int, registers: bool) -> None:
        """It reads the row, compares its epoch, and registers: at once, or later."""
        if not self.waiting_containers():
            return self.hand_over(number, submissions=2)
        self.tick()
        container = self.pick(self.waiting_containers(), number)
        if container.handle is None:
            container.handle = self.read(container.pk)
            if container.handle is None or container.handle.epoch != container.epoch:
                container.over = True
                return self.happened("container: its epoch is over")
        if registers:
            self.register(container)

    def register(self, container: Container) -> None:
        assert container.handle is not None
        job, row = self.job_of(container), container.handle.instance()
        twin = job.runner if job.epoch == container.epoch else ""
        if self.agree("register", transitions.register(row, container.runner), job.admits(container.runner, container.epoch)):
            assert job.handed_over
            job.begin(container.runner, self.now)
            worker = self.workers[0]
            self.begin(Handle(row, job.snapshot()), worker, container.runner, in_container=True)
        elif twin:
            self.happened("register: a twin is refused")
        container.over = True

    @rule(number=picks)
    def show_a_sign_of_life(self, number: int) -> None:
        if not self.executions:
            return self.start_container(number, registers=True)
        self.tick()
        self.sign(self.pick(self.executions, number))

    def sign(self, execution: Execution) -> None:
        job, heartbeat = self.job_of(execution), execution.worker.heartbeat
        try:
            with heartbeat.executing(execution.job) as hold:
                heartbeat.beat()
        finally:
            heartbeat.stop()
        if self.agree("sign of life", not hold.lost.is_set(), job.runs_as(execution.runner)):
            job.heartbeat_at = execution.last_sign = self.now
            if job.state == "cancelled":
                self.happened("sign of life after a cancel")

    @rule(number=picks)
    def die(self, number: int) -> None:
        """Killed: it never acts again, and nobody is told."""
        if living := [execution for execution in self.executions if execution.alive]:
            self.executions.remove(self.pick(living, number))
            self.happened("die")

    # Outcomes. One that has recorded its own may try it again, as after a lost reply.

    @rule(number=picks)
    def succeed(self, number: int) -> None:
        if not self.executions:
            return self.start_container(number, registers=True)
        self.tick()
        self.succeeds(self.pick(self.executions, number))

    def succeeds(self, execution: Execution) -> None:
        self._ends(execution, "succeed", outcomes.succeeded(execution.worker, execution.instance(), 0.1), self._succeeded)

    @rule(number=picks)
    def fail(self, number: int) -> None:
        if not self.executions:
            return self.start_container(number, registers=True)
        self.tick()
        execution = self.pick(self.executions, number)
        did = outcomes.failed(execution.worker, execution.instance(), RuntimeError("it broke"))
        self._ends(execution, "fail", did, self._failed)

    @rule(number=picks)
    def find_that_its_record_is_gone(self, number: int) -> None:
        if not self.executions:
            return self.start_container(number, registers=True)
        self.tick()
        execution = self.pick(self.executions, number)
        error = DeserializationError("deleted record")
        did = outcomes.failed_for_good(execution.worker, execution.instance(), error, as_executor=True)
        self._ends(execution, "fail for good", did, ModelJob.fail)

    def _succeeded(self, job: ModelJob) -> None:
        job.succeed(kept=self.keeps_succeeded)

    def _failed(self, job: ModelJob) -> None:
        self.happened(f"fail: {job.attempt_failed(self.now)}")

    def _ends(self, execution: Execution, what: str, did: bool, outcome: Callable[[ModelJob], None]) -> None:
        job = self.job_of(execution)
        if self.agree(what, did, job.executed_by(execution.runner, execution.epoch)):
            self.record(execution)
            outcome(job)
        else:
            self.happened("a late outcome is dropped" if execution.alive else "an outcome that is there already is dropped")
            outcomes.dropped(execution.worker, execution.instance())
            if job.runs_as(execution.runner):
                assert job.state == "cancelled"
                self.happened("a cancelled runner has ended")
                job.clear_runner()
        execution.alive = False
