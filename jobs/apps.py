"""The app: refuses to start where it can't work, with one sentence that says why."""

from __future__ import annotations

from typing import Any

import django
from django.apps import AppConfig, apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

#: djongo's alone is older: see docs/djongo.md.
OLDEST_DJANGO = (5, 2)


class JobsConfig(AppConfig):
    name = "jobs"
    verbose_name = "Delayed jobs"

    def __init__(self, app_name: str, app_module: Any) -> None:
        super().__init__(app_name, app_module)
        _refuse_another_app_of_this_label(self)

    def ready(self) -> None:
        _refuse_an_old_django()
        from jobs import checks, database_checks  # noqa: F401


def _refuse_another_app_of_this_label(ours: AppConfig) -> None:
    """Django's own sentence doesn't say whose label it is, nor what to do."""
    before = apps.app_configs.get(ours.label)
    if before is not None and before.name != ours.name:
        raise _label_is_taken(ours, before.name)
    for entry in settings.INSTALLED_APPS:
        if ours.label in entry.split(".") and entry.split(".")[0] != ours.name:
            other = AppConfig.create(entry)
            if other.label == ours.label:
                raise _label_is_taken(ours, other.name)


def _label_is_taken(ours: AppConfig, name: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(
        f"The app {name!r} has the label {ours.label!r}, which is django-delayed-batch's: give "
        "yours another label in its AppConfig, as docs/getting-started.md describes."
    )


def _refuse_an_old_django() -> None:
    engines = {database.get("ENGINE") for database in settings.DATABASES.values()}
    if django.VERSION < OLDEST_DJANGO and "djongo" not in engines:
        raise ImproperlyConfigured(
            f"Django {django.get_version()} is too old for django-delayed-batch: "
            f"pip install 'django>={'.'.join(map(str, OLDEST_DJANGO))}'."
        )
