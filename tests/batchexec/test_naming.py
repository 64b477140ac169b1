from __future__ import annotations

import re

import pytest

from batchexec.aws.names import common_prefix, installation_id, is_ours, job_name

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


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("shop", "shop-staging"),
        ("shop-staging", "shop-staging-2"),
        ("shop", "Shop"),
        ("a/b", "a-b"),
        ("x" * 40, "x" * 41),
        ("x" * 500, "x" * 499 + "y"),
        ("ünï", "unï"),
    ],
)
@pytest.mark.parametrize("job_id", ["7", "staging-7", "2-7"])
def test_installations_are_told_apart_by_the_whole_id(settings, one, other, job_id):
    settings.BATCHEXEC = {"INSTALLATION_ID": one}
    mine = job_name(job_id, 1)
    assert mine.startswith(common_prefix())
    assert is_ours(mine, job_id, "1")
    settings.BATCHEXEC = {"INSTALLATION_ID": other}
    assert not is_ours(mine, job_id, "1")
    assert mine not in {job_name(each, 1) for each in ("7", "staging-7", "2-7", "staging-2-7")}
