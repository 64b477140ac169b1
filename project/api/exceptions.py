"""How the API answers errors: `{"detail": "a sentence"}`.

An invalid field is a 422 with `{"field": ["message"]}`.
"""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import UnreadablePostError
from rest_framework import status, views
from rest_framework.exceptions import APIException, ParseError, ValidationError
from rest_framework.response import Response

from project.health import is_unavailability

logger = logging.getLogger(__name__)


class Unprocessable(ValidationError):
    """Well-formed but not valid: 422 as in Rails, where REST framework says 400."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY


class TooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The body is too large."


class Unavailable(APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The database doesn't answer: try again later."


def handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """The response to `error`, or None for a bug, which Django answers with 500."""
    if isinstance(error, ValidationError):
        error = Unprocessable(error.detail)
    elif isinstance(error, RequestDataTooBig):
        error = TooLarge()
    elif isinstance(error, SuspiciousOperation):
        error = ParseError(f"{error}")
    elif isinstance(error, UnreadablePostError):
        error = ParseError("The body ended early.")
    elif is_unavailability(error):
        logger.exception("The database doesn't answer.")
        error = Unavailable()
    return views.exception_handler(error, context)
