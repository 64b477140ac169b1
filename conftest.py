"""The database is chosen before Django's settings are read: they name it."""

import os

from tests.database import pytest_unconfigure  # noqa: F401 (a hook)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

from django.conf import settings

settings.DATABASES  # noqa: B018 (read now, which tells pytest-django to set Django up)
