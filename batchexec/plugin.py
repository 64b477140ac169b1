from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from batchexec.aws.client import BatchClient
from batchexec.aws.preflight import check_configuration
from batchexec.handover.follow import Execution
from batchexec.handover.slot import Gates
from batchexec.process.poller import Poller
from batchexec.upkeep.sweeper import Sweeper
from jobs.lifecycle import Plugin

if TYPE_CHECKING:
    from jobs.models import AbstractJob
    from jobs.worker import Worker


class BatchExecution(Plugin):
    """Has each reserved job executed on AWS Batch, waits for it, and takes over what is there already.

    The job is never performed in the worker: `proceed` is left uncalled. Stopping the worker lets go of what is in
    Batch, and terminates nothing.
    """

    hands_over = True

    def __init__(self) -> None:
        self._gates = Gates()

    @cached_property
    def client(self) -> BatchClient:
        return BatchClient()

    @cached_property
    def poller(self) -> Poller:
        return Poller(self.client)

    @cached_property
    def sweeper(self) -> Sweeper:
        return Sweeper(self.client)

    def around_execute(self, worker: Worker, proceed: Callable[[], Any]) -> Any:
        check_configuration(self.client)
        worker.on_stop(self.poller.wake_everybody)
        return proceed()

    def before_loop(self, worker: Worker) -> None:
        self.sweeper.sweep_if_due(worker.model)

    def around_perform(self, worker: Worker, job: AbstractJob, proceed: Callable[[], Any]) -> bool | None:
        return Execution(worker, job, self.client, self.poller, self._gates).follow()
