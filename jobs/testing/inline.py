"""Jobs performed where they are enqueued."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.test import override_settings


class inline(override_settings):
    """In the block, every job is performed at once; or in the function, coroutine or
    class of Django's tests that it decorates.

    It is serialized and signed first, so that a job which can't be stored fails here,
    too. Its exceptions reach the caller, and it is not tried again. Further keys of
    `JOBS` may be given.
    """

    def __init__(self, **settings_of_jobs: Any):
        super().__init__()
        self._of_jobs = settings_of_jobs

    def enable(self) -> None:
        self._read()
        super().enable()

    def decorate_class(self, cls: Any) -> Any:
        self._read()
        return super().decorate_class(cls)

    def _read(self) -> None:
        given = {**getattr(settings, "JOBS", {}), "DELAY_JOBS": False, **self._of_jobs}
        self.options = {"JOBS": given}
