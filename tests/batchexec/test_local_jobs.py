"""What becomes of a job on localbatch: states, exit codes, environment, output."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from django.conf import settings

from batchexec.local.server import LocalBatch
from tests.batchexec.local_helpers import PYTHON, Batch, stay
from tests.processes import wait_for


@pytest.fixture
def batch(server: LocalBatch) -> Batch:
    return Batch(server.url)


def test_a_job_is_seen_in_every_state_and_starts_after_the_delay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    stay(monkeypatch, lambda job: job.status not in seen)
    with LocalBatch(create=True, start_delay=0.3) as server:
        batch = Batch(server.url)
        job = batch.submit("sh", "-c", f"until test -e {tmp_path}/seen; do sleep 0.05; done")

        def look() -> bool:
            status = batch.status(job)
            if status not in seen:
                seen.append(status)
            if status == "RUNNING":
                (tmp_path / "seen").touch()
            return status == "SUCCEEDED"

        wait_for(look)
        assert seen == ["SUBMITTED", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"]
        detail = batch.describe(job)[0]
        assert detail["startedAt"] - detail["createdAt"] >= 300


def test_nobody_needs_to_look_for_a_job_to_run(
    batch: Batch, server: LocalBatch, tmp_path: Path
) -> None:
    batch.submit("touch", str(tmp_path / "ran"))
    wait_for((tmp_path / "ran").exists)
    assert set(server.calls()["counts"]) == {"SubmitJob"}


def test_success_is_exit_code_0(batch: Batch) -> None:
    detail = batch.finished(batch.python("print('hello'); print('wörld')"))
    assert detail["status"] == "SUCCEEDED"
    assert detail["statusReason"] == "Essential container in task exited"
    assert detail["container"]["exitCode"] == 0
    assert "reason" not in detail["container"]
    assert batch.output(detail["jobId"]) == ["hello", "wörld"]


def test_failure_keeps_the_exit_code(batch: Batch) -> None:
    detail = batch.finished(batch.submit("sh", "-c", "echo oops >&2; exit 3"))
    assert (detail["status"], detail["statusReason"]) == (
        "FAILED",
        "Essential container in task exited",
    )
    assert detail["container"]["exitCode"] == 3
    (attempt,) = detail["attempts"]
    assert attempt["container"]["exitCode"] == 3
    assert attempt["container"]["logStreamName"] == detail["container"]["logStreamName"]
    assert attempt["statusReason"] == "Essential container in task exited"
    assert detail["createdAt"] <= attempt["startedAt"] <= attempt["stoppedAt"]
    assert batch.output(detail["jobId"]) == ["oops"]


def test_a_signal_is_reported_as_128_and_its_number(batch: Batch) -> None:
    assert batch.finished(batch.submit("sh", "-c", "kill -9 $$"))["container"]["exitCode"] == 137


def test_a_missing_binary_fails_to_start(batch: Batch) -> None:
    detail = batch.finished(batch.submit("/no/such/binary"))
    assert (detail["status"], detail["statusReason"]) == ("FAILED", "Task failed to start")
    assert detail["container"]["reason"].startswith("CannotStartContainerError: ")
    assert "exitCode" not in detail["container"]
    assert "logStreamName" not in detail["container"]
    assert "startedAt" not in detail


def test_the_environment_is_the_servers_without_aws_and_with_batchs_own(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_BATCH", "http://127.0.0.1:1")
    monkeypatch.setenv("FROM_THE_SERVER", "yes")
    variables = [{"name": "A", "value": "definition"}, {"name": "B", "value": "definition"}]
    batch.register("with-environment", environment=variables)
    overrides = {"environment": [{"name": "B", "value": "override"}]}
    code = (
        "import os; "
        "print(*sorted(f'{k}={v}' for k, v in os.environ.items()), os.getcwd(), sep='\\n')"
    )
    job = batch.python(code, definition="with-environment", overrides=overrides)
    detail = batch.finished(job)
    output = batch.output(job)
    assert {
        f"AWS_BATCH_JOB_ID={job}",
        "AWS_BATCH_JOB_ATTEMPT=1",
        "AWS_BATCH_JQ_NAME=delayed-jobs",
        "AWS_BATCH_CE_NAME=localbatch",
        "A=definition",
        "B=override",
        "FROM_THE_SERVER=yes",
        str(settings.BASE_DIR),
    } <= set(output)
    assert not [
        line for line in output if line.startswith(("AWS_ACCESS_KEY", "AWS_SECRET", "AWS_ENDPOINT"))
    ]
    expected = [{"name": "A", "value": "definition"}, {"name": "B", "value": "override"}]
    assert detail["container"]["environment"] == expected
    assert batch.describe(job)[0]["container"]["environment"] == expected


def test_python_is_the_servers_own(batch: Batch) -> None:
    job = batch.python("import sys; print(sys.executable)")
    batch.finished(job)
    assert batch.output(job) == [PYTHON]


def test_parameters_fill_placeholders(batch: Batch) -> None:
    job = batch.submit(
        "echo", "Ref::what", "Ref::whatever", parameters={"what": "a", "whatever": "b"}
    )
    batch.finished(job)
    assert batch.output(job) == ["a b"]


def test_resource_overrides_are_described(batch: Batch) -> None:
    wanted = [{"type": "VCPU", "value": "2"}, {"type": "MEMORY", "value": "4096"}]
    detail = batch.describe(batch.submit("true", overrides={"resourceRequirements": wanted}))[0]
    assert detail["container"]["resourceRequirements"] == wanted


def test_logs_can_be_read_while_it_runs_and_are_a_file(tmp_path: Path) -> None:
    with LocalBatch(create=True, folder=tmp_path, start_delay=0) as server:
        batch = Batch(server.url)
        job = batch.submit("sh", "-c", "echo ready; exec sleep 600")
        batch.until_output(job, "ready")
        assert (tmp_path / f"{job}.log").read_text() == "ready\n"


def test_echo_shows_output(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(sys, "stdout", shown)
    with LocalBatch(create=True, echo=True, start_delay=0) as server:
        batch = Batch(server.url)
        job = batch.submit("sh", "-c", "echo seen; exec sleep 600")
        wait_for(lambda: f"{job[:8]} seen\n" in shown.getvalue())
