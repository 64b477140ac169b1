"""The machine: every rule, on one queue."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from jobs.process.reaper import Reaper
from tests.model.base import picks
from tests.model.model import ModelJob
from tests.model.operating import Operating
from tests.model.world import LEASE, after_the_next_read

MEANWHILE = ("renew", "hand over", "register", "succeed", "sign")
USUAL = (
    "reap_in_time",
    "reap_while_another_acts",
    "let_go_of_all",
    "reserve_to_hand_over",
    "fail_as_usual",
    "go_on_as_usual",
    "look_and_decide",
    "cancel_and_retry",
    "start_twins",
    "start_a_later_attempt_in_time",
)


class QueueMachine(Operating):
    @rule(
        number=picks,
        in_time=st.booleans(),
        meanwhile=st.sampled_from(["", "", *MEANWHILE]),
    )
    def reap(self, number: int, in_time: bool, meanwhile: str) -> None:
        running = self.model.in_states("running")
        if not running:
            return self.reserve(number)
        self.tick()
        if in_time:
            self.clock.now = max(
                self.now, max(job.locked_at for job in running) + dt.timedelta(seconds=LEASE + 1)
            )
        read = [job.snapshot() for job in self.model.expired(self.now)]
        worker = self.pick(self.workers, number)
        # Another acts between the reaper's read and its writes.
        with after_the_next_read(self.meanwhile(meanwhile, read)):
            Reaper(worker.model, worker.recorder).reap()
        self.released(read, "reaped", silent=True)

    @rule(what=st.sampled_from(USUAL), number=picks)
    def do_what_is_usual(self, what: str, number: int) -> None:
        """Each example goes without some of the rules, which its chance decides: with
        this one, none is missed for long.
        """
        getattr(self, what)(number)

    def reap_in_time(self, number: int) -> None:
        self.reap(number, in_time=True, meanwhile="")

    def reap_while_another_acts(self, number: int) -> None:
        self.reap(number, in_time=True, meanwhile=MEANWHILE[number % len(MEANWHILE)])

    def fail_as_usual(self, number: int) -> None:
        self.fail(number, lost=False)

    def go_on_as_usual(self, number: int) -> None:
        self.reserve_for(self.workers[0])
        self.end_and_go_on(0, fails=number % 2 == 1, lost=number > 1)

    def look_and_decide(self, number: int) -> None:
        self.look(number, decides=True, waits=True, signs=number % 2 == 1)

    def cancel_and_retry(self, number: int) -> None:
        self.cancel(number, fresh=True)
        self.retry(number, fresh=True, waits=number % 2 == 1, signs=False)

    def start_twins(self, number: int) -> None:
        self.hand_over(number, submissions=2)
        self.start_container(number, registers=True)
        self.start_container(number, registers=True)

    def start_a_later_attempt_in_time(self, number: int) -> None:
        self.start_a_later_attempt(number, in_time=True, signs=False, ends=number % 2 == 1)

    def meanwhile(self, name: str, read: list[ModelJob]) -> Callable[[], None]:
        """What another does to one of the jobs that were read, or nothing where nobody
        can.
        """
        pks = {job.pk for job in read}
        watches = [watch for watch in self.watches if watch.pk in pks and self.holds(watch)]
        free = [
            watch
            for watch in watches
            if watch in self.to_hand_over() and not watch.seen.handed_over
        ]
        executions = [
            execution
            for execution in self.executions
            if execution.pk in pks and self.executes(execution)
        ]
        started = [
            container
            for container in self.waiting_containers()
            if container.pk in pks and container.handle
        ]
        actions: dict[str, tuple[list[Any], Callable[[Any], None]]] = {
            "renew": (watches, self.renews),
            "hand over": (free, lambda watch: self.hands_over(watch, submissions=1)),
            "register": (started, self.register),
            "succeed": (executions, self.succeeds),
            "sign": (executions, self.sign),
        }
        actors, act = actions[name] if name else ([], self.renews)
        return partial(act, actors[-1]) if actors else lambda: None
