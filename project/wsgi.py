"""The WSGI application that a web server loads."""

import os

from django.core.wsgi import get_wsgi_application

from project.requests import WSGIRequest

# A web server runs in production unless you say otherwise. `manage.py` alone defaults
# to development.
os.environ.setdefault("DEBUG", "false")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

application = get_wsgi_application()
application.request_class = WSGIRequest
