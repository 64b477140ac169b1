"""Jobs that leave something behind, fork, or raise what nobody expects."""

from __future__ import annotations

import asyncio
import atexit
import ctypes
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.pool import ThreadPool
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connection, transaction

import jobs
from tests.samples import Unreadable, append


def child_sleeps(path: str) -> None:
    append(path, f"child {os.getpid()}")
    time.sleep(60)


@dataclass
class Leave(jobs.Performable):
    """Leaves `what` behind.

    Fails afterwards, in perform() or in after(), if told to.
    """

    what: str
    fails_in: str = ""

    def perform(self) -> None:
        getattr(self, f"leave_{self.what}")()
        if self.fails_in == "perform":
            raise RuntimeError("the job's own error")

    def after(self) -> None:
        if self.fails_in == "after":
            raise RuntimeError("the job's own error")

    def leave_transaction(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")

    def leave_autocommit(self) -> None:
        transaction.set_autocommit(False)

    def leave_atomic(self) -> None:
        transaction.atomic().__enter__()

    def leave_broken(self) -> None:
        connection.ensure_connection()
        connection.connection.close()


@dataclass
class Fork(jobs.Performable):
    """Forks in one of the usual ways. The child and the parent each leave a line."""

    how: str
    log: str

    def perform(self) -> None:
        getattr(self, self.how)()
        append(self.log, f"performed {os.getpid()}")

    def returns(self) -> None:
        if os.fork():
            os.wait()

    def exits(self) -> None:
        pid = os.fork()
        if pid == 0:
            sys.exit(7)
        append(self.log, f"status {os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}")

    def raises(self) -> None:
        pid = os.fork()
        if pid == 0:
            raise RuntimeError("in the child")
        append(self.log, f"status {os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}")

    def terminated(self) -> None:
        context = multiprocessing.get_context("fork")
        process = context.Process(target=child_sleeps, args=(self.log,))
        process.start()
        while not os.path.exists(self.log):
            time.sleep(0.02)
        process.terminate()
        process.join()
        append(self.log, f"status {process.exitcode}")

    def pool(self) -> None:
        pool = multiprocessing.get_context("fork").Pool(2)
        append(self.log, f"sum {sum(pool.map(abs, [-1, -2, -3]))}")
        # Not `with`, whose end kills a child that may hold what the other waits for.
        pool.close()
        pool.join()

    def preexec(self) -> None:
        done = subprocess.run(["true"], preexec_fn=os.setsid, check=False)
        append(self.log, f"status {done.returncode}")

    def thread(self) -> None:
        thread = threading.Thread(target=self.exits)
        thread.start()
        thread.join()

    def executor(self) -> None:
        with ThreadPoolExecutor(1) as executor:
            for step in (self.exits, self.raises, self.forks):
                executor.submit(step).result()

    def forks(self) -> None:
        pid = os.fork()
        if pid:
            append(self.log, f"status {os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}")

    def thread_pool(self) -> None:
        with ThreadPool(1) as pool:
            several = [pool.apply_async(self.forks) for _ in range(3)]
            for each in several:
                each.get()

    def queries(self) -> None:
        """The child uses the database, on a connection of its own."""
        pid = os.fork()
        if pid == 0:
            append(self.log, f"rows {jobs.Job.objects.count()}")
            return
        os.waitpid(pid, 0)
        append(self.log, f"rows {jobs.Job.objects.count()}")


@dataclass
class AsynchronousFork(Fork):
    """Forks in a coroutine, or in a thread that one waits for."""

    async def perform(self) -> None:
        await getattr(self, f"asynchronously_{self.how}")()
        append(self.log, f"performed {os.getpid()}")

    async def asynchronously_returns(self) -> None:
        self.forks()

    async def asynchronously_exits(self) -> None:
        self.exits()

    async def asynchronously_raises(self) -> None:
        self.raises()

    async def asynchronously_awaits(self) -> None:
        pid = os.fork()
        await asyncio.sleep(0.6)  # longer than the waiting thread's look
        if pid:
            append(self.log, f"status {os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}")

    async def asynchronously_to_thread(self) -> None:
        await asyncio.to_thread(self.exits)

    async def asynchronously_to_sync(self) -> None:
        await sync_to_async(self.exits)()

    async def asynchronously_task(self) -> None:
        await asyncio.create_task(self.asynchronously_exits())


@dataclass
class LeaveThread(jobs.Performable):
    """Leaves a thread that would keep the process from ending for an hour."""

    log: str

    def perform(self) -> None:
        threading.Thread(target=time.sleep, args=(3600,), name="left-behind").start()
        append(self.log, "performed")


@dataclass
class Linger(jobs.Performable):
    """Leaves something that keeps its process from ending."""

    how: str
    log: str

    def perform(self) -> None:
        getattr(self, self.how)()
        append(self.log, "performed")

    def process(self) -> None:
        context = multiprocessing.get_context("fork")
        context.Process(target=_sleep_beside, args=(os.getpid(),), name="left-behind").start()

    def executor(self) -> None:
        self.kept = ThreadPoolExecutor(1, thread_name_prefix="left-behind")
        self.kept.submit(time.sleep, 3600)

    def exit_handler(self) -> None:
        atexit.register(_left_behind)

    def stuck_exit_handler(self) -> None:
        atexit.register(_left_behind_in_c)

    def of_threading(self) -> None:
        threading._register_atexit(_left_behind)


def _sleep_beside(parent: int) -> None:
    """As long as that process is there."""
    while os.getppid() == parent:
        time.sleep(0.1)


def _left_behind() -> None:
    time.sleep(3600)


def _left_behind_in_c() -> None:
    ctypes.PyDLL(None).sleep(3600)  # keeps the interpreter's lock


@dataclass
class Raise(jobs.Performable):
    """Raises a BaseException in a place that is not perform()."""

    place: str
    kind: str = "exit"

    def _here(self, place: str) -> None:
        if self.place == place:
            raise {
                "exit": SystemExit("KEY missing"),
                "interrupt": KeyboardInterrupt(),
                "unreadable": Unreadable(),
            }[self.kind]

    def perform(self) -> None:
        self._here("perform")
        if self.place in ("max_attempts", "reschedule_at", "destroy_failed_jobs", "failure"):
            raise RuntimeError("it broke")

    @property
    def max_attempts(self) -> int | None:
        self._here("max_attempts")
        return 1 if self.place in ("failure", "destroy_failed_jobs") else None

    def destroy_failed_jobs(self) -> bool:
        self._here("destroy_failed_jobs")
        return False

    def reschedule_at(self, now: Any, attempts: int) -> Any:
        self._here("reschedule_at")
        return now

    def before(self) -> None:
        self._here("before")

    def after(self) -> None:
        self._here("after")

    def error(self) -> None:
        self._here("error")

    def failure(self) -> None:
        self._here("failure")


def _is_worker() -> bool:
    return "jobworker" in sys.argv


class ForksInAProperty(jobs.Performable):
    """Forks while a hook is looked up; the child goes on like its parent."""

    @property
    def before(self) -> None:
        if _is_worker() and os.fork():
            os.wait()

    def perform(self) -> None:
        pass
