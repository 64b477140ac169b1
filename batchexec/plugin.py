"""The plugin of `jobworker --batch`: it has jobs executed on AWS Batch."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from batchexec.aws.catalogue import Catalogue
from batchexec.aws.client import BatchClient
from batchexec.aws.preflight import check_configuration
from batchexec.handover.follow import Follower
from batchexec.handover.leftovers import Leftovers
from batchexec.handover.slot import Slot
from batchexec.process.gates import Gates
from batchexec.process.poller import Poller
from batchexec.process.rows import Rows
from batchexec.process.traces import Traces
from batchexec.process.watches import Rounds, Watches
from batchexec.upkeep.sweeper import Sweeper
from jobs.lifecycle import Plugin

if TYPE_CHECKING:
    from jobs.models import AbstractJob
    from jobs.worker import Worker


class BatchExecution(Plugin):
    """Has each reserved job executed on AWS Batch, and waits for it.

    A job that is in AWS Batch already is taken over, not submitted again. The worker
    itself performs none: `proceed` is left uncalled. When the worker stops, it lets go
    of its jobs in AWS Batch, and terminates nothing.
    """

    hands_over = True

    def __init__(self) -> None:
        self._gates = Gates()

    @cached_property
    def client(self) -> BatchClient:
        return BatchClient()

    @cached_property
    def catalogue(self) -> Catalogue:
        return Catalogue(self.client, self._gates.pacer.throttled)

    @cached_property
    def poller(self) -> Poller:
        return Poller(self.client)

    @cached_property
    def watches(self) -> Watches:
        rows = Rows(self._gates.database)
        return Watches(
            Rounds("batchexec-poller", self.poller.look, eager=True),
            Rounds("batchexec-rows", rows.look, eager=False),
        )

    @cached_property
    def traces(self) -> Traces:
        return Traces(self.watches, self._gates.database)

    @cached_property
    def sweeper(self) -> Sweeper:
        return Sweeper(Leftovers(self.client, self.traces))

    def around_execute(self, worker: Worker, proceed: Callable[[], Any]) -> Any:
        """Refuses to start with settings for which AWS Batch would refuse jobs."""
        check_configuration(self.catalogue)
        worker.on_stop(self.watches.wake_everybody)
        try:
            return proceed()
        finally:
            self.close()

    def close(self) -> None:
        """Writes the traces that are still kept in memory."""
        if "traces" in self.__dict__:
            self.traces.close()

    def before_loop(self, worker: Worker) -> None:
        self.sweeper.sweep_if_due(worker.model)

    def around_perform(
        self, worker: Worker, job: AbstractJob, proceed: Callable[[], Any]
    ) -> bool | None:
        slot = Slot(worker, job, self.client, self.catalogue, self._gates)
        return Follower(slot, self.watches, self.traces).follow()
