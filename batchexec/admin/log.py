"""The last lines of a container's log, on demand."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path

from jobs.admin import ReadOnlyAdmin
from jobs.operator.elsewhere import NoLog
from jobs.text import visible

LINES = 200


class WithLog(ReadOnlyAdmin):
    """For the admin of rows that have `batch_job_id` and `log_stream`."""

    def get_urls(self) -> list[Any]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_log"
        view = self.admin_site.admin_view(self.log_view)
        return [path("<path:object_id>/log/", view, name=name), *super().get_urls()]

    def log_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Plain text; 502 with a sentence if there is none."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        try:
            from batchexec.aws import logs
        except ImportError as error:
            return _text(str(error), 502)
        try:
            lines = logs.ContainerLog(row.batch_job_id, row.log_stream).read(LINES)
        except NoLog as error:
            return _text(str(error), 502)
        text = "\n".join(visible(line, keep="\t") for line in lines)
        return _text(text or "Nothing has been logged yet.")


def _text(text: str, status: int = 200) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
