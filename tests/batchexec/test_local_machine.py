"""What happens on localbatch's machine while something else does: its threads, and
processes that are just about to start.
"""

from __future__ import annotations

import threading
from collections import UserDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from batchexec.local import container
from batchexec.local.leftovers import ProcessGroups
from batchexec.local.logs import Logs
from batchexec.local.machine import Machine
from batchexec.local.server import LocalBatch
from tests.batchexec.local_helpers import Batch
from tests.processes import wait_for

#: Seconds in which another thread would do what it isn't to do.
A_MOMENT = 0.3
Thread = threading.Thread


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    no_logs: Any = None
    return Machine(tmp_path, ProcessGroups(tmp_path), no_logs)


def test_closing_waits_for_the_very_end_of_a_thread(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_worked, joined = threading.Event(), threading.Event()
    made: list[Thread] = []

    class Lingering(Thread):
        def run(self) -> None:
            made.append(self)
            super().run()
            has_worked.set()
            joined.wait(120)

        def join(self, timeout: float | None = None) -> None:
            joined.set()
            super().join(timeout)

    monkeypatch.setattr(threading, "Thread", Lingering)
    machine.thread("x", lambda: None)
    assert has_worked.wait(120)
    try:
        machine.close(0)
        assert not made[0].is_alive()
    finally:
        joined.set()


def test_closing_waits_for_a_thread_that_is_about_to_start(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(int).result()  # its thread is there
        closing: list[Any] = []

        class Late(Thread):
            def start(self) -> None:
                closing.append(elsewhere.submit(machine.close, 0))
                wait(closing, A_MOMENT)
                super().start()

        monkeypatch.setattr(threading, "Thread", Late)
        worked = threading.Event()
        machine.thread("x", worked.set)
        closing[0].result(120)
        assert worked.is_set()


def test_a_container_that_begins_after_the_grace_is_killed_too(
    local_batch: Callable[..., LocalBatch], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    begun, told = threading.Event(), threading.Event()
    start = Machine.start

    def late(*arguments: Any) -> Any:
        started = start(*arguments)
        wait_for((tmp_path / "ready").exists)
        begun.set()
        told.wait(120)
        return started

    monkeypatch.setattr(Machine, "start", late)
    server = local_batch(start_delay=0, stop_grace=0)
    batch = Batch(server.url)
    job = batch.submit(
        "sh", "-c", f"trap '' TERM; touch {tmp_path}/ready; while :; do sleep 1; done"
    )
    assert begun.wait(120)
    batch.client.terminate_job(jobId=job, reason="x")
    grace_is_over = threading.Event()
    server._timers.after(0, grace_is_over.set)
    assert grace_is_over.wait(120)
    told.set()
    assert batch.finished(job)["container"]["exitCode"] == 137


def test_a_log_group_is_made_by_one_at_a_time(tmp_path: Path) -> None:
    both = threading.Barrier(2)
    met: list[str] = []

    def create(region: str, group: str) -> None:
        try:
            both.wait(A_MOMENT)
        except threading.BrokenBarrierError:
            return
        met.append(group)

    cloud: Any = SimpleNamespace(create_log_group=create, has_log_group=lambda *_: True)
    timers: Any = None
    logs = Logs(cloud, tmp_path, timers, echo=False)
    job: Any = SimpleNamespace(log_options={}, region="us-east-1")
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(logs.has_group, [job, job])) == [True, True]
    assert met == []


def test_a_variable_may_go_while_a_container_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    class Vanishing(UserDict[str, str]):
        def __iter__(self) -> Iterator[str]:
            return iter([*self.data, "GONE"])

    monkeypatch.setattr(container.os, "environ", Vanishing({"A": "a", "AWS_B": "b"}))
    assert container.base_environment() == {"A": "a"}
