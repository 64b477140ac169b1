"""What a test leaves nothing of: loops, and the threads that they made."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.db import connections

from tests.processes import wait_for

T = TypeVar("T")


def in_a_loop(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs it; the connections of the loop's thread are closed then."""

    async def run() -> T:
        try:
            return await coroutine
        finally:
            await sync_to_async(connections.close_all)()

    return asyncio.run(run())


def listeners_have_ended() -> None:
    """They end by themselves within a second, and have a connection until then."""
    wait_for(lambda: all(each.name != "jobs-listener" for each in threading.enumerate()))
