"""django-tasks-db at its best: connections are kept, nothing is logged, nothing else is installed."""

import os
from urllib.parse import urlsplit

url = urlsplit(os.environ["DATABASE_URL"])
if url.scheme == "sqlite":
    default = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": url.path[1:] + ".peer" if url.path.startswith("//") else url.path + ".peer",
        "OPTIONS": {"timeout": 30, "init_command": "PRAGMA journal_mode=WAL;"},
    }
else:
    names = {
        "HOST": url.hostname,
        "PORT": url.port,
        "USER": url.username,
        "NAME": url.path.lstrip("/"),
    }
    default = {"ENGINE": "django.db.backends.postgresql", **names}

DATABASES = {"default": {**default, "CONN_MAX_AGE": None}}
SECRET_KEY = "only-for-benchmarks"
USE_TZ = True
INSTALLED_APPS = ["django_tasks", "django_tasks_db"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
LOGGING = {"version": 1, "root": {"level": "WARNING"}, "disable_existing_loggers": False}
