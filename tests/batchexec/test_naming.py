from __future__ import annotations

import re

import pytest

from batchexec.aws.names import installation_id, job_name

pytestmark = pytest.mark.django_db

AWS_RULE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")


@pytest.mark.parametrize(
    "prefix", ["delayed-job", "", "-", "__", "My App", "x" * 200, "ünï", "a/b:c", "\n"]
)
def test_a_name_is_valid_for_any_prefix_and_says_job_and_epoch(settings, prefix):
    settings.BATCHEXEC = {"JOB_NAME_PREFIX": prefix}
    names = {
        job_name(pk, epoch) for pk in ("6b058203d24b6e85d3e98312", "7") for epoch in (0, 1, 10)
    }
    assert len(names) == 6
    for name in names:
        assert AWS_RULE.fullmatch(name)
        assert name == name.lower()  # ListJobs compares without regard to case
        assert job_name("7", 10) == job_name("7", 10)


def test_the_name_is_of_this_installation(settings):
    mine = job_name("7", 0)
    assert installation_id() in mine
    assert installation_id() == installation_id()
    settings.BATCHEXEC = {"INSTALLATION_ID": "other"}
    assert job_name("7", 0) == "delayed-job-other-7-e0"
