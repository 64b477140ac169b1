from __future__ import annotations

from datetime import timedelta

import pytest

import jobs
from batchexec import Resources
from batchexec.conf import settings as batchexec_options
from batchexec.resources import resources_of
from batchexec.sizes import FARGATE_SIZES, Sizes, fargate_pair
from jobs.exceptions import NotKnownYet
from jobs.models import Job
from jobs.payloads import codec
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
        {"environment": {"A": ""}},
        {"environment": {"A=B": "x"}},
        {"environment": {"A": "x\0"}},
        {"environment": {"A\0": "x"}},
        {"environment": {"A": "\ud800"}},
        {"tags": {"\udfff": "x"}},
        {"tags": {"A": "\0"}},
        {"environment": {"A": "x" * 8192}},
        {"tags": {"": "x"}},
        {"tags": {"k" * 129: "x"}},
        {"tags": {"k": "x" * 257}},
        {"tags": {"aws:mine": "x"}},
        {"tags": {"AWS:mine": "x"}},
        {"tags": ["a"]},
        {"share_identifier": "white space"},
        {"share_identifier": "team-a"},
        {"share_identifier": 7},
        {"queue": 7},
        {"queue": ""},
        {"definition": ["a"]},
        {"queues": "spot"},
        {"queues": ["spot", ""]},
        {"queues": ["spot"], "queue": "on-demand"},
        {"max_memory": 4096},
        {"max_memory": 1024, "memory": 2048, "on_oom": 2},
        {"evaluate_on_exit": "EXIT"},
        {"evaluate_on_exit": [{"onExitCode": "1", "action": "EXIT"}] * 6},
        {"evaluate_on_exit": [{"onExitCode": "1"}]},
        {"evaluate_on_exit": [{"action": "EXIT"}]},
        {"evaluate_on_exit": [{"onExitCode": "1", "action": "STOP"}]},
        {"evaluate_on_exit": [{"onExitCode": "1x", "action": "EXIT"}]},
        {"evaluate_on_exit": [{"onExitCode": 1, "action": "EXIT"}]},
        {"evaluate_on_exit": [{"onReason": "*Error", "action": "EXIT"}]},
        {"evaluate_on_exit": [{"onReason": "a(b)", "action": "EXIT"}]},
        {"evaluate_on_exit": [{"onStatusReason": "x" * 513, "action": "EXIT"}]},
        {"evaluate_on_exit": [{"onStatusReason": "", "action": "EXIT"}]},
        {"evaluate_on_exit": [{"onFire": "x", "action": "EXIT"}]},
        {"evaluate_on_exit": [None]},
        {"evaluate_on_exit": [{"onExitCode": "1", "action": "EXIT"}]},
        {"queue": "q" * 513},
        {"queues": ["q", "q" * 513]},
        {"definition": "d" * 513},
        {"queue": "q\x00"},
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
    assert Resources(vcpu=3, memory=1000, gpu=2).fitted("EC2").sizes.requirements() == [
        {"type": "VCPU", "value": "3"},
        {"type": "MEMORY", "value": "1000"},
        {"type": "GPU", "value": "2"},
    ]


@pytest.mark.parametrize(
    ("platform", "asked", "defined", "given"),
    [
        # What a job leaves out is the definition's; then the pair is rounded up.
        ("FARGATE", {"memory": 16384}, Sizes(4, 8192), Sizes(4, 16384)),
        ("FARGATE", {"vcpu": 1}, Sizes(0.5, 4096), Sizes(1, 4096)),
        ("FARGATE", {"vcpu": 0.25}, Sizes(2, 8192), Sizes(1, 8192)),
        ("FARGATE", {"memory": 9000}, Sizes(1, 2048), Sizes(2, 9216)),
        ("FARGATE", {"vcpu": 1, "memory": 2048}, Sizes(4, 8192), Sizes(1, 2048)),
        ("FARGATE", {"memory": 2048}, Sizes(), Sizes(0.25, 2048)),
        ("FARGATE", {}, Sizes(4, 8192), Sizes()),
        ("EC2", {"memory": 16384}, Sizes(4, 8192), Sizes(None, 16384)),
        ("EC2", {"gpu": 2}, Sizes(4, 8192), Sizes(gpu=2)),
        ("EKS", {"memory": 16384}, Sizes(4, 8192), Sizes(4, 16384)),
        ("EKS", {"vcpu": 0.3}, Sizes(1, 512), Sizes(0.5, 512)),
        ("EKS", {}, Sizes(1, 512), Sizes()),
    ],
)
def test_what_a_job_leaves_out_is_the_definitions_and_no_size_is_ever_halved(
    platform, asked, defined, given
):
    assert Resources(**asked).fitted(platform, defined).sizes == given


def test_on_fargate_no_merged_size_is_smaller_than_what_the_job_or_the_definition_says():
    for vcpu in (None, 0.2, 0.25, 1, 3, 16):
        for memory in (None, 4, 512, 5000, 100_000):
            for defined in (Sizes(0.25, 512), Sizes(1, 8192), Sizes(4, 8192), Sizes(32, 249_856)):
                asked = Resources(vcpu=vcpu, memory=memory)
                given = asked.fitted("FARGATE", defined).sizes.over(defined)
                assert given.vcpu >= (vcpu or defined.vcpu)
                assert given.memory >= (memory or defined.memory)
                assert given.memory in FARGATE_SIZES[given.vcpu]


def test_nothing_asked_for_leaves_it_to_the_definition():
    assert Resources().fitted("FARGATE").sizes.requirements() == []
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
    payload.batch = Resources(
        vcpu=2,
        memory=5000,
        timeout=timedelta(hours=1),
        tags={"team": "a"},
        queues=["spot", "on-demand"],
        attempts=2,
        evaluate_on_exit=[{"onStatusReason": "Host EC2*", "action": "RETRY"}],
        on_oom=2,
        max_memory=10_000,
    )
    job = jobs.enqueue(payload)
    assert resources_of(Job.objects.get(pk=job.pk).payload) == payload.batch


@pytest.mark.django_db
def test_what_a_job_leaves_out_isnt_stored_so_that_code_of_before_can_read_it():
    payload = Record()
    payload.batch = Resources(vcpu=2)
    assert '{"$resources": {"vcpu": 2}}' in jobs.enqueue(payload).handler


@pytest.mark.django_db
def test_resources_of_newer_code_are_not_known_yet():
    with pytest.raises(NotKnownYet, match=r"batchexec\.Resources has no colour here"):
        codec.decode({"$resources": {"vcpu": 2, "colour": "blue"}})


@pytest.mark.django_db
def test_overrides_that_aws_batch_would_not_take_reach_whoever_enqueues_the_job(settings):
    payload = Record()
    payload.batch = {"environment": {"A": "x" * 8000}}
    settings.BATCHEXEC = {"COMMAND": ["python", "x" * 200]}
    with pytest.raises(ValueError, match=r"container overrides have \d+ characters"):
        jobs.enqueue(payload)
    assert not Job.objects.exists()


@pytest.mark.django_db
def test_sizes_for_a_queue_of_the_jobs_own_are_left_to_what_that_queue_has():
    payload = Record()
    payload.batch = Resources(gpu=1, vcpu=3, memory=1000, queue="machines-with-gpus")
    assert jobs.enqueue(payload).pk


def test_a_mapping_with_an_unknown_key_names_the_class_the_key_and_what_there_is():
    class Misspelt:
        batch = {"vcpus": 2}

    with pytest.raises(
        TypeError, match=r"Misspelt\.batch has 'vcpus', but takes only: vcpu, memory"
    ):
        resources_of(Misspelt())


def test_a_setting_that_no_column_holds_is_named_by_the_check(settings):
    settings.BATCHEXEC = {"JOB_QUEUE": "q" * 513, "JOB_DEFINITION": "d" * 512}
    (message,) = batchexec_options.check()
    assert "takes a name or an ARN of 512 characters at most" in message.msg
