"""System checks: `manage.py check` names a wrong setting before a job meets it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import django
from django.apps import apps
from django.conf import settings as django_settings
from django.core import checks
from django.utils.module_loading import import_string

from jobs.conf import settings
from jobs.conf.strength import weakness

TASKS_BACKEND = "jobs.tasks.JobsBackend"


@checks.register("jobs")
def check_settings(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    return list(settings.check())


@checks.register("jobs")
def check_priorities(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    try:
        least, most = settings.MIN_PRIORITY, settings.MAX_PRIORITY
    except (TypeError, ValueError):
        return []  # named by check_settings
    if least is None or most is None or least <= most:
        return []
    return [
        checks.Error(
            f"JOBS['MIN_PRIORITY'] is {least} and JOBS['MAX_PRIORITY'] is {most}, so no job "
            "would ever be taken: make the minimum the smaller one.",
            id="jobs.E008",
        )
    ]


@checks.register("jobs")
def check_time_zone(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    if django_settings.USE_TZ:
        return []
    return [
        checks.Error(
            "The queue needs USE_TZ = True, because it compares instants of several machines.",
            id="jobs.E004",
        )
    ]


@checks.register("jobs")
def check_keys(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """A weak key of SIGNING_KEYS is an error.

    Without any, a weak SECRET_KEY or fallback is a warning, because a site may have
    lived with it for long. With DEBUG, those of SIGNING_KEYS are a warning, and
    Django's are left alone, because every new project has a weak one.
    """
    debug = django_settings.DEBUG
    try:
        own = settings.SIGNING_KEYS
    except (TypeError, ValueError):
        return []  # named by check_settings
    if own is not None:
        return _weak("JOBS['SIGNING_KEYS'][{}]", own, checks.WARNING if debug else checks.ERROR)
    if debug:
        return []
    fallbacks = getattr(django_settings, "SECRET_KEY_FALLBACKS", ())
    return [
        *_weak("SECRET_KEY", [django_settings.SECRET_KEY], checks.WARNING),
        *_weak("SECRET_KEY_FALLBACKS[{}]", fallbacks, checks.WARNING),
    ]


def _weak(name: str, keys: Iterable[Any], level: int) -> list[checks.CheckMessage]:
    return [
        checks.CheckMessage(
            level,
            f"{name.format(place)} {weak}, and it signs what workers execute.",
            hint="Use 50 random characters, as `python -c 'import secrets; "
            "print(secrets.token_urlsafe(50))'` prints them, and keep the old key behind "
            "the new one until no stored job is signed with it.",
            id="jobs.E007" if level == checks.ERROR else "jobs.W005",
        )
        for place, key in enumerate(keys)
        if (weak := weakness(key))
    ]


@checks.register("jobs")
def check_tasks(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Before Django 6.0, the app of the backport has the backends check themselves."""
    entries = getattr(django_settings, "TASKS", None) or {}
    ours = [alias for alias, entry in entries.items() if entry.get("BACKEND") == TASKS_BACKEND]
    if not ours or django.VERSION >= (6, 0) or apps.is_installed("django_tasks"):
        return []
    return [
        checks.Error(
            f"TASKS[{ours[0]!r}] names {TASKS_BACKEND!r}, which needs the app 'django_tasks' "
            "before Django 6.0.",
            hint="pip install 'django-delayed-batch[tasks]', and add 'django_tasks' to "
            "INSTALLED_APPS.",
            id="jobs.E010",
        )
    ]


@checks.register("jobs")
def check_plugins(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    from jobs.lifecycle import Plugin

    try:
        paths = settings.PLUGINS
    except (TypeError, ValueError):
        return []  # named by check_settings
    found: list[checks.CheckMessage] = []
    for path in paths:
        try:
            plugin = import_string(path)
        except ImportError as error:
            found.append(
                checks.Error(
                    f"JOBS['PLUGINS'] names {path!r}, which can't be imported: {error}.",
                    id="jobs.E003",
                )
            )
            continue
        if not (isinstance(plugin, type) and issubclass(plugin, Plugin)):
            found.append(
                checks.Error(
                    f"JOBS['PLUGINS'] names {path!r}, which is not a jobs.Plugin.", id="jobs.E003"
                )
            )
    return found
