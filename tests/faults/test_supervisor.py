"""`jobworker --processes` and `--pool`: workers that are kept running, and stopped
together.
"""

from __future__ import annotations

import os
import signal

import pytest

import jobs
from jobs.models import Job
from tests.processes import lines, row, wait_for
from tests.samples import Append, Wait

pytestmark = pytest.mark.django_db(transaction=True)


def pids(log) -> set[int]:
    return {int(line.split()[-1]) for line in lines(log) if line.startswith("began")}


def test_a_worker_that_dies_is_replaced_and_all_are_stopped_cleanly(start, tmp_path):
    log, go = tmp_path / "log", tmp_path / "go"
    jobs.enqueue_many([Wait(str(log), str(go), str(number)) for number in range(2)])
    supervisor = start("jobworker", "--processes", "2", "--name", "w")
    wait_for(lambda: len(pids(log)) == 2, what="two processes are at work")
    assert {job.locked_by for job in Job.objects.all()} == {"w.0", "w.1"}
    victim = min(pids(log))
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: "died with status -9" in supervisor.output)
    go.touch()
    last = jobs.enqueue(Append(str(log), "after the death"))
    wait_for(lambda: row(last) is None)
    supervisor.send(signal.SIGTERM)
    assert supervisor.wait() == 0
    wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids(log)))


def test_a_pool_gives_queues_their_own_workers(start, tmp_path):
    log, go = tmp_path / "log", tmp_path / "go"
    for queue in ("slow", "slow", "slow", "mail"):
        jobs.enqueue(Wait(str(log), str(go), queue), queue=queue)
    supervisor = start(
        "jobworker", "--pool", "slow:2", "--pool", "mail,other", "--exit-on-complete"
    )
    wait_for(lambda: len(lines(log)) == 3, what="two slow ones and one mail began")
    assert sorted(line.split()[1] for line in lines(log)) == ["mail", "slow", "slow"]
    go.touch()
    assert supervisor.wait() == 0
    assert not Job.objects.exists()


def test_workers_end_when_their_supervisor_is_killed(start, tmp_path):
    log, go = tmp_path / "log", tmp_path / "go"
    jobs.enqueue(Wait(str(log), str(go)))
    supervisor = start("jobworker", "--processes", "1")
    wait_for(lambda: lines(log))
    supervisor.kill()
    wait_for(lambda: "The supervisor is gone" in supervisor.output)
    go.touch()
    wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids(log)))
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--processes", "0"], 2, "argument --processes: '0' is not a whole number, 1 or more"),
        (["--concurrency", "x"], 2, "argument --concurrency: 'x' is not a whole number, 1 or more"),
        (["--pool", "a:0"], 2, "argument --pool: '0' is not a whole number, 1 or more"),
        (["--pool", "a:many"], 2, "argument --pool: 'many' is not a whole number, 1 or more"),
        (["--sleep-delay=-1"], 2, "argument --sleep-delay: '-1' is not a number of seconds"),
        (["--sleep-delay", "nan"], 2, "argument --sleep-delay: 'nan' is not a number of seconds"),
        (["--pool", "a", "--processes", "2"], 1, "--pool says which queues and how many processes"),
    ],
)
def test_flags_that_make_no_sense_are_refused_in_one_line(start, arguments, status, said):
    worker = start("jobworker", *arguments)
    assert worker.wait() == status
    assert said in worker.output.splitlines()[-1]
    assert "Traceback" not in worker.output


def test_a_wrong_setting_ends_the_supervisor_instead_of_a_loop_of_starts(start):
    worker = start("jobworker", "--processes", "2", JOBS_PLUGINS="jobs.nothing")
    assert worker.wait() == 1
    assert "jobs.nothing" in worker.output
