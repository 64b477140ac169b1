"""`/metrics` for Prometheus, where the settings want it."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse

import jobs.metrics


def metrics(request: HttpRequest) -> HttpResponse:
    """404 unless the setting METRICS is on, because queue names may be confidential."""
    if not settings.METRICS:
        raise Http404
    return jobs.metrics.view(request)
