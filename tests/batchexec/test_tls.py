"""A TLS error while the reply is read may hide that AWS Batch has taken the job."""

from __future__ import annotations

import pytest

import jobs
from batchexec.aws.client import BatchClient
from batchexec.aws.errors import NotReached, Unknown
from tests.batchexec.tls import tls, write_certificate
from tests.processes import lines, row
from tests.samples import Append

pytestmark = pytest.mark.django_db(transaction=True)

SUBMIT = "/v1/submitjob"
REQUEST = {
    "jobName": "n",
    "jobQueue": "delayed-jobs",
    "jobDefinition": "delayed-jobs:1",
    "containerOverrides": {"command": ["true"]},
}


@pytest.fixture
def proxy(batch, monkeypatch, tmp_path):
    with tls(batch.url, tmp_path) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BATCH", server.url)
        monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "tls.pem"))
        yield server


def accepted(batch) -> int:
    return sum(submission["accepted"] for submission in batch.calls()["submissions"])


def test_a_reply_whose_tls_is_broken_is_lost_and_the_job_is_not_submitted_twice(
    batch, proxy, worker, tmp_path
):
    proxy.broken.append(SUBMIT)
    job = jobs.enqueue(Append(str(tmp_path / "log")))
    assert worker().work_off() == (1, 0)
    assert not proxy.broken
    assert proxy.passed.count(SUBMIT) == accepted(batch) == 1
    assert "/v1/listjobs" in proxy.passed
    assert lines(tmp_path / "log") == ["performed"]
    assert row(job) is None


def test_such_a_submission_is_unknown_to_the_client(batch, proxy):
    proxy.broken.append(SUBMIT)
    with pytest.raises(Unknown, match="SSL"):
        BatchClient().submit(REQUEST)
    assert accepted(batch) == 1


def test_a_server_whose_certificate_is_not_trusted_gets_no_submission(
    batch, proxy, monkeypatch, tmp_path
):
    write_certificate(tmp_path / "another.pem")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "another.pem"))
    with pytest.raises(Unknown, match="SSL"):  # it costs one look
        BatchClient().submit(REQUEST)
    assert accepted(batch) == 0


def test_where_nobody_listens_nothing_was_sent(batch, proxy, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_BATCH", "https://127.0.0.1:9")
    with pytest.raises(NotReached, match="not reached"):
        BatchClient().submit(REQUEST)
