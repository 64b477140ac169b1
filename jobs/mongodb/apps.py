"""Django's own apps with ObjectId primary keys; see `jobs.mongodb`."""

from django.contrib.admin.apps import AdminConfig as DjangoAdminConfig
from django.contrib.auth.apps import AuthConfig as DjangoAuthConfig
from django.contrib.contenttypes.apps import ContentTypesConfig as DjangoContentTypesConfig

from jobs.mongodb import DEFAULT_AUTO_FIELD


class AdminConfig(DjangoAdminConfig):
    default_auto_field = DEFAULT_AUTO_FIELD


class AuthConfig(DjangoAuthConfig):
    default_auto_field = DEFAULT_AUTO_FIELD


class ContentTypesConfig(DjangoContentTypesConfig):
    default_auto_field = DEFAULT_AUTO_FIELD
