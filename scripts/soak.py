"""`make soak`: many jobs, while workers and containers are killed at random.

    python scripts/soak.py --jobs 1000 --kills 200 --seconds 1500 --seed 7

It runs real processes on the embedded database and the local AWS Batch. Every job
writes a line when it begins and a line when it ends. At the end these are counted
against the jobs. The raw log is kept in var/soak/. The exit status is 0 if no job was
lost, begun twice in one epoch, or left behind.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from batchexec.local.guard import SIGNED
from scripts.stack import ROOT, Stack, StackError, free_port

FOLDER = ROOT / "var" / "soak"
EFFECTS = FOLDER / "effects.log"
LEASE = 4.0
FAST = {
    "JOBS_LEASE": str(LEASE),
    "JOBS_SLEEP_DELAY": "0.5",
    "JOBS_MAX_ATTEMPTS": "50",
    "BATCHEXEC_POLL_INTERVAL": "0.5",
    "BATCHEXEC_SETTLE": "4",
    "LOG_LEVEL": "INFO",
    "DJANGO_SETTINGS_MODULE": "project.settings",
    "SOAK_LOG": str(EFFECTS),
}
WORKERS, SLOTS = 3, 8
#: The part of the kills that hit workers. The others hit containers that perform a job.
WORKERS_SHARE = 0.7
#: Figures that must be 0.
FAILURES = ("jobs lost", "jobs left", "begun twice in one epoch", "markers left")


class Effect(NamedTuple):
    """What a job wrote: that an execution `began` or `ended`."""

    kind: str
    job: str
    epoch: str
    pid: int


def effects() -> Iterator[Effect]:
    if EFFECTS.exists():
        for line in EFFECTS.read_text().splitlines():
            kind, job, epoch, pid = line.split()
            yield Effect(kind, job, epoch, int(pid))


class Soak:
    def __init__(self, stack: Stack, options: argparse.Namespace, batch_port: int):
        os.environ.update(stack.environment)
        import django

        django.setup()
        self.stack, self.options, self.batch_port = stack, options, batch_port
        self.chance = random.Random(options.seed)
        self.log = (FOLDER / "soak.log").open("w", buffering=1)
        self.began = time.monotonic()
        self.kills: Counter[str] = Counter()
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        #: Jobs of killed workers that nobody watches yet: their id, the name of the
        #: dead worker, and when it was killed.
        self.unwatched: dict[str, tuple[str, float]] = {}
        self.longest = 0.0

    def note(self, text: str) -> None:
        self.log.write(f"{self.elapsed():8.2f} {text}\n")

    def run(self) -> bool:
        """Performs and kills until all jobs are done. Returns whether all went well."""
        import jobs
        from bench.soak_job import SoakJob

        payloads = [
            SoakJob(number, self.chance.uniform(0.3, 2.0)) for number in range(self.options.jobs)
        ]
        self.ids = {str(job.pk) for job in jobs.enqueue_many(payloads)}
        for _ in range(WORKERS):
            self.start_worker()
        next_kill, next_report = 3.0, 10.0
        pause = max(0.2, 0.6 * self.options.seconds / max(1, self.options.kills) / 2)
        while self.left() and self.elapsed() < self.options.seconds:
            self.stack.check()
            self.measure()
            if self.elapsed() > next_kill and self.kills.total() < self.options.kills:
                self.kill()
                next_kill = self.elapsed() + self.chance.uniform(0.3, 1.7) * min(pause, 1.5)
            if self.elapsed() > next_report:
                left, kills = len(self.left()), self.kills.total()
                print(f"{self.elapsed():6.0f} s: {left:5} jobs left, {kills:4} kills", flush=True)
                next_report += 10
            time.sleep(0.15)
        self.settle()
        return self.report()

    def elapsed(self) -> float:
        return time.monotonic() - self.began

    def left(self) -> set[str]:
        """The ids of the jobs that aren't done yet."""
        from jobs.models import Job

        return {str(pk) for pk in Job.objects.values_list("pk", flat=True)} & self.ids

    def start_worker(self) -> None:
        number = len(self.workers) + self.kills["worker"]
        name = f"soak-{number}-{self.chance.randrange(10**6)}"
        options = ("--batch", "--concurrency", str(SLOTS), "--name", name)
        self.workers[name] = self.stack.start(name, "jobworker", *options)
        self.note(f"start {name}")

    def kill(self) -> None:
        """Kills a worker, or a container if one performs a job at the moment."""
        if self.chance.random() < WORKERS_SHARE or not self.kill_container():
            self.kill_worker()

    def kill_worker(self) -> None:
        from jobs.models import Job

        name = self.chance.choice(sorted(self.workers))
        del self.workers[name]
        self.stack.end(name, signal.SIGKILL)
        held = [str(pk) for pk in Job.objects.filter(locked_by=name).values_list("pk", flat=True)]
        self.unwatched.update({pk: (name, time.monotonic()) for pk in held})
        self.kills["worker"] += 1
        self.note(f"kill worker {name} holding {len(held)}")
        self.start_worker()

    def kill_container(self) -> bool:
        """Kills a container that performs a job. Returns False if there is none."""
        last = {(effect.job, effect.epoch): effect for effect in effects()}
        alive = [
            effect
            for effect in last.values()
            if effect.kind == "began" and Path(f"/proc/{effect.pid}").exists()
        ]
        if not alive:
            return False
        victim = self.chance.choice(alive)
        os.kill(victim.pid, signal.SIGKILL)
        self.kills["container"] += 1
        self.note(f"kill container {victim.pid} of job {victim.job} epoch {victim.epoch}")
        return True

    def measure(self) -> None:
        """Notes how long jobs of killed workers had to wait for the next watcher."""
        from jobs.models import Job

        if not self.unwatched:
            return
        found = Job.objects.filter(pk__in=list(self.unwatched)).only("locked_by", "state")
        rows = {str(job.pk): (job.state, job.locked_by) for job in found}
        for pk, (name, killed) in list(self.unwatched.items()):
            state, watcher = rows.get(pk, ("", ""))
            if state == "detached" or (state == "running" and watcher == name):
                continue
            del self.unwatched[pk]
            if state == "running":
                self.longest = max(self.longest, time.monotonic() - killed)

    def settle(self) -> None:
        """Lets the workers finish what is left and sweep the markers, without kills."""
        from batchexec.models import BatchJob

        deadline = time.monotonic() + 60
        while (self.left() or BatchJob.objects.exists()) and time.monotonic() < deadline:
            self.measure()
            time.sleep(0.2)

    def report(self) -> bool:
        """Prints and keeps the figures. Returns whether they are as they should be."""
        from batchexec.models import BatchJob

        began = Counter((each.job, each.epoch) for each in effects() if each.kind == "began")
        ended = Counter(each.job for each in effects() if each.kind == "ended")
        names = self.submitted()
        figures = {
            "seed": self.options.seed,
            "seconds": round(self.elapsed()),
            "jobs": len(self.ids),
            "worker kills": self.kills["worker"],
            "container kills": self.kills["container"],
            "jobs lost": len([pk for pk in self.ids if pk not in ended]),
            "jobs left": len(self.left()),
            "begun twice in one epoch": sum(count > 1 for count in began.values()),
            "effects": sum(ended.values()),
            # By a container that was killed between its effect and the record of it.
            # The guarantee allows that: effects happen at least once.
            "effects repeated by a killed container": sum(count - 1 for count in ended.values()),
            "markers left": BatchJob.objects.count(),
            "submissions": len(names),
            "epochs submitted": len(set(names)),
            "longest until watched again (s)": round(self.longest, 1),
        }
        for name, value in figures.items():
            print(f"  {name:<40} {value}")
        (FOLDER / "figures.json").write_text(json.dumps(figures, indent=2))
        submitted_once = figures["submissions"] == figures["epochs submitted"]
        return submitted_once and all(figures[name] == 0 for name in FAILURES)

    def submitted(self) -> list[str]:
        """The names of the Batch jobs that the local AWS Batch accepted."""
        url = f"http://127.0.0.1:{self.batch_port}/_calls"
        request = urllib.request.Request(url, headers=SIGNED)
        with urllib.request.urlopen(request, timeout=30) as reply:
            submissions = json.load(reply)["submissions"]
        return [each["jobName"] for each in submissions if each["accepted"]]


def main() -> int:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--jobs", type=int, default=200, help="default: %(default)s")
    parser.add_argument("--kills", type=int, default=60, help="at most; default: %(default)s")
    parser.add_argument(
        "--seconds",
        type=float,
        default=400,
        help="how long to kill; jobs left then are finished in peace; default: %(default)s",
    )
    parser.add_argument(
        "--seed", type=int, default=random.randrange(10**6), help="default: a random one"
    )
    options = parser.parse_args()
    print(
        f"seed {options.seed}: {options.jobs} jobs, up to {options.kills} kills, "
        f"{options.seconds:g} s",
        flush=True,
    )
    shutil.rmtree(FOLDER, ignore_errors=True)
    with Stack(FOLDER, FAST) as stack:
        stack.start_database("delayed_jobs_soak", free_port())
        port = free_port()
        stack.start_batch(port, "--max-running", "8")
        stack.run("migrate", "--verbosity", "0")
        good = Soak(stack, options, port).run()
    print("Every job was performed." if good else "This fell short.")
    print(f"The raw log is in {FOLDER.relative_to(ROOT)}/.")
    return 0 if good else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except StackError as error:
        sys.exit(str(error))
