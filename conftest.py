"""Chooses the tests' database, sets Django up and loads the tests' pytest plugin."""

import os

import django
import pytest

from tests import database

database.choose()
os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
# Now, because test modules and the conftest files below import models.
django.setup()
# The processes of `pytest -n` inherit the environment. With this variable,
# pytest-django would read their settings before they have chosen a database.
del os.environ["DJANGO_SETTINGS_MODULE"]

pytest_plugins = ["tests.fixtures", "tests.kept_logs"]


def pytest_configure(config: pytest.Config) -> None:
    database.serve(config)
