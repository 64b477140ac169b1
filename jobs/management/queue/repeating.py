"""`--watch`: looks again and again, until Ctrl-C."""

from __future__ import annotations

import io
import shutil
import time
from collections.abc import Callable

from django.core.management.base import OutputWrapper

from jobs.management.failures import explained
from jobs.management.queue.console import DONE, Console, Options
from jobs.models import Job
from jobs.store import store_for

Action = Callable[[Console, Options], int]

#: To the upper left corner; to the end of the line; to the end of the screen.
HOME, REST_OF_LINE, REST_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"
CLEAR = "\x1b[2J"


def repeat(action: Action, out: OutputWrapper, console: Console, options: Options) -> int:
    """On a terminal each look takes the place of the last one; else they follow each
    other.

    While the database is away, it says so and looks on.
    """
    is_screen = out.isatty() and not options["json"]
    if is_screen:
        out.write(CLEAR, ending="")
    try:
        while True:
            shown = _look(action, console, options)
            out.write(_as_screen(shown) if is_screen else shown, ending="")
            out.flush()
            time.sleep(options["watch"])
            if not (is_screen or options["json"]):
                out.write("")
    except KeyboardInterrupt:
        return DONE


def _look(action: Action, console: Console, options: Options) -> str:
    buffer = io.StringIO()
    frame = OutputWrapper(buffer)
    width = shutil.get_terminal_size().columns if console.width else None
    looking = Console(frame, frame, width=width, has_colours=console.has_colours)
    try:
        action(looking, options)
    except Exception as error:
        store = store_for(Job)
        if not store.is_unavailable(error):
            raise
        looking.complain(explained(error))
        store.reconnect()
    return buffer.getvalue()


def _as_screen(text: str) -> str:
    """As many lines as there is room for, over what is there."""
    room = max(shutil.get_terminal_size().lines - 1, 1)
    lines = text.splitlines()
    if len(lines) > room:
        left_out = len(lines) - room + 1
        lines = [*lines[: room - 1], f"({left_out:,} more lines)"]
    return HOME + "".join(f"{line}{REST_OF_LINE}\n" for line in lines) + REST_OF_SCREEN
