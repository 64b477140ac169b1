"""Django's own apps on MongoDB: with ObjectId keys, which its backend wants everywhere.

For a settings file:

    INSTALLED_APPS = mongodb.with_object_ids(INSTALLED_APPS)
    MIGRATION_MODULES = mongodb.MIGRATION_MODULES
    DEFAULT_AUTO_FIELD = mongodb.DEFAULT_AUTO_FIELD

Imports nothing of MongoDB, because settings are read before it is known whether they
are valid.
"""

from __future__ import annotations

from collections.abc import Iterable

DEFAULT_AUTO_FIELD = "django_mongodb_backend.fields.ObjectIdAutoField"

#: The migrations that Django ships have integer keys.
MIGRATION_MODULES = {
    name: f"jobs.mongodb.migrations.{name}" for name in ("admin", "auth", "contenttypes")
}

APPS = {
    "django.contrib.admin": "jobs.mongodb.apps.AdminConfig",
    "django.contrib.admin.apps.AdminConfig": "jobs.mongodb.apps.AdminConfig",
    "django.contrib.auth": "jobs.mongodb.apps.AuthConfig",
    "django.contrib.auth.apps.AuthConfig": "jobs.mongodb.apps.AuthConfig",
    "django.contrib.contenttypes": "jobs.mongodb.apps.ContentTypesConfig",
    "django.contrib.contenttypes.apps.ContentTypesConfig": "jobs.mongodb.apps.ContentTypesConfig",
}


def with_object_ids(installed_apps: Iterable[str]) -> list[str]:
    """`installed_apps` with ObjectId keys for Django's admin, auth and content types.

    All other entries stay as they are.
    """
    return [APPS.get(app, app) for app in installed_apps]
