"""What counts as a job's own choice: what differs from the settings', and no more."""

from __future__ import annotations

import pytest

import jobs
from batchexec.aws.errors import NotConfigured
from batchexec.aws.preflight import check_configuration
from batchexec.models import BatchJob
from jobs.models import State
from tests.batchexec.places import asking
from tests.fixtures import batch_execution_of
from tests.processes import lines, released, row
from tests.samples import Append

pytestmark = pytest.mark.django_db(transaction=True)

LOOKING = {"Effect": "Allow", "Action": ["batch:Describe*", "batch:List*"], "Resource": "*"}
SETTINGS = "delayed-jobs"


@pytest.mark.parametrize(
    "own",
    [
        {"queue": SETTINGS},
        {"definition": SETTINGS},
        {"queues": [SETTINGS]},
        {"queue": SETTINGS, "definition": SETTINGS},
    ],
    ids=str,
)
def test_a_job_that_names_the_settings_queue_or_definition_waits_as_any_other(
    batch_with, worker, tmp_path, own
):
    batch = batch_with(policy={"Version": "2012-10-17", "Statement": [LOOKING]})
    job = jobs.enqueue(asking(tmp_path / "log", **own))
    mine = worker()

    def denied() -> bool:
        marker = BatchJob.objects.first()
        # Four denials are one more than a job's own choice would be given.
        return bool(marker and marker.status_reason and len(batch.calls()["submissions"]) > 3)

    with released(tmp_path / "stop", once=lambda: denied() and mine.stop() is None):
        assert mine.work_off() == (0, 0)
    assert (row(job).state, row(job).attempts) == (State.DETACHED, 0)
    assert "batch:SubmitJob" in BatchJob.objects.get().status_reason


@pytest.mark.parametrize(
    ("fault", "own"),
    [
        ("DescribeJobQueues:400", {"queue": "arn:no/queue"}),
        ("DescribeJobDefinitions:400", {"definition": "arn:no/definition:1"}),
    ],
)
def test_a_name_that_aws_finds_a_fault_with_fails_the_attempt_of_the_job_that_chose_it(
    batch, worker, tmp_path, fault, own
):
    batch.set_faults([f"{fault}:times=1"])
    job = jobs.enqueue(asking(tmp_path / "log", **own))
    assert worker().work_off() == (0, 1)
    assert (row(job).state, row(job).attempts) == (State.SCHEDULED, 1)
    assert "AWS Batch finds a fault with the" in row(job).last_error
    assert next(iter(own.values())) in row(job).last_error


def test_the_settings_name_that_aws_finds_a_fault_with_is_waited_for_and_refused_at_start(
    batch, worker, tmp_path
):
    batch.set_faults(["DescribeJobQueues:400:times=1"])
    mine = worker()
    with pytest.raises(NotConfigured, match="AWS Batch finds a fault with the queue"):
        check_configuration(batch_execution_of(mine).catalogue)
    job = jobs.enqueue(Append(str(tmp_path / "log")))
    assert mine.work_off() == (1, 0)  # once it is asked again
    assert row(job) is None
    assert lines(tmp_path / "log") == ["performed"]
