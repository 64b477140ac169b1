"""Asynchronous methods of job objects, run to their end by a synchronous queue."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async

from jobs.children import kept_out
from jobs.exceptions import Interruption, Terminated
from jobs.threads import raise_in

#: For how many seconds a coroutine may clean up after it was interrupted.
CLEANING_UP = 5.0
#: For how many seconds one that blocks its loop is waited for, if the process ends.
INTERRUPTED = 1.0
#: How often a thread that waits for a coroutine looks whether it is interrupted.
LOOK = 0.25


def finished(result: Any) -> Any:
    """What a function returned, or what comes of it if that is awaitable.

    Raises TypeError for a generator: nobody would run it.
    """
    if result is None:
        return None
    if inspect.isawaitable(result):
        return _awaited(result)
    if inspect.isgenerator(result) or inspect.isasyncgen(result):
        raise TypeError(
            f"{result.__qualname__} is a generator, which the queue doesn't run: "
            "leave out its `yield`."
        )
    return result


def _awaited(awaitable: Awaitable[Any]) -> Any:
    """Runs in a loop of another thread; its synchronous calls, such as those of the
    ORM, run in this one.
    """
    tasks: list[_Task] = []
    ended = threading.Event()

    async def guarded() -> tuple[Any, BaseException | None]:
        try:
            with kept_out():  # or a child's loop would never end, for want of a thread
                return await awaitable, None
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # SystemExit would break the loop
            return None, error

    async def run() -> tuple[Any, BaseException | None]:
        task = asyncio.ensure_future(guarded())
        tasks.append(_Task())
        try:
            while not (await asyncio.wait({task}, timeout=LOOK))[0]:
                # Lets the waiting thread run a step of Python, where it can be
                # interrupted.
                await sync_to_async(_nothing)()
            return task.result()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})
            ended.set()

    try:
        result, error = async_to_sync(run)()
    except BaseException as raised:
        # A time limit or a signal strikes this thread: the loop's has to be told.
        for begun in tasks:
            if not ended.is_set():
                begun.end(ended, at_once=isinstance(raised, Terminated))
        if not tasks and inspect.iscoroutine(awaitable):
            awaitable.close()  # it never began
        raise
    if error is not None:
        raise error
    return result


class _Task:
    """The current task, as another thread sees it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task: Any = asyncio.current_task()
        self._thread = threading.get_ident()

    def end(self, ended: threading.Event, *, at_once: bool) -> None:
        """Cancels the task. One that blocks its loop is interrupted, too.

        If it blocks in C, it is waited for, because nothing may be recorded while it
        goes on: the keeper ends the process. `at_once`: the process ends anyway.
        """
        self._loop.call_soon_threadsafe(self._task.cancel)
        if not ended.wait(CLEANING_UP):
            raise_in(self._thread, _Interrupt)
            ended.wait(INTERRUPTED if at_once else None)


class _Interrupt(Interruption):
    """Raised in the loop's thread, where only a class can be raised."""


def _nothing() -> None:
    pass
