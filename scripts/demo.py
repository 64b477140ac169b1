"""`make demo`: the main job, end to end, with real processes: see README.md.

Exit status 0 when every job ended as it should, 1 when anything fell short, 130 on Ctrl-C. `--kill` also kills the worker
with SIGKILL in the middle, starts another, and counts the submissions.
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
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.stack import ROOT, Stack, StackError, free_port

FOLDER = ROOT / "var" / "demo"
#: Short, so that the story is told within two minutes. Production keeps the defaults.
FAST = {
    "JOBS_LEASE": "5",
    "JOBS_SLEEP_DELAY": "1",
    "BATCHEXEC_POLL_INTERVAL": "0.5",
    "BATCHEXEC_SETTLE": "5",
    "LOG_LEVEL": "INFO",
    "DJANGO_SETTINGS_MODULE": "project.settings",
}
LINES, BAD_LINES = 3000, 15
#: The demo gives up after so many seconds.
LIMIT = 110.0


class FellShort(Exception):
    pass


def say(text: str = "") -> None:
    print(text, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--kill",
        action="store_true",
        help="kill the worker with SIGKILL in the middle and start another",
    )
    kill = parser.parse_args().kill
    shutil.rmtree(FOLDER, ignore_errors=True)
    began = time.monotonic()
    with Stack(FOLDER, FAST) as stack:
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
        say(
            stack.run(
                "makeposts",
                str(FOLDER / "posts.jsonl"),
                "--count",
                str(LINES),
                "--bad",
                str(BAD_LINES),
            )
        )
        story = Story(stack)
        story.enqueue()
        story.work(kill)
        story.check(batch_port, kill)
    say(
        f"\nDone in {time.monotonic() - began:.0f} s: every job ended as it should. Logs are in {FOLDER.relative_to(ROOT)}/."
    )
    return 0


def use_the_api(port: int) -> None:
    """The README's curl lines; where there is no curl, the same requests without it."""
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
    arguments = ["curl", "-sS", "--fail-with-body", *(["-d", form] if form else []), url]
    say("$ " + shlex.join(["curl", *(["-d", form] if form else []), url]))
    if shutil.which("curl"):
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=30, check=False)
        if done.returncode:
            raise FellShort(f"curl failed: {done.stdout}{done.stderr}")
        body = done.stdout
    else:
        data = urllib.parse.quote(form, safe="[]=&").encode() if form else None
        with urllib.request.urlopen(url, data, timeout=30) as reply:
            body = reply.read().decode()
    say(body if len(body) < 300 else f"{body[:300]}…")
    return json.loads(body)


class Story:
    """The jobs of the demo, followed through their rows and markers while the worker works."""

    def __init__(self, stack: Stack):
        os.environ.update(stack.environment)
        import django

        django.setup()
        self.stack = stack
        # A queue of its own, because the database may be one with other work in it.
        self.queue = f"demo-{os.getpid()}"
        self.jobs: dict[str, Any] = {}
        self.batch_ids: dict[str, str] = {}
        self.seen: dict[str, list[str]] = {}

    def enqueue(self) -> None:
        import jobs
        from posts.jobs import DummyErrorJob, DummyJob, ImportPosts
        from posts.models import Post

        self.posts_before = Post.objects.count()
        say("\nEnqueued:")
        # The one that fails comes last, because its second attempt is due six seconds after the first.
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
        say("\nWorking: manage.py jobworker --batch --exit-on-complete")
        worker = self._start_worker()
        deadline = time.monotonic() + LIMIT
        while True:
            self._look()
            status = worker.poll()
            if status == 0 and not self._left():
                return
            if status is not None:
                self.stack.end("worker")
                if status != 0:
                    say(f"  the worker died (status {status}): starting another")
                worker = self._start_worker()
            if kill and "RUNNING" in self.seen[list(self.jobs)[1]]:
                kill = False
                say(
                    "  kill -9 the worker, while its job runs in Batch; the next one waits for the lease to expire"
                )
                self.stack.end("worker", signal.SIGKILL)
                worker = self._start_worker()
            if time.monotonic() > deadline:
                raise FellShort(f"Not done within {LIMIT:g} s: see {FOLDER}/worker.log.")
            time.sleep(0.1)

    def _start_worker(self) -> subprocess.Popen[bytes]:
        return self.stack.start(
            "worker", "jobworker", "--batch", "--queues", self.queue, "--exit-on-complete"
        )

    def _left(self) -> bool:
        """Whether there is something left to do: an abandoned job is taken up, and a marker swept, once the lease has expired."""
        from batchexec.models import BatchJob
        from jobs.models import Job, State

        if BatchJob.objects.filter(job_id__in=list(self.jobs)).exists():
            return True
        return Job.objects.filter(
            queue=self.queue, state__in=[State.READY, State.RUNNING, State.DETACHED]
        ).exists()

    def _look(self) -> None:
        from batchexec.models import BatchJob

        for marker in BatchJob.objects.filter(job_id__in=list(self.jobs)):
            if marker.batch_job_id:
                self.batch_ids[marker.job_id] = marker.batch_job_id
                self._tell(marker.job_id, marker.status or "submitted")

    def _tell(self, pk: str, what: str) -> None:
        if what not in self.seen[pk][-1:]:
            self.seen[pk].append(what)
            say(f"  {self.jobs[pk].name:<24} Batch job {self.batch_ids[pk]}  {what}")

    def check(self, batch_port: int, killed: bool) -> None:
        """Says how each job ended, and raises FellShort where one ended in another way than it should."""
        from batchexec.models import BatchJob
        from jobs.models import Job, State
        from posts.models import Post

        hello, imported, error = self.jobs
        rows = {
            str(job.pk): job
            for job in Job.objects.filter(pk__in=[job.pk for job in self.jobs.values()])
        }
        outputs = {pk: self._output(batch_port, pk) for pk in self.jobs}
        failed = rows.get(error)
        say("\nSummary:")
        say(
            f"  DummyJob       {self._path(hello)}  succeeded; its container printed {outputs[hello]!r}"
        )
        say(
            f"  DummyErrorJob  {self._path(error)}  {failed.state if failed else 'gone'}, to be tried again; its error:"
        )
        for line in (failed.last_error if failed else "").splitlines():
            say(f"      {line}")
        new_posts = Post.objects.count() - self.posts_before
        say(
            f"  ImportPosts    {self._path(imported)}  succeeded; {new_posts:,} posts are new: {outputs[imported]}"
        )
        shortfalls = {
            "three Batch jobs": len(set(self.batch_ids.values())) == 3,
            "DummyJob succeeded": hello not in rows and "Hello AWS Batch!" in outputs[hello],
            "DummyErrorJob rescheduled with its traceback": failed is not None
            and failed.state in (State.SCHEDULED, State.READY)
            and failed.attempts >= 1
            and "Traceback" in failed.last_error,
            "ImportPosts succeeded": imported not in rows and new_posts == LINES - BAD_LINES,
            "no marker is left": not BatchJob.objects.filter(job_id__in=list(self.jobs)).exists(),
        }
        if (submissions := self._submissions(batch_port)) is not None:
            # The job that fails may have come to a second attempt while the killed worker's lease expired.
            executions = 2 + (failed.attempts if failed else 0)
            say(
                f"  Submissions    {submissions} for {executions} executions{', though the worker was killed' if killed else ''}"
            )
            shortfalls["one submission an execution"] = submissions == executions
        if missing := [what for what, holds in shortfalls.items() if not holds]:
            raise FellShort(f"This fell short: {'; '.join(missing)}. Logs are in {FOLDER}.")

    def _path(self, pk: str) -> str:
        return f"Batch job {self.batch_ids.get(pk, '(none)')}  {' → '.join(self.seen[pk])} →"

    def _output(self, batch_port: int, pk: str) -> str:
        log = ROOT / "var" / f"localbatch-{batch_port}" / f"{self.batch_ids.get(pk)}.log"
        printed = (
            [line for line in log.read_text().splitlines() if line and not line[:4].isdigit()]
            if log.exists()
            else []
        )
        return printed[-1] if printed else ""

    def _submissions(self, batch_port: int) -> int | None:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{batch_port}/_calls", timeout=10
            ) as reply:
                return int(json.load(reply)["counts"].get("SubmitJob", 0))
        except (OSError, KeyError, ValueError):
            return None  # AWS Batch itself keeps no such count


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        say("\nInterrupted: everything was ended.")
        sys.exit(130)
    except (FellShort, StackError) as error:
        say(f"\n{error}")
        sys.exit(1)
