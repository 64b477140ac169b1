"""Queues and definitions are asked once a minute and process, whoever wants to know."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

import jobs
from batchexec.aws import catalogue
from batchexec.aws.catalogue import Catalogue
from batchexec.aws.client import BatchClient
from batchexec.process.pacer import Pacer
from tests.batchexec.places import add_definition, add_queue
from tests.samples import Append

pytestmark = pytest.mark.django_db(transaction=True)

LOOK_UPS = ("DescribeJobDefinitions", "DescribeJobQueues", "DescribeComputeEnvironments")


def look_ups(batch) -> dict[str, int]:
    counts = batch.calls()["counts"]
    return {name: counts[name] for name in LOOK_UPS if name in counts}


def test_twenty_jobs_cost_one_look_up_of_their_definition_and_one_of_their_queue(
    batch, worker, tmp_path, monkeypatch
):
    monkeypatch.setattr(catalogue, "FRESH_FOR", 3600.0)
    jobs.enqueue_many([Append(str(tmp_path / "log")) for _ in range(20)])
    assert worker(concurrency=10).work_off() == (20, 0)
    assert batch.calls()["counts"]["SubmitJob"] == 20
    assert look_ups(batch) == {"DescribeJobDefinitions": 1, "DescribeJobQueues": 1}


def test_however_many_ask_at_once_one_call_is_made(batch):
    shared, found = Catalogue(BatchClient()), []
    everybody = threading.Barrier(20)

    def ask() -> None:
        everybody.wait(60)
        found.append((shared.definition("delayed-jobs").pinned, shared.queue("delayed-jobs")))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    assert {pinned for pinned, _ in found} == {"delayed-jobs:1"}
    assert {queue.platform for _, queue in found} == {"FARGATE"}
    assert look_ups(batch) == {"DescribeJobDefinitions": 1, "DescribeJobQueues": 1}


def test_an_answer_holds_for_a_minute_and_a_problem_for_a_few_seconds(
    batch, client_of, monkeypatch
):
    now = [1000.0]
    monkeypatch.setattr(catalogue, "time", SimpleNamespace(monotonic=lambda: now[0]))
    client, shared = client_of(batch), Catalogue(BatchClient())
    assert shared.definition("delayed-jobs").pinned == "delayed-jobs:1"
    assert "no active job definition 'new'" in shared.definition("new").problem
    add_definition(client, "delayed-jobs")
    add_definition(client, "new")
    now[0] += catalogue.WRONG_FOR - 0.1
    assert shared.definition("new").problem
    now[0] += 0.2
    assert shared.definition("new").pinned == "new:1"
    assert shared.definition("delayed-jobs").pinned == "delayed-jobs:1"
    now[0] += catalogue.FRESH_FOR
    assert shared.definition("delayed-jobs").pinned == "delayed-jobs:2"
    add_definition(client, "delayed-jobs")
    shared.forget("delayed-jobs")
    assert shared.definition("delayed-jobs").pinned == "delayed-jobs:3"


def test_the_latest_of_several_pages_of_revisions_is_pinned_and_so_is_an_arn(batch, client_of):
    client = client_of(batch)
    for _ in range(120):
        add_definition(client, "often")
    client.deregister_job_definition(jobDefinition="often:120")
    arn = client.describe_job_definitions(jobDefinitions=["often:119"])["jobDefinitions"][0][
        "jobDefinitionArn"
    ]
    batch.reset_calls()
    shared = Catalogue(BatchClient())
    assert shared.definition("often").pinned == "often:119"
    assert look_ups(batch) == {"DescribeJobDefinitions": 2}
    assert shared.definition("often:7").pinned == "often:7"
    assert shared.definition(arn).pinned == arn
    assert shared.definition(arn.rpartition(":")[0]).pinned == arn
    assert "deregistered" in shared.definition("often:120").problem
    queue = client.describe_job_queues(jobQueues=["delayed-jobs"])["jobQueues"][0]["jobQueueArn"]
    assert not shared.queue(queue).problem


def test_a_look_up_that_is_throttled_slows_the_pace_once_for_all_that_wait_for_it(
    batch, settings, monkeypatch
):
    monkeypatch.setattr(catalogue, "WRONG_FOR", 3600.0)
    settings.BATCHEXEC = {"SUBMIT_RATE": 40}
    pacer = Pacer()
    shared = Catalogue(BatchClient(), pacer.throttled)
    batch.set_faults(["DescribeJobDefinitions:429:times=3"])
    for _ in range(5):
        with pytest.raises(Exception, match="TooManyRequests"):
            shared.definition("delayed-jobs")
    assert pacer.rate == 20
    # boto3's own tries: the five asked once.
    assert batch.calls()["counts"]["DescribeJobDefinitions"] == 3


@pytest.mark.parametrize("typed", [True, False])
def test_the_platform_is_the_queues_type_or_else_its_compute_environments(
    batch, client_of, monkeypatch, typed
):
    client = client_of(batch)
    add_queue(client, "machines", on_ec2=True)
    asking = BatchClient()
    if not typed:
        queues = asking.queues
        monkeypatch.setattr(
            asking,
            "queues",
            lambda name: [
                {key: value for key, value in queue.items() if key != "jobQueueType"}
                for queue in queues(name)
            ],
        )
    shared = Catalogue(asking)
    assert shared.queue("delayed-jobs").platform == "FARGATE"
    # An unmanaged compute environment doesn't say what it is made of.
    assert shared.queue("machines").platform == ("EC2" if typed else "")
    assert ("DescribeComputeEnvironments" in look_ups(batch)) is not typed
