"""Django's own apps: with ObjectId primary keys on MongoDB, and none of them costs jobs time that they don't need."""

import gc
import sys

from django.apps import AppConfig
from django.contrib import admin
from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.auth.apps import AuthConfig
from django.contrib.contenttypes.apps import ContentTypesConfig
from django.db import connection

from project import mongodb

PERFORMS_JOBS = sys.argv[1:2] in (["runjob"], ["jobworker"])


class AdminConfig(SimpleAdminConfig):
    """Where jobs are performed, the apps' admin modules wait for one that asks for the site, as reverse("admin:index") does."""

    default_site = "project.apps.discovered_site"

    def ready(self) -> None:
        super().ready()
        if not PERFORMS_JOBS:
            discovered_site()


def discovered_site() -> admin.AdminSite:
    """Makes `admin.site`, with every model that is in the admin."""
    site = admin.AdminSite()
    admin.site._wrapped = site  # the modules register their models with it
    admin.autodiscover()
    return site


class MongoAdminConfig(AdminConfig):
    default_auto_field = "django_mongodb_backend.fields.ObjectIdAutoField"


class MongoAuthConfig(AuthConfig):
    default_auto_field = "django_mongodb_backend.fields.ObjectIdAutoField"


class MongoContentTypesConfig(ContentTypesConfig):
    default_auto_field = "django_mongodb_backend.fields.ObjectIdAutoField"


class ProjectConfig(AppConfig):
    """For the project's own commands, and for a quick start of all of them."""

    name = "project"

    def ready(self) -> None:
        if not gc.isenabled():  # manage.py's doing: what is loaded by now is there to stay
            gc.freeze()
            gc.enable()
        if PERFORMS_JOBS and connection.vendor == "mongodb":
            mongodb.leave_without_waiting()
