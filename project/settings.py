"""Django settings, read from the environment and from .env.

`.env.example` describes every variable.
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import django
from django.core.exceptions import ImproperlyConfigured

from batchexec.conf import settings as batchexec_options
from jobs import databases, mongodb
from jobs.conf import settings as jobs_options
from jobs.conf.strength import weakness
from jobs.mongodb.speed import NoLibrary
from project import folders
from project.databases import embedded_url, is_on_this_machine
from project.environment import Environment

BASE_DIR = Path(__file__).resolve().parent.parent

env = Environment()
env.read_file(BASE_DIR / ".env")

INSECURE_KEY = "insecure-development-key-never-use-it-where-anybody-else-can-connect"

DEBUG = env.bool("DEBUG", default=True)
SECRET_KEY = env.str("SECRET_KEY", default=INSECURE_KEY if DEBUG else "")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])


LOOPBACK_HOSTS = {"localhost", ".localhost", "127.0.0.1", "[::1]", "testserver"}
if DEBUG and not LOOPBACK_HOSTS.issuperset(ALLOWED_HOSTS):
    raise ImproperlyConfigured(
        "DEBUG is on while ALLOWED_HOSTS names hosts beyond this machine: set DEBUG=false."
    )
if not DEBUG:
    if weakness(SECRET_KEY):
        raise ImproperlyConfigured(
            "SECRET_KEY is missing, short or a development key: "
            "set it to 50 random characters, or DEBUG=true to develop."
        )
    if not ALLOWED_HOSTS:
        raise ImproperlyConfigured(
            "ALLOWED_HOSTS is empty: set it to the host names this site is served under."
        )
    if "*" in ALLOWED_HOSTS:
        raise ImproperlyConfigured(
            "ALLOWED_HOSTS is '*', which trusts any Host header: name the hosts."
        )

if DEBUG:
    folders.keep_private(BASE_DIR / "var")
if not DEBUG and not env.str("DATABASE_URL", default=""):
    raise ImproperlyConfigured("DATABASE_URL is not set: production has no embedded database.")
DATABASE_URL = env.str("DATABASE_URL", default="") or embedded_url(BASE_DIR)
DATABASES = {"default": databases.parse(DATABASE_URL)}
ON_MONGODB = DATABASES["default"]["ENGINE"] == "django_mongodb_backend"
ON_DJONGO = DATABASES["default"]["ENGINE"] == "djongo"

INSTALLED_APPS = [
    "project.apps.MongoAdminConfig" if ON_MONGODB else "project.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "project.apps.ProjectConfig",
    "jobs.apps.JobsConfig",
    "batchexec.apps.BatchexecConfig",
    "posts.apps.PostsConfig",
    "comments.apps.CommentsConfig",
]
# `@task` of Django, whoever wrote it, is a job of this queue: see docs/tasks.md. Before
# Django 6.0 that takes the package django-tasks.
HAVE_BACKPORT = django.VERSION < (6, 0) and find_spec("django_tasks") is not None
if HAVE_BACKPORT:
    INSTALLED_APPS.append("django_tasks")
if HAVE_BACKPORT or django.VERSION >= (6, 0):
    TASKS = {"default": {"BACKEND": "jobs.tasks.JobsBackend", "QUEUES": []}}
if ON_MONGODB:
    INSTALLED_APPS = mongodb.with_object_ids(INSTALLED_APPS)
    MIGRATION_MODULES = mongodb.MIGRATION_MODULES
    DEFAULT_AUTO_FIELD = mongodb.DEFAULT_AUTO_FIELD
    if sys.platform == "linux" and "django.contrib.gis" not in INSTALLED_APPS:
        GDAL_LIBRARY_PATH = NoLibrary()
elif ON_DJONGO:
    DEFAULT_AUTO_FIELD = "django.db.models.AutoField"  # the default of its Django version
else:
    DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

MIDDLEWARE = [
    "project.headers.SecurityHeaders",
    "project.requests.RefuseUnreadable",
    "project.health.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
DEFAULT_EXCEPTION_REPORTER_FILTER = "project.reports.ReporterFilter"
ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
ASGI_APPLICATION = "project.asgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
if DEBUG:
    # WhiteNoise warns if the folder is missing. In production, collectstatic makes it.
    STATIC_ROOT.mkdir(exist_ok=True)
if not DEBUG:
    WHITENOISE_STORAGE = "whitenoise.storage.CompressedManifestStaticFilesStorage"
    if django.VERSION >= (4, 2):
        STORAGES = {
            "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
            "staticfiles": {"BACKEND": WHITENOISE_STORAGE},
        }
    else:
        STATICFILES_STORAGE = WHITENOISE_STORAGE
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env.bool("SECURE_COOKIES", default=True)
    SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=False)
    SECURE_HSTS_SECONDS = env.whole_number("SECURE_HSTS_SECONDS", default=0)
    if env.bool("BEHIND_TLS_PROXY", default=False):
        SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_PARSER_CLASSES": [
        "project.api.parsers.JSONParser",
        "project.api.parsers.FormParser",
        "project.api.parsers.MultiPartParser",
    ],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "project.api.pagination.LinkPagination",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "project.api.exceptions.handler",
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Posts and comments",
    "DESCRIPTION": "The demo application whose work is done by delayed jobs.",
    "VERSION": "1.0.0",
    "COMPONENT_SPLIT_REQUEST": True,
    "PREPROCESSING_HOOKS": ["project.api.schema.without_tolerated_slashes"],
}

# Whether to serve /metrics, which tells Prometheus what is in the queues.
METRICS = env.bool("METRICS", default=DEBUG)

JOBS = jobs_options.from_environment(os.environ)
# These keys sign what workers execute, and everybody knows the development key.
KEYS = [SECRET_KEY, *SECRET_KEY_FALLBACKS, *(JOBS.get("SIGNING_KEYS") or [])]
if any(map(weakness, KEYS)) and not is_on_this_machine(DATABASE_URL):
    raise ImproperlyConfigured(
        "SECRET_KEY, or another key, is missing, short or a development key, but DATABASE_URL "
        "names a database beyond this machine: set it to 50 random characters."
    )
BATCHEXEC = batchexec_options.from_environment(os.environ)

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOG_LEVEL = env.choice("LOG_LEVEL", LEVELS, default="INFO")
LOG_FORMAT = env.choice("LOG_FORMAT", ("text", "json"), default="text")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"()": "jobs.logs.LineFormatter"},
        "json": {"()": "jobs.logs.JsonFormatter"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "jobs": {"level": LOG_LEVEL},
        "batchexec": {"level": LOG_LEVEL},
        "django": {"level": "WARNING"},
    },
}
