"""Credentials that can't be loaded: at the start one sentence with its cure; while the
worker runs, submissions pause, and no job is the worse for it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions as aws

import jobs
from batchexec.aws import credentials
from batchexec.aws.answers import is_about_credentials
from batchexec.aws.client import BatchClient
from batchexec.aws.errors import NotConfigured, NotReached
from batchexec.models import BatchJob
from batchexec.process import standstill
from tests.processes import lines, released, row
from tests.samples import Append, Record

pytestmark = pytest.mark.django_db(transaction=True)

#: Without the keys that the tests have.
BARE = {
    "AWS_ACCESS_KEY_ID": "",
    "AWS_SECRET_ACCESS_KEY": "",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_METADATA_SERVICE_NUM_ATTEMPTS": "1",
}

Broken = Callable[[Path], dict[str, str]]


def profile(text: str) -> Broken:
    def made(folder: Path) -> dict[str, str]:
        (folder / "config").write_text(f"[profile mine]\nregion = us-east-1\n{text}\n")
        return {**BARE, "AWS_CONFIG_FILE": str(folder / "config"), "AWS_PROFILE": "mine"}

    return made


SSO = """sso_session = ours
sso_account_id = 123456789012
sso_role_name = worker
[sso-session ours]
sso_region = us-east-1
sso_start_url = https://example.com/start
"""


def expired_sso(folder: Path) -> dict[str, str]:
    """Logged in once, and the token has run out since."""
    cache = folder / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    past = (dt.datetime.now(dt.timezone.utc) - dt.timedelta(hours=9)).strftime("%Y-%m-%dT%H:%M:%SZ")
    token = {"startUrl": "https://example.com/start", "accessToken": "x", "expiresAt": past}
    name = hashlib.sha1(b"ours").hexdigest()  # AWS's own name of the file
    (cache / f"{name}.json").write_text(json.dumps(token))
    return {**profile(SSO)(folder), "HOME": str(folder)}


KINDS: dict[str, tuple[Broken, str]] = {
    "none": (lambda folder: BARE, "set AWS_PROFILE"),
    "half a key pair": (
        lambda folder: {**BARE, "AWS_ACCESS_KEY_ID": "x"},
        "set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    ),
    "a role's token that isn't mounted": (
        lambda folder: {
            **BARE,
            "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/worker",
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(folder / "missing"),
        },
        "mount the token that AWS_WEB_IDENTITY_TOKEN_FILE names",
    ),
    "a task role whose endpoint is away": (
        lambda folder: {**BARE, "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/role"},
        "give the task a role",
    ),
    "not logged in": (profile(SSO), "run `aws sso login --profile mine`"),
    "a login that has expired": (expired_sso, "run `aws sso login --profile mine`"),
    "a command that fails": (
        profile("credential_process = /bin/false"),
        "mend the credential_process of the profile",
    ),
    "a profile that isn't there": (
        lambda folder: {**BARE, "AWS_PROFILE": "nobodys"},
        "mend AWS_PROFILE",
    ),
}


def set_all(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    for name, value in environment.items():
        if value:
            monkeypatch.setenv(name, value)
        else:
            monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=sorted(KINDS))
def broken(request, tmp_path, monkeypatch) -> tuple[dict[str, str], str]:
    monkeypatch.setenv("HOME", str(tmp_path))
    make, cure = KINDS[request.param]
    return make(tmp_path), cure


def test_what_can_not_be_loaded_is_one_sentence_with_its_cure_and_nothing_is_sent(
    batch, monkeypatch, broken
):
    environment, cure = broken
    set_all(monkeypatch, environment)
    with pytest.raises(NotConfigured) as raised:
        BatchClient().queues("delayed-jobs")
    assert cure in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1
    assert batch.calls()["counts"] == {}


def test_a_worker_refuses_to_start_and_a_job_waits_untouched(batch, start, broken):
    environment, cure = broken
    job = jobs.enqueue(Record())
    started = start("jobworker", "--batch", **environment)
    assert started.wait() == 1
    # boto3 may have logged more before.
    (refusal,) = (line for line in started.output.splitlines() if line.startswith("CommandError"))
    assert cure in refusal
    job.refresh_from_db()
    assert (job.state, job.attempts, job.epoch) == ("ready", 0, 0)


@pytest.mark.parametrize("kind", ["none", "a role's token that isn't mounted", "not logged in"])
def test_a_submission_without_credentials_was_not_sent_so_nothing_is_looked_for(
    batch, monkeypatch, tmp_path, kind
):
    make, cure = KINDS[kind]
    environment = make(tmp_path)
    set_all(monkeypatch, environment)
    with pytest.raises(NotReached, match=cure):
        BatchClient().submit({"jobName": "n", "jobQueue": "q", "jobDefinition": "d:1"})
    assert batch.calls()["counts"] == {}


def write_keys(secret: Path) -> None:
    """Keys that boto3 gets anew for each call, because it does so in the ten minutes
    before they expire. They outlast the test.
    """
    soon = dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=590)
    keys = {"Version": 1, "AccessKeyId": "x", "SecretAccessKey": "y", "SessionToken": "z"}
    secret.write_text(json.dumps({**keys, "Expiration": soon.isoformat()}))


def test_while_a_worker_runs_submissions_pause_with_one_sentence_and_go_on_after(
    batch, worker, monkeypatch, tmp_path, caplog
):
    monkeypatch.setattr(standstill, "LONGEST_PAUSE", 1.0)
    monkeypatch.setattr("batchexec.aws.catalogue.WRONG_FOR", 0.1)
    log, secret = tmp_path / "log", tmp_path / "secret"
    set_all(monkeypatch, profile(f"credential_process = /bin/cat {secret}")(tmp_path))
    write_keys(secret)
    working = worker(concurrency=4)
    next(plugin for plugin in working.plugins if hasattr(plugin, "client")).client  # noqa: B018
    secret.unlink()
    waiting = jobs.enqueue_many([Append(str(log), str(number)) for number in range(4)])

    def write_them_once_all_wait() -> bool:
        reasons = [marker.status_reason for marker in BatchJob.objects.all()]
        if len(reasons) < 4 or not all("credential_process" in reason for reason in reasons):
            return False
        assert [(row(job).attempts, row(job).epoch) for job in waiting] == 4 * [(0, 0)]
        write_keys(secret)
        return True

    with released(tmp_path / "written", once=write_them_once_all_wait):
        assert working.work_off() == (4, 0)
    said = [record for record in caplog.records if "can't be loaded" in record.getMessage()]
    assert len([record for record in said if "standstill" in record.name]) == 1
    assert len(lines(log)) == 4
    assert batch.calls()["counts"]["SubmitJob"] == 4


@pytest.mark.parametrize("code", sorted(credentials.REFUSED_CREDENTIALS))
@pytest.mark.parametrize("status", [400, 401, 403])
def test_credentials_that_aws_refuses_stop_everything_whatever_the_status(code, status):
    answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    assert is_about_credentials(aws.ClientError(answer, "SubmitJob"))


@pytest.mark.parametrize(
    "error",
    [
        aws.ConnectTimeoutError(endpoint_url="https://x"),
        aws.ReadTimeoutError(endpoint_url="https://x"),
        aws.SSLError(endpoint_url="https://x", error="no certificate"),
        aws.ProxyConnectionError(proxy_url="http://x"),
        aws.EndpointConnectionError(endpoint_url="https://x"),
        aws.ConnectionClosedError(endpoint_url="https://x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_connection_that_fails_is_not_taken_for_missing_credentials(error):
    assert credentials.missing(error) == ""


def test_a_right_that_is_missing_is_not_taken_for_bad_credentials():
    answer = {
        "Error": {"Code": "AccessDeniedException"},
        "ResponseMetadata": {"HTTPStatusCode": 403},
    }
    assert not is_about_credentials(aws.ClientError(answer, "SubmitJob"))


def of(kind: type[Any]) -> Any:
    """An instance, whatever the text of this kind is made of."""
    names = [part.split("}")[0] for part in getattr(kind, "fmt", "").split("{")[1:]]
    return kind(**dict.fromkeys(names, "x"))


#: Every kind of botocore's that is about credentials. A new version's is named here.
ABOUT_CREDENTIALS = [
    kind
    for kind in vars(aws).values()
    if isinstance(kind, type)
    and issubclass(kind, aws.BotoCoreError)
    and any(
        word in kind.__name__
        for word in ("Credential", "SSO", "Login", "Token", "Metadata", "Profile", "MFA")
    )
]


@pytest.mark.parametrize("kind", ABOUT_CREDENTIALS, ids=lambda kind: kind.__name__)
def test_every_kind_of_error_about_credentials_has_a_cure(kind):
    assert credentials.missing(of(kind)), kind
    assert os.linesep not in credentials.missing(of(kind))
