"""`make demo`: the main job end to end, with real processes. See README.md.

The exit status is 0 if every job ended as it should, 1 if not, and 130 on Ctrl-C. With
`--kill`, the worker is killed by SIGKILL in the middle and another one is started; the
count of submissions shows that nothing was submitted twice.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from batchexec.local.guard import SIGNED
from scripts.stack import ROOT, Stack, StackError, free_port

if TYPE_CHECKING:
    from jobs.models import AbstractJob

FOLDER = ROOT / "var" / "demo"
#: Short times tell the story within two minutes. Production keeps the defaults.
FAST = {
    "JOBS_SLEEP_DELAY": "1",
    "BATCHEXEC_POLL_INTERVAL": "0.5",
    "BATCHEXEC_SETTLE": "5",
    "LOG_LEVEL": "INFO",
    "DJANGO_SETTINGS_MODULE": "project.settings",
}
#: Seconds. Only where a worker is killed, as a slow one isn't to be taken for dead.
SHORT_LEASE = {"JOBS_LEASE": "5"}
LINES, BAD_LINES = 3000, 15
#: The demo gives up after this many seconds.
LIMIT = 300.0
KILL = "kill the worker with SIGKILL in the middle and start another"


class FellShort(Exception):
    """A job ended in another way than it should. The text says how."""


def say(text: str = "") -> None:
    print(text, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kill", action="store_true", help=KILL)
    kill = parser.parse_args().kill
    shutil.rmtree(FOLDER, ignore_errors=True)
    began = time.monotonic()
    with Stack(FOLDER, {**FAST, **(SHORT_LEASE if kill else {})}) as stack:
        stack.start_database("delayed_jobs_demo", free_port())
        say(f"database    {stack.environment['DATABASE_URL']}")
        batch_port = free_port()
        stack.start_batch(batch_port)
        say(f"AWS Batch   {stack.environment['AWS_ENDPOINT_URL_BATCH']}")
        stack.run("migrate", "--verbosity", "0")
        web_port = free_port()
        stack.start("web", "runserver", "--noreload", str(web_port))
        stack.wait_for_page("web", web_port, "/readyz")
        say(f"web         http://localhost:{web_port}\n")
        use_the_api(web_port)
        numbers = ("--count", str(LINES), "--bad", str(BAD_LINES))
        say(stack.run("makeposts", str(FOLDER / "posts.jsonl"), *numbers))
        story = Story(stack, batch_port)
        story.enqueue()
        story.work(kill)
        story.check(kill)
    say(f"\nDone in {time.monotonic() - began:.0f} s: every job ended as it should.")
    say(f"Logs are in {FOLDER.relative_to(ROOT)}/.")
    return 0


def use_the_api(port: int) -> None:
    """Sends the requests that the README shows."""
    site = f"http://localhost:{port}"
    post = request(f"{site}/posts", "post[title]=hello&post[body]=world")
    comment = f"comment[post_id]={post['id']}&comment[name]=Bob&comment[message]=Hi"
    request(f"{site}/comments", comment)
    request(f"{site}/posts")
    found = request(f"{site}/comments?post_id={post['id']}")
    if [(comment["name"], comment["message"]) for comment in found] != [("Bob", "Hi")]:
        raise FellShort(f"The comment isn't found by its post: {found}")
    say()


def request(url: str, form: str | None = None) -> Any:
    """Shows a request as a line of curl, sends it, and shows and returns the answer."""
    arguments = [*(["-d", form] if form else []), url]
    say(f"$ {shlex.join(['curl', *arguments])}")
    body = curl(arguments) if shutil.which("curl") else fetch(url, form)
    say(body if len(body) < 300 else f"{body[:300]}…")
    return json.loads(body)


def curl(arguments: list[str]) -> str:
    command = ["curl", "-sS", "--fail-with-body", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise FellShort(f"curl failed: {done.stdout}{done.stderr}")
    return done.stdout


def fetch(url: str, form: str | None) -> str:
    """Sends the same request without curl."""
    data = urllib.parse.quote(form, safe="[]=&").encode() if form else None
    with urllib.request.urlopen(url, data, timeout=120) as reply:
        return str(reply.read().decode())


class Story:
    """Follows the demo's jobs through their rows and markers while the worker works."""

    def __init__(self, stack: Stack, batch_port: int):
        os.environ.update(stack.environment)
        import django

        django.setup()
        self.stack = stack
        self.batch_port = batch_port
        # A queue of its own, because the database may hold other work.
        self.queue = f"demo-{os.getpid()}"
        self.jobs: dict[str, AbstractJob] = {}
        self.batch_ids: dict[str, str] = {}
        self.seen: dict[str, list[str]] = {}

    def enqueue(self) -> None:
        import jobs
        from posts.jobs import DummyErrorJob, DummyJob, ImportPosts
        from posts.models import Post

        self.posts_before = Post.objects.count()
        say("\nEnqueued:")
        # The failing job comes last, because its second attempt is due six seconds
        # after the first.
        payloads = [
            (DummyJob("Hello AWS Batch!"), 0),
            (ImportPosts(str(FOLDER / "posts.jsonl")), 0),
            (DummyErrorJob(), 10),
        ]
        for payload, priority in payloads:
            job = jobs.enqueue(payload, queue=self.queue, priority=priority)
            self.jobs[str(job.pk)] = job
            self.seen[str(job.pk)] = []
            say(f"  {job.name:<24} {job.pk}")

    def work(self, kill: bool) -> None:
        """Runs workers until nothing is left to do.

        Raises FellShort after LIMIT, or if nobody saw the moment to kill one.
        """
        say("\nWorking: manage.py jobworker --batch --exit-on-complete")
        worker = self._start_worker()
        deadline = time.monotonic() + LIMIT
        while True:
            self._look()
            status = worker.poll()
            if status == 0 and not self._left():
                if kill:
                    raise FellShort("The job was over before its worker was killed: try again.")
                return
            if status is not None:
                self.stack.end("worker")
                if status != 0:
                    say(f"  the worker died (status {status}): starting another")
                worker = self._start_worker()
            if kill and "RUNNING" in self.seen[list(self.jobs)[1]]:
                kill = False
                say("  kill -9 the worker, while its job runs in Batch")
                say("  the next worker takes the job over once the lease has expired")
                self.stack.end("worker", signal.SIGKILL)
                worker = self._start_worker()
            if time.monotonic() > deadline:
                raise FellShort(f"Not done within {LIMIT:g} s: see {FOLDER}/worker.log.")
            time.sleep(0.1)

    def _start_worker(self) -> subprocess.Popen[bytes]:
        options = ("--batch", "--queues", self.queue, "--exit-on-complete")
        return self.stack.start("worker", "jobworker", *options)

    def _left(self) -> bool:
        """Whether there is something left to do.

        Once the lease has expired, an abandoned job is taken over and a marker swept.
        """
        from batchexec.models import BatchJob
        from jobs.models import Job, State

        if BatchJob.objects.filter(job_id__in=list(self.jobs)).exists():
            return True
        unfinished = [State.READY, State.RUNNING, State.DETACHED]
        return Job.objects.filter(queue=self.queue, state__in=unfinished).exists()

    def _look(self) -> None:
        """Tells what has changed in AWS Batch."""
        from batchexec.models import BatchJob

        for marker in BatchJob.objects.filter(job_id__in=list(self.jobs)):
            if marker.batch_job_id:
                self.batch_ids[marker.job_id] = marker.batch_job_id
                self._tell(marker.job_id, marker.status or "submitted")

    def _recall(self) -> None:
        """Tells what was over before anybody looked, as on a busy machine."""
        from batchexec.models import BatchExecutionRecord

        for record in BatchExecutionRecord.objects.filter(job_id__in=list(self.jobs)):
            if record.batch_job_id and record.job_id not in self.batch_ids:
                self.batch_ids[record.job_id] = record.batch_job_id
                self._tell(record.job_id, record.status or "submitted")

    def _tell(self, pk: str, what: str) -> None:
        if what not in self.seen[pk][-1:]:
            self.seen[pk].append(what)
            say(f"  {self.jobs[pk].name:<24} Batch job {self.batch_ids[pk]}  {what}")

    def check(self, killed: bool) -> None:
        """Says how each job ended. Raises FellShort if one ended in another way."""
        from batchexec.models import BatchJob
        from jobs.models import Job, State
        from posts.models import Post

        self._recall()
        hello, imported, error = self.jobs
        left = Job.objects.filter(pk__in=[job.pk for job in self.jobs.values()])
        rows = {str(job.pk): job for job in left}
        printed = self._output(hello)
        failed = rows.get(error)
        new_posts = Post.objects.count() - self.posts_before
        say("\nSummary:")
        say(f"  DummyJob       {self._path(hello)}  succeeded; its container printed {printed!r}")
        state = failed.state if failed else "gone"
        say(f"  DummyErrorJob  {self._path(error)}  {state}, to be retried; its error:")
        for line in (failed.last_error if failed else "").splitlines():
            say(f"      {line}")
        say(f"  ImportPosts    {self._path(imported)}  succeeded; {new_posts:,} posts are new:")
        say(f"                 {self._output(imported)}")
        rescheduled = (
            failed is not None
            and failed.state in (State.SCHEDULED, State.READY)
            and failed.attempts >= 1
            and "Traceback" in failed.last_error
        )
        expected = {
            "three Batch jobs": len(set(self.batch_ids.values())) == 3,
            "DummyJob succeeded": hello not in rows and "Hello AWS Batch!" in printed,
            "DummyErrorJob rescheduled with its traceback": rescheduled,
            "ImportPosts succeeded": imported not in rows and new_posts == LINES - BAD_LINES,
            "no marker is left": not BatchJob.objects.filter(job_id__in=list(self.jobs)).exists(),
        }
        submissions = self._submissions()
        if submissions is not None:
            # The failing job may have had a second attempt while the killed worker's
            # lease expired.
            executions = 2 + (failed.attempts if failed else 0)
            though = ", though the worker was killed" if killed else ""
            say(f"  Submissions    {submissions} for {executions} executions{though}")
            expected["one submission an execution"] = submissions == executions
        if missing := [what for what, holds in expected.items() if not holds]:
            raise FellShort(f"This fell short: {'; '.join(missing)}. Logs are in {FOLDER}.")

    def _path(self, pk: str) -> str:
        return f"Batch job {self.batch_ids.get(pk, '(none)')}  {' → '.join(self.seen[pk])} →"

    def _output(self, pk: str) -> str:
        """The last line that the job's container printed, log records left out."""
        folder = ROOT / "var" / f"localbatch-{self.batch_port}"
        log = folder / f"{self.batch_ids.get(pk)}.log"
        lines = log.read_text().splitlines() if log.exists() else []
        printed = [line for line in lines if line and not line[:4].isdigit()]
        return printed[-1] if printed else ""

    def _submissions(self) -> int | None:
        """How many jobs were submitted, or None on AWS, which keeps no count."""
        url = f"http://127.0.0.1:{self.batch_port}/_calls"
        request = urllib.request.Request(url, headers=SIGNED)
        try:
            with urllib.request.urlopen(request, timeout=120) as reply:
                return int(json.load(reply)["counts"].get("SubmitJob", 0))
        except (OSError, KeyError, ValueError):
            return None


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        say("\nInterrupted: everything was ended.")
        sys.exit(130)
    except (FellShort, StackError) as error:
        say(f"\n{error}")
        sys.exit(1)
