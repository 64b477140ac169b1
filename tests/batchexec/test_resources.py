from __future__ import annotations

from datetime import timedelta

import pytest

import jobs
from batchexec import Resources
from batchexec.resources import resources_of
from batchexec.sizes import FARGATE_SIZES, fargate_pair
from jobs.models import Job
from tests.samples import Record


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ((0.25, 512), (0.25, 512)),
        ((0.1, 1), (0.25, 512)),
        ((0.25, 513), (0.25, 1024)),
        ((0.25, 2049), (0.5, 3072)),  # more memory than goes with it: more vCPU, never less memory
        ((1, 1024), (1, 2048)),
        ((1, 8193), (2, 9216)),
        ((3, 0), (4, 8192)),
        ((8, 16385), (8, 20480)),
        ((0, 122_881), (32, 249_856)),
        ((32, 61_441), (32, 122_880)),
    ],
)
def test_rounds_up_to_a_pair_that_fargate_has(asked, given):
    assert fargate_pair(*asked) == given
    assert given[1] in FARGATE_SIZES[given[0]]


def test_no_pair_is_ever_smaller_than_what_was_asked():
    for vcpu in (0.2, 0.25, 0.3, 1, 1.5, 2, 5, 9, 16, 17, 32):
        for memory in range(1, 249_857, 977):
            given = fargate_pair(vcpu, memory)
            assert given[0] >= vcpu
            assert given[1] >= memory


@pytest.mark.parametrize(
    "wrong",
    [
        {"vcpu": 0},
        {"vcpu": -1},
        {"vcpu": float("nan")},
        {"vcpu": "2"},
        {"vcpu": True},
        {"memory": 0},
        {"memory": 1.5},
        {"gpu": -1},
        {"timeout": 59},
        {"timeout": timedelta(seconds=1)},
        {"timeout": "1h"},
        {"timeout": float("inf")},
        {"start_within": "soon"},
        {"start_within": -1},
        {"attempts": 0},
        {"attempts": 11},
        {"environment": {"AWS_BATCH_JOB_ID": "x"}},
        {"environment": {"JOB_EPOCH": "7"}},
        {"environment": {"A": 1}},
        {"tags": {f"t{number}": "" for number in range(51)}},
        {"share_identifier": "white space"},
        {"scheduling_priority": 10_000},
    ],
)
def test_what_aws_batch_would_refuse_is_refused_in_one_sentence(wrong):
    with pytest.raises(
        (TypeError, ValueError), match=rf"^Resources\({next(iter(wrong))}\b"
    ) as raised:
        Resources(**wrong)
    assert len(str(raised.value).splitlines()) == 1


def test_on_fargate_there_are_no_gpus_and_on_ec2_no_parts_of_a_vcpu():
    with pytest.raises(ValueError, match="Fargate has no GPUs"):
        Resources(gpu=1).fitted("FARGATE")
    with pytest.raises(ValueError, match="Fargate has nothing with 64 vCPU"):
        Resources(vcpu=64).fitted("FARGATE")
    with pytest.raises(ValueError, match="whole vCPUs"):
        Resources(vcpu=0.5).fitted("EC2")
    assert Resources(vcpu=3, memory=1000, gpu=2).fitted("EC2").requirements() == [
        {"type": "VCPU", "value": "3"},
        {"type": "MEMORY", "value": "1000"},
        {"type": "GPU", "value": "2"},
    ]


def test_nothing_asked_for_leaves_it_to_the_definition():
    assert Resources().fitted("FARGATE").requirements() == []
    assert resources_of(Record()) == Resources()


@pytest.mark.django_db
def test_an_impossible_size_reaches_whoever_enqueues_the_job():
    for batch, error, said in [
        (Resources(vcpu=100), ValueError, "Fargate has nothing with 100 vCPU"),
        ({"vcpu": 100}, ValueError, "Fargate has nothing with 100 vCPU"),
        ({"cpus": 1}, TypeError, "cpus"),
        ("large", TypeError, "must be a batchexec.Resources, not 'large'"),
    ]:
        payload = Record()
        payload.batch = batch
        with pytest.raises(error, match=said):
            jobs.enqueue(payload)
    assert not Job.objects.exists()


@pytest.mark.django_db
def test_resources_of_an_instance_are_stored_with_it():
    payload = Record()
    payload.batch = Resources(vcpu=2, memory=5000, timeout=timedelta(hours=1), tags={"team": "a"})
    job = jobs.enqueue(payload)
    assert resources_of(Job.objects.get(pk=job.pk).payload) == payload.batch
