"""System checks: `manage.py check` names a wrong setting before a job meets it."""

from __future__ import annotations

from typing import Any

from django.conf import settings as django_settings
from django.core import checks
from django.utils.module_loading import import_string

from jobs.conf import settings


@checks.register("jobs")
def check_settings(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    return list(settings.check())


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
