from __future__ import annotations

from typing import Any

from django.core import checks

from batchexec.conf import settings


@checks.register("batchexec")
def check_settings(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    return list(settings.check())
