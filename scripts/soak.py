"""`make soak`: many jobs, with workers and containers killed at random; ends with the count of effects against jobs.

    python scripts/soak.py --jobs 1000 --kills 200 --seconds 1500 --seed 7

Real processes on the embedded database and the local AWS Batch. Every job writes a line when it begins and one when it ends.
The raw log is kept in var/soak/. Exit status 0 when nothing was lost, begun twice in one epoch, or left behind.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.stack import ROOT, Stack, StackError, free_port

FOLDER = ROOT / "var" / "soak"
LEASE = 4.0
FAST = {
    "JOBS_LEASE": str(LEASE),
    "JOBS_SLEEP_DELAY": "0.5",
    "JOBS_MAX_ATTEMPTS": "50",
    "BATCHEXEC_POLL_INTERVAL": "0.5",
    "BATCHEXEC_SETTLE": "4",
    "LOG_LEVEL": "INFO",
    "DJANGO_SETTINGS_MODULE": "project.settings",
    "SOAK_LOG": str(FOLDER / "effects.log"),
}
WORKERS, SLOTS = 3, 8
#: Of all kills, the part that hits workers; the others hit containers while they perform a job.
WORKERS_SHARE = 0.7


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
        self.workers: dict[str, Any] = {}
        #: Jobs of killed workers that nobody watches yet: id to (the dead worker's name, when it was killed).
        self.unwatched: dict[str, tuple[str, float]] = {}
        self.longest = 0.0

    def note(self, text: str) -> None:
        self.log.write(f"{time.monotonic() - self.began:8.2f} {text}\n")

    def run(self) -> bool:
        import jobs
        from bench.soak_job import SoakJob

        created = jobs.enqueue_many(
            [SoakJob(number, self.chance.uniform(0.3, 2.0)) for number in range(self.options.jobs)]
        )
        self.ids = {str(job.pk) for job in created}
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
                print(
                    f"{self.elapsed():6.0f} s: {len(self.left()):5} jobs left, {self.kills.total():4} kills",
                    flush=True,
                )
                next_report += 10
            time.sleep(0.15)
        self.settle()
        return self.report()

    def elapsed(self) -> float:
        return time.monotonic() - self.began

    def left(self) -> set[str]:
        from jobs.models import Job

        return {str(pk) for pk in Job.objects.values_list("pk", flat=True)} & self.ids

    def start_worker(self) -> None:
        name = f"soak-{len(self.workers) + self.kills['worker']}-{self.chance.randrange(10**6)}"
        arguments = ["jobworker", "--batch", "--concurrency", str(SLOTS), "--name", name]
        self.workers[name] = self.stack.start(name, *arguments)
        self.note(f"start {name}")

    def kill(self) -> None:
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
        running = {}
        for kind, job, epoch, pid in self.effects():
            running[job, epoch] = int(pid) if kind == "began" else 0
        alive = [
            (key, pid) for key, pid in running.items() if pid and Path(f"/proc/{pid}").exists()
        ]
        if not alive:
            return False
        (job, epoch), pid = self.chance.choice(alive)
        os.kill(pid, signal.SIGKILL)
        self.kills["container"] += 1
        self.note(f"kill container {pid} of job {job} epoch {epoch}")
        return True

    def effects(self) -> list[list[str]]:
        path = Path(FAST["SOAK_LOG"])
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def measure(self) -> None:
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
        """Nothing is killed any more: whatever is left is brought to its end, and markers are swept."""
        from batchexec.models import BatchJob

        deadline = time.monotonic() + 60
        while (self.left() or BatchJob.objects.exists()) and time.monotonic() < deadline:
            self.measure()
            time.sleep(0.2)

    def report(self) -> bool:
        from batchexec.models import BatchJob

        effects = self.effects()
        began = Counter((job, epoch) for kind, job, epoch, _ in effects if kind == "began")
        ended = Counter(job for kind, job, _, _ in effects if kind == "ended")
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.batch_port}/_calls", timeout=30
        ) as reply:
            names = [
                each["jobName"] for each in json.load(reply)["submissions"] if each["accepted"]
            ]
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
            # A container killed between its effect and the record of it: at-least-once, as the guarantee says.
            "effects repeated by a killed container": sum(count - 1 for count in ended.values()),
            "markers left": BatchJob.objects.count(),
            "submissions": len(names),
            "epochs submitted": len(set(names)),
            "longest until watched again (s)": round(self.longest, 1),
        }
        for name, value in figures.items():
            print(f"  {name:<40} {value}")
        (FOLDER / "figures.json").write_text(json.dumps(figures, indent=2))
        zero = ("jobs lost", "jobs left", "begun twice in one epoch", "markers left")
        return (
            all(figures[name] == 0 for name in zero)
            and figures["submissions"] == figures["epochs submitted"]
        )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument(
        "--seconds",
        type=float,
        default=400,
        help="jobs that are left then are brought to their end without kills",
    )
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    print(
        f"seed {options.seed}: {options.jobs} jobs, up to {options.kills} kills, {options.seconds:g} s",
        flush=True,
    )
    shutil.rmtree(FOLDER, ignore_errors=True)
    with Stack(FOLDER, FAST) as stack:
        stack.start_database("delayed_jobs_soak", free_port())
        port = free_port()
        stack.start_batch(port, "--max-running", "8")
        stack.run("migrate", "--verbosity", "0")
        good = Soak(stack, options, port).run()
    print(
        f"{'Every job was performed.' if good else 'This fell short.'} The raw log is in {FOLDER.relative_to(ROOT)}/."
    )
    return 0 if good else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except StackError as error:
        sys.exit(str(error))
