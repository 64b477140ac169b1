"""Only AWS's own judgement of a request is a refusal; other 4xx cost no attempt."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from botocore.exceptions import ClientError

import jobs
from batchexec.aws import answers
from batchexec.aws.errors import (
    Denied,
    NotAccepted,
    NotReached,
    Refused,
    Rejected,
    Throttled,
    Unknown,
)
from batchexec.models import BatchJob
from jobs.models import State
from tests.batchexec.places import add_queue, asking
from tests.fixtures import batch_execution_of
from tests.processes import lines, released, row, wait_for
from tests.samples import Append

pytestmark = pytest.mark.django_db(transaction=True)


def answer(status: int, code: str) -> ClientError:
    reply = {
        "Error": {"Code": code, "Message": "m"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(reply, "SubmitJob")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "code", "meaning"),
    [
        (400, "ClientException", Refused),
        (413, "RequestEntityTooLarge", Refused),
        (403, "AccessDeniedException", Denied),
        (403, "ExpiredTokenException", NotReached),
        (429, "429", Throttled),
        (400, "ThrottlingException", Throttled),
        (408, "RequestTimeout", Unknown),
        (408, "408", Unknown),
        (400, "RequestTimeoutException", Unknown),
        (500, "ServerException", Unknown),
        # Of an address that isn't AWS Batch's, or a proxy on the way.
        *((status, str(status), NotAccepted) for status in (400, 401, 403, 413)),
        *((status, "X", NotAccepted) for status in (402, 404, 405, 407, 409, 421, 423, 425, 451)),
    ],
)
def test_a_submissions_answer_means(status, code, meaning):
    assert type(answers.of_submission(answer(status, code), sent=True)) is meaning


@pytest.mark.parametrize("status", [404, 408, 409, 425])
def test_a_4xx_that_judges_nothing_costs_a_job_with_its_own_choice_no_attempt(
    batch, worker, client_of, tmp_path, status
):
    add_queue(client_of(batch), "mine")
    batch.set_faults([f"SubmitJob:{status}:times=1,code=Strange"])
    job = jobs.enqueue(asking(tmp_path / "log", queue="mine", tags={"a": "b"}))
    assert worker().work_off() == (1, 0)
    assert row(job) is None
    assert lines(tmp_path / "log") == ["performed"]
    assert sum(one["accepted"] for one in batch.calls()["submissions"]) == 1


@pytest.mark.parametrize("call", ["DescribeJobQueues", "DescribeJobDefinitions"])
@pytest.mark.parametrize("status", [404, 408, 409])
def test_nor_does_it_where_queue_or_definition_are_looked_up(
    batch, worker, client_of, tmp_path, monkeypatch, call, status
):
    monkeypatch.setattr("batchexec.aws.catalogue.WRONG_FOR", 0.1)
    add_queue(client_of(batch), "mine")
    batch.set_faults([f"{call}:{status}:times=3,code=Strange"])
    job = jobs.enqueue(asking(tmp_path / "log", queue="mine"))
    assert worker().work_off() == (1, 0)
    assert row(job) is None


@contextmanager
def proxy(status: int) -> Iterator[str]:
    """Answers in place of AWS Batch, as a proxy that lets nothing through."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            body = b"<html>Ask your administrator.</html>"
            self.send_response(status)
            self.send_header("content-type", "text/html")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@pytest.mark.parametrize("status", [400, 403, 407])
def test_a_proxys_answer_is_no_refusal_of_aws(batch, worker, tmp_path, monkeypatch, status):
    job = jobs.enqueue(asking(tmp_path / "log", queue="mine", tags={"a": "b"}))
    with proxy(status) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BATCH", url)
        mine = worker()

        def waits() -> bool:
            reasons = BatchJob.objects.exclude(status_reason="")
            return bool(reasons.exists() and mine.stop() is None)

        with released(tmp_path / "stopped", once=waits):
            assert mine.work_off() == (0, 0)
    assert (row(job).state, row(job).attempts) == (State.DETACHED, 0)
    assert "AWS Batch can't be asked" in BatchJob.objects.get().status_reason


# Ids that are too long


def test_an_id_that_no_column_holds_fails_the_attempt_in_one_sentence_and_the_worker_goes_on(
    batch, worker, tmp_path
):
    mine = worker()
    plugin = batch_execution_of(mine)

    def lengthen(parsed, **event) -> None:
        parsed["jobId"] = "x" * 200

    events = plugin.client._once.meta.events
    events.register("after-call.batch.SubmitJob", lengthen)
    batch.set_faults(["Container:pull-error:times=1"])
    job = jobs.enqueue(Append(str(tmp_path / "log"), "first"))
    assert mine.work_off() == (0, 1)
    assert (row(job).state, row(job).attempts) == (State.SCHEDULED, 1)
    assert "with 200 characters" in row(job).last_error
    assert not BatchJob.objects.exists()
    events.unregister("after-call.batch.SubmitJob", lengthen)
    wait_for(lambda: batch.faults()[0]["left"] == 0, what="the fault was the first one's")
    jobs.enqueue(Append(str(tmp_path / "log"), "second"))
    assert mine.work_off() == (1, 0)
    assert lines(tmp_path / "log") == ["second"]


def test_such_an_id_is_refused_and_not_recorded(batch, worker):
    client = batch_execution_of(worker()).client
    client._once.meta.events.register(
        "after-call.batch.SubmitJob", lambda parsed, **event: parsed.update(jobId="x" * 65)
    )
    with pytest.raises(Rejected, match="'xxxxxxxxxxxxxxxxxxxx'… with 65 characters"):
        client.submit({"jobName": "n", "jobQueue": "delayed-jobs", "jobDefinition": "delayed-jobs"})
