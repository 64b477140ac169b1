"""The examples, run as examples/README.md says: in processes of their own."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import jobs
from batchexec.models import BatchJob
from examples.hooks.jobs import FetchRates
from jobs.models import Job, State
from posts.models import Post
from tests.processes import ROOT, environment, wait_for

EXAMPLES = ROOT / "examples"
#: Nobody dies here, so nobody is taken for dead because the machine is busy.
LONG = {"JOBS_LEASE": "3600"}

pytestmark = pytest.mark.django_db(transaction=True)


def enqueue(name: str) -> list[str]:
    """`python -m examples.<name>`; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", f"examples.{name}"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def printed(process) -> list[str]:
    """What the jobs printed, without the worker's log."""
    return [line for line in process.output.splitlines() if not re.match(r"\d{4}-\d\d-\d\d ", line)]


@pytest.fixture
def performed(start):
    """Has a worker perform everything; returns what the jobs printed."""

    def perform() -> list[str]:
        worker = start("jobworker", "--exit-on-complete", LOG_LEVEL="WARNING", **LONG)
        assert worker.wait() == 0, worker.output
        return printed(worker)

    return perform


def test_a_first_job_and_three_more_greet(performed):
    said = enqueue("first_job")
    first = Job.objects.order_by("pk")[0]
    assert said == [f"Enqueued job {first.pk}, which is ready.", "Enqueued 3 more."]
    assert performed() == [f"Hello, {name}!" for name in ("Ada", "Bob", "Chiara", "Dmitri")]
    assert not Job.objects.exists()


def test_a_report_is_made_once_and_the_urgent_one_first(performed):
    assert "The second job is the first one: True" in enqueue("unique_keys")
    assert Job.objects.count() == 2
    assert performed() == ["Report of Tuesday", "Report of Monday"]


def test_methods_are_called_by_the_worker(performed):
    said = enqueue("delayed_method")
    assert said[:2] == [
        "Enqueued examples.delayed_method.newsletter.Newsletter.send in the queue mail.",
        "Enqueued examples.delayed_method.newsletter.Newsletter.clean_up in the "
        "queue housekeeping.",
    ]
    [draft] = Post.objects.all()
    assert said[2:] == [f"Enqueued posts.models.Post#delete of post {draft.pk}."]
    assert performed() == ["To ada@example.com: News", "Cleaned up"]
    assert not Post.objects.exists()


def test_the_job_with_hooks_succeeds_at_its_third_attempt(start):
    enqueue("hooks")
    worker = start("jobworker", "--sleep-delay", "0.2", LOG_LEVEL="CRITICAL", **LONG)
    wait_for(lambda: not Job.objects.exists(), what="the job has succeeded")
    worker.send(signal.SIGINT)
    assert worker.wait() == 0
    assert printed(worker) == [
        "Attempt 1: the central bank does not answer",
        "Attempt 2: the central bank does not answer",
        "Attempt 3: got the rates of the central bank",
        "No one has to be told",
    ]


def test_every_failed_attempt_is_reported_once(start):
    enqueue("error_reports")
    plugins = "jobs.plugins.ClearLocks,examples.error_reports.reporter.Reporter"
    variables = {"LOG_LEVEL": "CRITICAL", "JOBS_PLUGINS": plugins, **LONG}
    worker = start("jobworker", "--sleep-delay", "0.2", **variables)
    wait_for(lambda: Job.objects.filter(state=State.FAILED).exists(), what="the job has failed")
    worker.send(signal.SIGINT)
    assert worker.wait() == 0
    name, why = "examples.error_reports.jobs.Charge", "the bank does not answer for order 7"
    assert printed(worker) == [
        f"{name} failed and is tried again: {why}",
        f"{name} failed for good: {why}",
    ]


def test_after_the_last_attempt_the_failure_hook_says_which_job_to_look_at(performed):
    """With fewer attempts than the example needs."""
    payload = FetchRates("the central bank")
    payload.max_attempts = 1
    job = jobs.enqueue(payload)
    assert performed()[-1] == f"Gave up after attempt 1: please look at job {job.pk}"
    assert Job.objects.get().state == State.FAILED


@pytest.fixture
def local_batch(start) -> Iterator[tuple[object, dict[str, str]]]:
    """`manage.py localbatch --echo`, and the variables that lead a worker to it."""
    options = ("--create", "--echo", "--port", "0", "--start-delay", "0.05")
    process = start("localbatch", *options, **LONG)  # which its containers get
    url = re.compile(r"AWS_ENDPOINT_URL_BATCH=(\S+:(\d+))")
    found = wait_for(lambda: url.search(process.output), what="localbatch listens")
    yield process, {"AWS_ENDPOINT_URL_BATCH": found[1], **LONG}
    process.send(signal.SIGTERM)
    assert process.wait() == 0
    shutil.rmtree(ROOT / "var" / f"localbatch-{found[2]}", ignore_errors=True)


def test_films_are_rendered_on_aws_batch(start, local_batch):
    process, variables = local_batch
    enqueue("on_batch")
    options = ("--batch", "--concurrency", "2", "--exit-on-complete")
    worker = start("jobworker", *options, **variables)
    assert worker.wait() == 0, worker.output
    assert not Job.objects.exists()
    assert not BatchJob.objects.exists()
    told = re.compile(r"Rendered (\w+) in high quality, in Batch job ([0-9a-f-]{36})")
    # localbatch may show a container's last lines after its job's end.
    wait_for(lambda: len(told.findall(process.output)) >= 2, what="both were rendered")
    films, batch_jobs = zip(*told.findall(process.output), strict=True)
    assert sorted(films) == ["Metropolis", "Nosferatu"]
    assert len(set(batch_jobs)) == 2


def test_the_same_films_are_rendered_in_a_worker_without_batch(performed):
    enqueue("on_batch")
    films = ("Metropolis", "Nosferatu")
    assert performed() == [f"Rendered {film} in low quality, in a worker" for film in films]


def test_every_example_is_described_and_run_here():
    names = {folder.name for folder in EXAMPLES.iterdir() if (folder / "__main__.py").exists()}
    readme = (EXAMPLES / "README.md").read_text()
    described = set(re.findall(r"^\| \[(\w+)\]", readme, re.MULTILINE))
    run = set(re.findall(r'enqueue\("(\w+)"\)', Path(__file__).read_text()))
    assert names == described == run
    assert len(names) == 6
