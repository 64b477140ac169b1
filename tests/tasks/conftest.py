"""Tests of `django.tasks` run where Django has it, or the backport is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HAVE_TASKS = any(
    importlib.util.find_spec(name.partition(".")[0]) and importlib.util.find_spec(name)
    for name in ("django.tasks", "django_tasks")
)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return None if HAVE_TASKS else True


@pytest.fixture(autouse=True)
def _promoted_once_a_pass(promoted_once_a_pass: None) -> None: ...


@pytest.fixture(autouse=True)
def told() -> Iterator[list[tuple[str, Any, Any]]]:
    """Every signal: its name, its sender, and the result as it was then."""
    from jobs.tasks import compat
    from tests.tasks import work
    from tests.tasks.loops import listeners_have_ended

    heard: list[tuple[str, Any, Any]] = []
    receivers = []
    for name in ("task_enqueued", "task_started", "task_finished"):

        def receive(sender: Any, task_result: Any, name: str = name, **kwargs: Any) -> None:
            heard.append((name, sender, task_result))

        getattr(compat.signals, name).connect(receive)
        receivers.append((name, receive))
    work.replies.clear()
    yield heard
    for name, receive in receivers:
        getattr(compat.signals, name).disconnect(receive)
    listeners_have_ended()
