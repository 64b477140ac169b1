from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string


def primary_key() -> Any:
    """For migrations: the `id` field of the project's DEFAULT_AUTO_FIELD, ObjectId on MongoDB, an integer on SQL."""
    # Django before 3.2 has no such setting.
    cls = import_string(getattr(settings, "DEFAULT_AUTO_FIELD", "django.db.models.AutoField"))
    return cls(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")
