"""The ASGI application that a web server loads."""

import os

from django.core.asgi import get_asgi_application

from project.requests import ASGIRequest

# A web server runs in production unless you say otherwise. `manage.py` alone defaults
# to development.
os.environ.setdefault("DEBUG", "false")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

application = get_asgi_application()
application.request_class = ASGIRequest
