"""The app."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "jobs"
    verbose_name = "Delayed jobs"

    def ready(self) -> None:
        from jobs import checks  # noqa: F401
