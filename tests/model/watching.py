"""Watchers: they renew their lease, hand over, and let go.

Each may have lost its job long ago: a watch can act at any time, and again.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from jobs import transitions
from jobs.exceptions import DeserializationError
from jobs.runner import worker_runner
from tests.model.actors import Container, Handle, Watch
from tests.model.base import picks
from tests.model.queueing import Queueing


class Watching(Queueing):
    def to_hand_over(self) -> list[Watch]:
        return [
            watch for watch in self.watches if watch.worker.hands_over and not watch.performs_itself
        ]

    def holds(self, watch: Watch) -> bool:
        return self.job_of(watch).watched_by(watch.worker.name, watch.epoch)

    def not_handed_over(self) -> list[Watch]:
        return [watch for watch in self.watches if not watch.seen.handed_over]

    def reserve_to_hand_over(self, number: int) -> None:
        self.reserve_for(
            self.pick([worker for worker in self.workers if worker.hands_over], number)
        )

    @rule(number=picks)
    def renew(self, number: int) -> None:
        if not self.watches:
            return self.reserve(number)
        self.tick()
        self.renews(self.pick_an_actor(self.watches, self.holds, number))

    def renews(self, watch: Watch) -> None:
        job, heartbeat = self.job_of(watch), watch.worker.heartbeat
        try:
            with heartbeat.watching(watch.job) as hold:
                heartbeat.beat()
        finally:
            heartbeat.stop()
        if self.agree(
            "renew", not hold.lost.is_set(), job.watched_by(watch.worker.name, watch.epoch)
        ):
            job.locked_at = self.now

    @rule(number=picks, submissions=st.integers(0, 2))
    def hand_over(self, number: int, submissions: int) -> None:
        if not self.to_hand_over():
            return self.reserve_to_hand_over(number)
        self.tick()
        self.hands_over(self.pick_an_actor(self.to_hand_over(), self.holds, number), submissions)

    def hands_over(self, watch: Watch, submissions: int) -> None:
        job = self.job_of(watch)
        did = watch.job.handed_over or transitions.hand_over(watch.job)
        if not watch.seen.handed_over:
            self.agree("hand over", did, job.watched_by(watch.worker.name, watch.epoch))
        if did:
            if not watch.seen.handed_over:
                job.handed_over = watch.seen.handed_over = True
            # A watcher that was cut off after its write submits all the same; a lost
            # reply makes it two.
            for _ in range(submissions):
                runner = f"container {len(self.containers)}/1@{watch.epoch}#nonce"
                self.containers.append(Container(watch.pk, watch.epoch, runner))

    @rule(number=picks)
    def perform_in_the_worker_all_the_same(self, number: int) -> None:
        """A worker that may hand over performs a job itself if its plugins proceed."""
        found = [watch for watch in self.to_hand_over() if not watch.seen.handed_over]
        if not found:
            return self.reserve_to_hand_over(number)
        self.tick()
        watch = self.pick_an_actor(found, self.holds, number)
        job, row, runner = (
            self.job_of(watch),
            watch.instance(),
            worker_runner(watch.worker.name, watch.epoch),
        )
        if self.agree(
            "register a worker", transitions.register(row, runner), job.admits(runner, watch.epoch)
        ):
            watch.performs_itself = True
            job.begin(runner, self.now)
            self.begin(Handle(row, job.snapshot()), watch.worker, runner, in_container=False)

    @rule(number=picks)
    def let_go(self, number: int) -> None:
        found = [watch for watch in self.watches if not watch.performs_itself]
        if not found:
            return self.reserve_to_hand_over(number)
        self.tick()
        watch = self.pick_an_actor(found, self.holds, number)
        job = self.job_of(watch)
        if watch.seen.handed_over:
            if self.agree(
                "detach",
                transitions.detach(watch.instance()),
                job.watched_by(watch.worker.name, watch.epoch),
            ):
                job.detach()
        elif self.agree(
            "requeue", transitions.requeue(watch.instance()), job.free_to_requeue(watch.seen)
        ):
            job.requeue()

    @rule(number=picks)
    def find_that_it_cannot_be_loaded(self, number: int) -> None:
        if not self.not_handed_over():
            return self.reserve(number)
        self.tick()
        watch = self.pick_an_actor(self.not_handed_over(), self.holds, number)
        job, runner = self.job_of(watch), worker_runner(watch.worker.name, watch.epoch)
        did = watch.worker.recorder.failed_for_good(
            watch.instance(), DeserializationError("changed fields")
        )
        if self.agree("can't be loaded", did, job.as_seen(watch.seen)):
            self.record(watch)
            job.fail()
            self.executions = [
                other for other in self.executions if (other.pk, other.runner) != (watch.pk, runner)
            ]
