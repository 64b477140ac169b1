"""A task before it is enqueued: the decorator, `using`, calls, and what is refused."""

from __future__ import annotations

import dataclasses
import datetime as dt
import pickle
from typing import Any

import django
import pytest
from django.test import override_settings
from django.utils.module_loading import import_string

from jobs.tasks import JobsBackend, compat
from tests.tasks import backends, work
from tests.tasks.loops import in_a_loop

QUEUES = {"default": {"BACKEND": "jobs.tasks.JobsBackend", "QUEUES": ["default", "mail"]}}
NOW = dt.datetime(2030, 1, 1, tzinfo=dt.timezone.utc)


def test_the_backend_of_the_settings_is_found_with_its_alias_and_options():
    tasks = {
        **QUEUES,
        "other": {"BACKEND": "jobs.tasks.JobsBackend", "OPTIONS": {"max_attempts": 2}},
    }
    with override_settings(TASKS=tasks):
        default, other = (compat.task_backends[alias] for alias in tasks)
        assert type(default) is type(other) is JobsBackend
        assert default == import_string(f"{compat.NAME}.default_task_backend")
        assert [(each.alias, each.options) for each in (default, other)] == [
            ("default", {}),
            ("other", {"max_attempts": 2}),
        ]
        assert default.check() == other.check() == []
        assert work.add.get_backend() is default
        assert work.add.using(backend="other").get_backend() is other


@pytest.mark.parametrize(
    "declared",
    [work.task(work.plain), work.task()(work.plain), work.think, work.look],
    ids=range(4),
)
def test_a_decorator_makes_a_task_with_or_without_parentheses(declared):
    assert isinstance(declared, compat.Task)
    assert dataclasses.replace(declared) == declared
    assert (declared.priority, declared.queue_name, declared.backend, declared.run_after) == (
        *(0, "default", "default", None),
    )


@pytest.mark.parametrize("task", [work.add, work.think, work.mail])
def test_a_task_has_the_name_and_path_of_its_function_and_is_found_there(task):
    assert task.name == task.func.__name__
    assert task.module_path == f"tests.tasks.work.{task.name}"
    assert import_string(task.module_path) is task


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"priority": 1},
        {"priority": -100},
        {"priority": 100},
        {"priority": 2.0},
        {"queue_name": "mail"},
        {"run_after": NOW},
        {"backend": "default"},
        {"priority": 5, "queue_name": "mail", "run_after": NOW},
    ],
    ids=str,
)
def test_using_makes_another_task_and_leaves_the_first_alone(changes):
    before = {each.name: getattr(work.add, each.name) for each in dataclasses.fields(work.add)}
    changed = work.add.using(**changes)
    assert changed is not work.add
    expected = {**before, **changes}
    assert {name: getattr(changed, name) for name in before} == expected
    assert {name: getattr(work.add, name) for name in before} == before
    assert (changed == work.add) == (expected == before)
    # Once more, on the new one: what isn't named stays.
    again = changed.using(priority=9)
    assert {name: getattr(again, name) for name in before} == {**expected, "priority": 9}


WHOLE = "priority must be a whole number between -100 and 100"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"priority": -101}, WHOLE),
        ({"priority": 101}, WHOLE),
        ({"priority": 3.1}, WHOLE),
        ({"run_after": dt.datetime(2030, 1, 1)}, "run_after must be an aware datetime"),
        ({"queue_name": "queue-2"}, "Queue 'queue-2' is not valid for backend"),
    ],
    ids=str,
)
def test_what_the_backend_can_not_do_is_invalid_in_the_words_of_django(changes, message):
    with override_settings(TASKS=QUEUES), pytest.raises(compat.InvalidTask, match=message):
        work.add.using(**changes)


def test_without_queues_in_the_settings_a_queue_may_have_any_name():
    with override_settings(TASKS={"default": {**QUEUES["default"], "QUEUES": []}}):
        assert work.add.using(queue_name="queue-2").queue_name == "queue-2"


@pytest.mark.parametrize(
    ("alias", "message"),
    [
        ("unknown", "The connection 'unknown' doesn't exist"),
        ("missing", "Could not find backend 'does.not.exist': No module named 'does'"),
    ],
)
def test_a_backend_that_is_not_there_is_an_invalid_backend(alias, message):
    tasks = {**QUEUES, "missing": {"BACKEND": "does.not.exist"}}
    with override_settings(TASKS=tasks):
        with pytest.raises(compat.InvalidTaskBackend, match=message):
            work.add.using(backend=alias)
        with pytest.raises(compat.InvalidTaskBackend):
            work.task(backend=alias)(work.plain)


def test_without_any_backend_nothing_is_enqueued():
    with override_settings(TASKS={}), pytest.raises(compat.InvalidTaskBackend):
        work.add.enqueue(1)


class Methods:
    def method(self) -> None:
        pass


def inner_functions() -> tuple[Any, Any]:
    def inner() -> None:
        pass

    return inner, lambda: None


@pytest.mark.parametrize(
    "function",
    [any, isinstance, Methods().method, *inner_functions(), Methods],
    ids=["builtin", "another builtin", "method", "inner", "lambda", "class"],
)
def test_what_is_no_function_of_a_module_is_invalid(function):
    with pytest.raises(compat.InvalidTask):
        work.task()(function)


def test_a_lambda_of_a_module_has_no_path_and_is_invalid_when_it_is_enqueued():
    with pytest.raises(compat.InvalidTask, match="<lambda> can't be imported"):
        work.task(work.nameless).enqueue()


@pytest.mark.parametrize("function", [work.plain, work.die.func, work.echo.func])
def test_a_task_that_takes_the_context_names_its_first_argument_so(function):
    with pytest.raises(compat.InvalidTask, match="first argument"):
        work.task(takes_context=True)(function)


def test_an_instant_can_not_be_given_to_the_decorator():
    with pytest.raises(TypeError, match="run_after"):
        work.task(run_after=NOW)(work.plain)


def test_a_task_is_called_where_it_is():
    async def both() -> list[Any]:
        return [await work.plain_task.acall(2), await work.echo.acall(3)]

    assert work.plain_task.call(2) == 2
    assert work.echo.call(3) == 3  # a coroutine is run to its end
    assert in_a_loop(both()) == [2, 3]


def test_a_backend_of_your_own_may_refuse_what_this_one_takes():
    path = f"{backends.__name__}.Narrow"
    with override_settings(TASKS={"default": {"BACKEND": path, "QUEUES": []}}):
        for task, changes in ((work.think, {}), (work.add, {"priority": 1})):
            with pytest.raises(compat.InvalidTask, match="does not support"):
                task.using(**changes)
        assert work.add.using(queue_name="x").get_backend().supports_get_result


@pytest.mark.skipif(django.VERSION < (6, 1), reason="Django 6.1 pickles tasks.")
def test_a_task_survives_pickle_as_what_its_path_names():
    task = work.mail.using(priority=3, run_after=NOW)
    assert pickle.loads(pickle.dumps(task)) == task
    for path in ("does.not.exist", "builtins.any"):
        with pytest.raises(ValueError, match=path):
            compat.Task._reconstruct({"func": path})
