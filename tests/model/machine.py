"""The machine: every rule, on one queue."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import rule

from jobs.reaping import Reaper
from tests.model.base import picks
from tests.model.executing import Executing
from tests.model.operating import Operating
from tests.model.world import LEASE, after_the_next_read


class QueueMachine(Executing, Operating):
    @rule(
        number=picks,
        in_time=st.booleans(),
        meanwhile=st.sampled_from(["", "", "renew", "hand_over", "register", "succeed", "sign"]),
    )
    def reap(self, number: int, in_time: bool, meanwhile: str) -> None:
        running = self.model.in_states("running")
        if not running:
            return self.reserve(number)
        self.tick()
        if in_time:
            self.clock.now = max(self.now, min(job.locked_at for job in running) + dt.timedelta(seconds=LEASE + 1))
        read = [job.snapshot() for job in self.model.expired(self.now)]
        worker = self.pick(self.workers, number)
        # Another acts between the reaper's read and its writes.
        with after_the_next_read(self.meanwhile(meanwhile, number)):
            Reaper(worker).reap()
        self.released(read, "reaped", silent=True)

    def meanwhile(self, name: str, number: int) -> Callable[[], None]:
        started = [container for container in self.waiting_containers() if container.handle is not None]
        actions: dict[str, tuple[object, Callable[[], None]]] = {
            "renew": (self.watches, lambda: self.renew(number)),
            "hand_over": (self.to_hand_over(), lambda: self.hand_over(number, submissions=1)),
            "register": (started, lambda: self.register(self.pick(started, number))),
            "succeed": (self.executions, lambda: self.succeed(number)),
            "sign": (self.executions, lambda: self.show_a_sign_of_life(number)),
        }
        possible, act = actions.get(name, (None, lambda: None))
        return act if possible else lambda: None
