"""The database is chosen before Django's settings are read: they name it."""

import os

import django

import tests.database  # noqa: F401

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
# Now, because the conftest files of the folders below import models.
django.setup()
