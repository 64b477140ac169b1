"""Executions: containers start and register, runners show signs of life, outcomes are
recorded or dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

from hypothesis import strategies as st
from hypothesis.stateful import rule

from jobs import transitions
from jobs.exceptions import DeserializationError
from jobs.execution.questions import Here
from jobs.models import Job
from jobs.process.claims import Claims
from jobs.process.onward import Onward
from jobs.runner import is_later_attempt
from jobs.store import store_for
from tests.model.actors import Container, Execution, Handle
from tests.model.base import mostly, picks, seldom
from tests.model.model import ModelJob
from tests.model.watching import Watching
from tests.model.world import with_the_next_answer_lost

Write = Callable[[Execution, Job], bool]

#: An executor asks its job object itself; nothing here takes so long that it is ended.
ASKED = Here(lambda seconds: None)


class Executing(Watching):
    def waiting_containers(self) -> list[Container]:
        return [container for container in self.containers if not container.over]

    @rule(number=picks, registers=st.booleans())
    def start_container(self, number: int, registers: bool) -> None:
        """It reads the row, compares its epoch, and registers: at once, or later."""
        if not self.waiting_containers():
            return self.hand_over(number, submissions=2)
        self.tick()
        container = self.pick_an_actor(self.waiting_containers(), self.may_start, number)
        if container.handle is None:
            container.handle = self.read(container.pk)
            if container.handle is None or container.handle.epoch != container.epoch:
                container.over = True
                return self.happened("container: its epoch is over")
        if registers:
            self.register(container)

    def may_start(self, container: Container) -> bool:
        return self.job_of(container).at(container.epoch, ("running", "detached"))

    def register(self, container: Container) -> None:
        assert container.handle is not None
        job, row = self.job_of(container), container.handle.instance()
        twin = job.runner if job.epoch == container.epoch else ""
        if self.agree(
            "register",
            transitions.register(row, container.runner),
            job.admits(container.runner, container.epoch),
        ):
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
        self.sign(self.pick_an_actor(self.executions, self.is_named, number))

    def is_named(self, execution: Execution) -> bool:
        return execution.alive and self.job_of(execution).runs_as(execution.runner)

    def let_it_show_itself(self, job: ModelJob) -> None:
        for execution in self.executions:
            if execution.pk == job.pk and self.is_named(execution):
                self.sign(execution)

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

    @rule(number=picks, in_time=mostly, signs=seldom, ends=st.booleans())
    def start_a_later_attempt(self, number: int, in_time: bool, signs: bool, ends: bool) -> None:
        """AWS Batch runs the command again. The earlier container may be alive all the
        same, and show it meanwhile.
        """
        found = [execution for execution in self.executions if execution.in_container]
        if not found:
            return self.start_container(number, registers=True)
        self.tick()
        earlier = self.pick_an_actor(found, self.executes, number)
        job = self.job_of(earlier)
        if in_time:
            self.outlast(job)
        name, attempt = earlier.runner.partition("@")[0].split("/")
        runner = f"{name}/{int(attempt) + 1}@{earlier.epoch}#nonce"
        handle = self.read(earlier.pk)
        if (
            handle is None
            or handle.epoch != earlier.epoch
            or not is_later_attempt(runner, handle.seen.runner)
        ):
            return self.happened("later attempt: not this one's to take over")
        if signs:
            self.sign(earlier)
        may = job.free_for_a_later_attempt(handle.seen, self.now)
        if self.agree("later attempt", transitions.supersede(handle.job, runner), may):
            self.give_up(handle.seen, "a later attempt of its Batch job", silent=True)
            job.begin(runner, self.now)
            self.begin(
                Handle(handle.job, job.snapshot()), earlier.worker, runner, in_container=True
            )
            if ends:
                self.succeeds(earlier)

    @rule(number=picks)
    def die(self, number: int) -> None:
        """Killed: it never acts again, and nobody is told."""
        if living := [execution for execution in self.executions if execution.alive]:
            self.executions.remove(self.pick(living, number))
            self.happened("die")

    # Outcomes: recorded, or recorded with the answer lost. One that has recorded its
    # own may try it again.

    @rule(number=picks, lost=seldom)
    def succeed(self, number: int, lost: bool) -> None:
        if not self.executions:
            return self.start_container(number, registers=True)
        self.tick()
        self.succeeds(self.some_execution(number), lost)

    def succeeds(self, execution: Execution, lost: bool = False) -> None:
        self._ends(
            execution,
            lost,
            "succeed",
            lambda x, job: x.worker.recorder.succeeded(job, 0.1),
            self._succeeded,
        )

    @rule(number=picks, lost=seldom)
    def fail(self, number: int, lost: bool) -> None:
        if not self.executions:
            return self.start_container(number, registers=True)
        self.tick()
        error = RuntimeError("it broke")
        self._ends(
            self.some_execution(number),
            lost,
            "fail",
            lambda x, job: x.worker.recorder.failed(job, error, asked=ASKED),
            self._failed,
        )

    @rule(number=picks, lost=seldom)
    def find_that_its_record_is_gone(self, number: int, lost: bool) -> None:
        if not self.executions:
            return self.start_container(number, registers=True)
        self.tick()
        error = DeserializationError("deleted record")
        write = lambda x, job: x.worker.recorder.failed_for_good(job, error, asked=ASKED)  # noqa: E731
        self._ends(self.some_execution(number), lost, "fail for good", write, ModelJob.fail)

    @rule(number=picks, fails=st.booleans(), lost=seldom)
    def end_and_go_on(self, number: int, fails: bool, lost: bool) -> None:
        """A worker reserves its next job as one has ended, in one step where the
        database can do that. If the answer is lost, both are found.
        """
        if not self.executions:
            return self.start_container(number, registers=True)
        self.tick()
        execution, store = self.some_execution(number), store_for(Job)
        worker = self.workers[0] if execution.worker.hands_over else execution.worker
        claims = Claims(worker, worker.stopping)
        held = [job for job in self.model.in_states("running") if job.locked_by == worker.name]
        claims._in_hand.update((job.pk, job.epoch) for job in held)
        expected = self.model.next_for(worker)

        def onward() -> Onward | None:
            return claims.with_outcome(store) if store.ends_and_claims else None

        def write(x: Execution, job: Job) -> bool:
            if fails:
                error = RuntimeError("it broke")
                return x.worker.recorder.failed(job, error, asked=ASKED, through=onward)
            return x.worker.recorder.succeeded(job, 0.1, through=onward)

        self._ends(
            execution, lost, "end and go on", write, self._failed if fails else self._succeeded
        )
        following = claims.following()
        if following is not None:
            self.happened("the next job is claimed with the outcome")
        claimed = claims.reserve(store, 1) if following is None else following
        assert [job.pk for job in claimed] == ([expected.pk] if expected else [])
        if expected is not None:
            expected.lock(worker.name, self.now)
            self._watched(claimed[0], worker, performs_itself=True)

    def _succeeded(self, job: ModelJob) -> None:
        job.succeed(kept=self.keeps_succeeded)

    def _failed(self, job: ModelJob) -> None:
        self.happened(f"fail: {job.attempt_failed(self.now)}")

    def _ends(
        self,
        execution: Execution,
        lost: bool,
        what: str,
        write: Write,
        outcome: Callable[[ModelJob], None],
    ) -> None:
        job, may = self.job_of(execution), self.executes(execution)
        with with_the_next_answer_lost() if lost else nullcontext():
            did = write(execution, execution.instance())
        if lost and did and not may:
            # It can't tell whether an outcome that is there is its own. What counts is
            # that it changed nothing.
            self.happened("a late outcome, its answer lost, is taken for the recorded one")
        elif self.agree(f"{what}, and the answer is lost" if lost else what, did, may):
            self.record(execution)
            outcome(job)
        else:
            self.happened(
                "a late outcome is dropped"
                if execution.alive
                else "an outcome that is there already is dropped"
            )
            execution.worker.recorder.dropped(execution.instance())
            if job.runs_as(execution.runner):
                assert job.state == "cancelled"
                self.happened("a cancelled runner has ended")
                job.clear_runner()
        execution.alive = False

    def executes(self, execution: Execution) -> bool:
        return self.job_of(execution).executed_by(execution.runner, execution.epoch)

    def some_execution(self, number: int) -> Execution:
        named_last = sorted(
            self.executions, key=lambda execution: (execution.alive, self.is_named(execution))
        )
        return self.pick_an_actor(named_last, self.executes, number)
