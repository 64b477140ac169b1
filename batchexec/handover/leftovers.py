"""What a sweep does with markers whose execution is over, and that nobody watches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchexec import markers
from batchexec.aws.cancelled import ended_after_cancel
from batchexec.aws.failures import essence
from batchexec.handover import reprieve
from batchexec.handover.settle import is_unwanted, outcome_of
from batchexec.process.traces import Trace, forget_old
from batchexec.statuses import TERMINAL
from jobs.logs import get_logger

if TYPE_CHECKING:
    from batchexec.aws.client import BatchClient
    from batchexec.models import BatchJob
    from batchexec.process.traces import Traces
    from jobs.models import AbstractJob

logger = get_logger(__name__)


class Leftovers:
    """Clears markers on behalf of the sweep, and leaves a trace of each execution."""

    def __init__(self, client: BatchClient, traces: Traces):
        self._client = client
        self._traces = traces

    def clear(self, marker: BatchJob, row: AbstractJob | None) -> bool:
        """Clears the marker, whose execution is over by its job's `row`.

        The marker of a cancelled or deleted job stays until its Batch job is over, one
        whose attempt may be given back until AWS Batch has said so. Returns whether it
        was cleared. Raises what boto3 raises if AWS Batch can't be asked.
        """
        if markers.is_undecided(marker, row):
            if detail := self._describe(marker):
                return self._decided(marker, row, detail)
        elif is_unwanted(row, marker) and not ended_after_cancel(self._client, marker):
            return False
        if not markers.clear(marker):
            return False
        self._leave_trace(marker, row, None)
        logger.info("The marker of %s was cleared: its execution is over.", marker)
        return True

    def forget_old_traces(self) -> None:
        """Deletes the traces that are older than KEEP_EXECUTIONS_FOR."""
        forget_old()

    def _decided(self, marker: BatchJob, row: Any, detail: dict[str, Any]) -> bool:
        if detail["status"] not in TERMINAL:
            return False
        if not reprieve.decide_if_waiting(marker, type(row), row.pk, detail):
            return False
        self._leave_trace(marker, row, detail)
        return True

    def _describe(self, marker: BatchJob) -> dict[str, Any] | None:
        found = self._client.describe_one(marker.batch_job_id)
        return None if found is None else essence(found)

    def _leave_trace(
        self, marker: BatchJob, row: AbstractJob | None, detail: dict[str, Any] | None
    ) -> None:
        outcome = outcome_of(row, marker)
        self._traces.add(Trace(marker, "" if row is None else row.name, outcome, detail=detail))
