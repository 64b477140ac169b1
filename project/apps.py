"""The app configurations of the project and of Django's admin.

Processes that perform jobs load neither the admin nor anything else that only costs
them time.
"""

import gc
import sys
from typing import Any

from django.apps import AppConfig
from django.contrib import admin
from django.contrib.admin.apps import SimpleAdminConfig
from django.db import connection

from jobs.mongodb import DEFAULT_AUTO_FIELD, speed

PERFORMS_JOBS = sys.argv[1:2] in (["runjob"], ["jobworker"])


class AdminConfig(SimpleAdminConfig):
    """Loads the admin modules of the apps late in processes that perform jobs.

    There they are loaded only when something asks for the site, as
    `reverse("admin:index")` does.
    """

    default_site = "project.apps.discovered_site"

    def ready(self) -> None:
        super().ready()
        if not PERFORMS_JOBS:
            discovered_site()


def discovered_site() -> admin.AdminSite:
    """Makes `admin.site` and registers every model of the admin with it."""
    site = admin.AdminSite()
    # The admin modules register their models with `admin.site`, a lazy object. Setting
    # what it wraps keeps it from calling this function again.
    lazy: Any = admin.site
    lazy._wrapped = site
    admin.autodiscover()
    return site


class MongoAdminConfig(AdminConfig):
    default_auto_field = DEFAULT_AUTO_FIELD


class ProjectConfig(AppConfig):
    """Holds the project's own commands, and makes every command start quickly."""

    name = "project"

    def ready(self) -> None:
        # manage.py switched the collector off. All that is loaded by now is there to
        # stay, so the collector need not look at it.
        if not gc.isenabled():
            gc.freeze()
            gc.enable()
        if PERFORMS_JOBS and connection.vendor == "mongodb":
            speed.leave_without_waiting()
