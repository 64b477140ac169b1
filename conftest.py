"""Chooses the database of the tests before Django reads its settings, which name it."""

import os

import django

import tests.database  # noqa: F401

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
# Now, because the conftest.py files of the folders below import models.
django.setup()
