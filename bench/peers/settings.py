"""Settings that show a peer at its best; BENCH_PEER names its module.

Connections are kept, only warnings are logged, and no other app is installed.
"""

import os
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

url = urlsplit(os.environ["DATABASE_URL"])
database: dict[str, Any]
if url.scheme == "sqlite":
    # A path that begins with two slashes is absolute.
    path = url.path[1:] if url.path.startswith("//") else url.path
    database = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": f"{path}.{os.environ['BENCH_PEER']}",
        "OPTIONS": {"timeout": 30, "init_command": "PRAGMA journal_mode=WAL;"},
    }
else:
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": url.hostname,
        "PORT": url.port,
        "USER": url.username,
        "NAME": url.path.lstrip("/"),
    }

_settings: dict[str, Any] = import_module(f"bench.peers.{os.environ['BENCH_PEER']}").SETTINGS

DATABASES = {"default": {**database, "CONN_MAX_AGE": None}}
SECRET_KEY = "only-for-benchmarks"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGGING = {"version": 1, "root": {"level": "WARNING"}, "disable_existing_loggers": False}
globals().update(_settings)
