"""Many at once: threads and real processes that enqueue one key, and that take jobs
from one queue.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection, connections, transaction

import jobs
from jobs.models import Job
from tests.processes import ROOT, environment, lines, wait_for
from tests.samples import Record, append

pytestmark = pytest.mark.django_db(transaction=True)

on_sql = pytest.mark.skipif(
    connection.vendor in ("mongodb", "djongo"), reason="no transactions that Django knows of"
)

#: Waits for a line on its standard input, so that all begin at once; prints the keys of
#: the jobs it got.
ENQUEUE = """
import json, sys, django
django.setup()
import jobs
from django.db import transaction
from tests.conformance.test_races import Keyed
print("up", flush=True)
sys.stdin.readline()
found = []
for number in range(10):
    twice = [Keyed(f"key {number}"), Keyed(f"key {number}")]
    found.append([job.pk for job in jobs.enqueue_many(twice)])
    with transaction.atomic():
        found[-1].append(jobs.enqueue(Keyed(f"key {number}")).pk)
print(json.dumps(found, default=str))
"""


@dataclass
class Keyed(jobs.Performable):
    unique_key: str

    def perform(self) -> None: ...


def at_once(functions: list[Callable[[], Any]]) -> list[Any]:
    """Calls them in threads that begin together.

    Returns what each returned or raised.
    """
    results: list[Any] = [None] * len(functions)
    barrier = threading.Barrier(len(functions))

    def run(index: int) -> None:
        try:
            barrier.wait(120)
            results[index] = functions[index]()
        except BaseException as error:
            results[index] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(180)
    return results


def test_threads_that_enqueue_one_key_all_get_the_one_job():
    one, many = lambda: jobs.enqueue(Keyed("k")), lambda: jobs.enqueue_many([Keyed("k")])[0]
    found = at_once([one, one, many] * 4)
    job = Job.objects.get()
    assert [getattr(one, "pk", one) for one in found] == [job.pk] * 12
    assert sorted(one.already_enqueued for one in found) == [False] + [True] * 11


def test_processes_and_threads_that_enqueue_the_same_keys_all_get_the_same_jobs():
    command = [sys.executable, "-c", ENQUEUE]
    settings = environment(DJANGO_SETTINGS_MODULE="project.settings")
    children = [
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=settings,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    try:
        for child in children:
            assert child.stdout.readline() == "up\n"
        for child in children:
            child.stdin.write("go\n")
            child.stdin.flush()
        own = at_once(
            [
                lambda number=number: jobs.enqueue(Record(), unique_key=f"key {number}")
                for number in range(10)
            ]
        )
        told = [json.loads(child.communicate(timeout=180)[0]) for child in children]
    finally:
        for child in children:
            child.kill()
            child.communicate()
    assert Job.objects.count() == 10
    holders = {job.unique_key: str(job.pk) for job in Job.objects.all()}
    for number in range(10):
        expected = holders[f"key {number}"]
        assert str(own[number].pk) == expected
        assert [list(map(str, keys[number])) for keys in told] == [[expected] * 3] * 3


@on_sql
def test_what_is_rolled_back_was_never_enqueued():
    with transaction.atomic():
        jobs.enqueue(Record(), unique_key="k")
        jobs.enqueue_many([Record(), Record()])
        assert Job.objects.count() == 3
        transaction.set_rollback(True)
    assert not Job.objects.exists()
    assert jobs.enqueue(Record(), unique_key="k").already_enqueued is False


@on_sql
def test_a_key_that_is_held_does_not_end_the_callers_transaction():
    first = jobs.enqueue(Record(), unique_key="k")
    with transaction.atomic():
        other = jobs.enqueue(Record())
        assert jobs.enqueue(Record(), unique_key="k").pk == first.pk
        assert [job.pk for job in jobs.enqueue_many([Keyed("k"), Keyed("k")])] == [first.pk] * 2
    assert set(Job.objects.values_list("pk", flat=True)) == {first.pk, other.pk}


@on_sql
def test_a_key_in_an_open_transaction_makes_others_wait_and_is_free_after_its_rollback():
    held, released = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            jobs.enqueue(Record("rolled back"), unique_key="k")
            held.set()
            released.wait(120)
            transaction.set_rollback(True)

    def enqueue() -> Any:
        assert held.wait(120)
        threading.Timer(0.3, released.set).start()
        job = jobs.enqueue(Record("kept"), unique_key="k")
        assert released.is_set(), "it didn't wait"
        return job

    _, job = at_once([hold, enqueue])
    assert job.already_enqueued is False
    assert Job.objects.get().pk == job.pk


@on_sql
def test_a_job_that_leaves_a_transaction_open_does_not_take_its_outcome_into_it(settings):
    jobs.enqueue(LeaveOpen())
    assert jobs.Worker().work_off() == (1, 0)
    connections.close_all()
    assert not Job.objects.exists()


class LeaveOpen(jobs.Performable):
    def perform(self) -> None:
        transaction.set_autocommit(False)
        Job.objects.exists()


def test_threads_and_processes_take_each_job_once_and_each_in_order(start, tmp_path):
    log = tmp_path / "log"
    jobs.enqueue_many([Note(str(log), number) for number in range(20)], priority=5)
    jobs.enqueue_many([Note(str(log), number) for number in range(20, 40)], priority=-5)
    jobs.enqueue_many([Note(str(log), number) for number in range(40, 60)])
    # Nobody dies here, so nobody may be taken for dead.
    processes = [start("jobworker", "--exit-on-complete", JOBS_LEASE="3600") for _ in range(2)]
    at_once([jobs.Worker().work_off for _ in range(3)])
    assert [process.wait() for process in processes] == [0, 0]
    wait_for(lambda: not Job.objects.exists())
    taken = [line.split() for line in lines(log)]
    assert sorted(int(number) for number, _, _ in taken) == list(range(60))
    by_worker = defaultdict(list)
    for number, priority, worker in taken:
        by_worker[worker].append((int(priority), int(number)))
    for order in by_worker.values():
        assert order == sorted(order)


@dataclass
class Note(jobs.Performable):
    path: str
    number: int

    def before(self, job: Any) -> None:
        self.line = f"{self.number} {job.priority} {job.locked_by.replace(' ', '_')}"

    def perform(self) -> None:
        append(self.path, self.line)
