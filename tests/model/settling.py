"""Watchers that decide, by what they read, that an execution ended without an outcome.
By then it may no longer be so.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from jobs import transitions
from jobs.exceptions import Lost
from tests.model.actors import Look
from tests.model.base import mostly, picks
from tests.model.executing import Executing


class Settling(Executing):
    @rule(number=picks, decides=mostly, waits=st.booleans(), signs=st.booleans())
    def look(self, number: int, decides: bool, waits: bool, signs: bool) -> None:
        """The Batch job is over: the watcher reads the row, and decides by what it
        read, now or later.
        """
        found = [watch for watch in self.watches if watch.seen.handed_over]
        if not found:
            return self.hand_over(number, submissions=1)
        watch = self.pick_an_actor(found, self.holds, number)
        handle = self.read(watch.pk)
        if handle is None or not handle.seen.watched_by(watch.worker.name, watch.epoch):
            return self.happened("look: no longer this watcher's")
        self.looks.append(Look(handle.job, handle.seen, watch.worker))
        if decides:
            self.tick()
            if waits:
                self.outlast(self.job_of(handle))
            if signs:
                self.let_it_show_itself(self.job_of(handle))
            self.decide(self.looks[-1])

    @rule(number=picks, counted=st.booleans())
    def decide_late(self, number: int, counted: bool) -> None:
        if not self.looks:
            return self.look(number, decides=False, waits=False, signs=False)
        self.tick()
        self.decide(self.pick(self.looks, number), counted=counted)

    def decide(self, look: Look, *, counted: bool = True) -> None:
        alive = transitions.runner_is_alive(look.job)
        assert alive is look.seen.runner_is_alive(self.now)
        if alive:
            self.happened("ended without outcome: but the runner is alive")
            return
        job = self.job_of(look)
        error = Lost("Host EC2 (instance i-0) terminated.")
        did = look.worker.recorder.failed(
            look.instance(), error, transitions.as_seen(look.job), counted=counted
        )
        if self.agree("ended without outcome", did, job.as_seen(look.seen)):
            self.record(look)
            self.give_up(look.seen, "its Batch job had ended", silent=True)
            job.attempt_failed(self.now, counted=counted)
