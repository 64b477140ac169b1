"""The names of those that execute jobs: unique to one execution, and telling attempts
of one Batch job apart.
"""

from __future__ import annotations

import pytest

from jobs.runner import container_runner, is_later_attempt, place_of, worker_runner


def container(batch_job_id: str = "b-1", attempt: int = 1) -> str:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_BATCH_JOB_ID", batch_job_id)
        environment.setenv("AWS_BATCH_JOB_ATTEMPT", str(attempt))
        return container_runner(3)


def test_two_starts_of_one_container_have_different_names():
    assert container().startswith("b-1/1@3#")
    assert container() != container()


def test_a_container_whose_name_no_record_keeps_is_refused_rather_than_cut():
    assert place_of(container("b" * 64)) == "b" * 64
    with pytest.raises(ValueError, match="has 65 characters"):
        container("b" * 65)


def test_only_a_containers_name_tells_a_batch_job():
    assert place_of(container()) == "b-1"
    for other in ("", worker_runner("w", 3), worker_runner("a/b", 3), worker_runner("a#b/c", 3)):
        assert place_of(other) == ""


@pytest.mark.parametrize(
    ("runner", "than", "later"),
    [
        (container(attempt=2), container(attempt=1), True),
        (container(attempt=10), container(attempt=9), True),
        (container(attempt=1), container(attempt=1), False),
        (container(attempt=1), container(attempt=2), False),
        (container("b-2", 2), container("b-1", 1), False),
        (container(attempt=2), "", False),
        (container(attempt=2), worker_runner("b-1/1", 3), False),
        (worker_runner("b-1/2", 3), container(attempt=1), False),
    ],
    # Not the names themselves, which are others in every process of a run.
    ids=[
        "next",
        "tenth",
        "same",
        "earlier",
        "of-another",
        "after-nothing",
        "after-a-worker",
        "by-a-worker",
    ],
)
def test_a_later_attempt_is_one_of_the_same_batch_job(runner, than, later):
    assert is_later_attempt(runner, than) is later
