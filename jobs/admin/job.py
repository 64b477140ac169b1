"""Jobs in the admin: the list, a job's page, and the page of errors."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs import transitions
from jobs.admin import detail, errors, overview, shown
from jobs.admin.acting import Acts
from jobs.admin.changelist import JobChangeList, query_of
from jobs.admin.offers import BY_NAME
from jobs.admin.readonly import ReadOnlyAdmin
from jobs.admin.shown import instant
from jobs.compat import display
from jobs.models import FINISHED, AbstractJob, Job
from jobs.operator import elsewhere
from jobs.operator.filters import BadFilter, Filter


class JobAdmin(Acts, ReadOnlyAdmin):
    list_display = (
        "state_shown",
        "what",
        "why",
        "queue_shown",
        "priority",
        "tries",
        "when",
        "age",
        "holder",
    )
    list_display_links = None
    #: The bar of the page's own actions takes the place of Django's.
    actions = None
    change_list_template = "admin/jobs/job/change_list.html"
    change_form_template = "admin/jobs/job/change_form.html"
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "id",
                    "name",
                    "state",
                    "queue",
                    "priority",
                    "due",
                    "attempts",
                    "unique_key",
                )
            },
        ),
        (
            "Watched by",
            {
                "fields": ("locked_by", "locked"),
                "description": "The lock is a lease; “locked at” is when it was last renewed.",
            },
        ),
        ("Executed by", {"fields": ("runner", "started", "heartbeat", "handed_over", "epoch")}),
        ("History", {"fields": ("created", "updated", "failed", "finished", "error_key")}),
    )
    due, locked, started, heartbeat = (
        instant("run_at"),
        instant("locked_at"),
        instant("started_at"),
        instant("heartbeat_at"),
    )
    created, updated, failed, finished = map(
        instant, ("created_at", "updated_at", "failed_at", "finished_at")
    )

    @property
    def media(self) -> Any:
        # Without Django's script for its own actions, which expects their form.
        return forms.Media(css={"all": ["jobs/admin.css"]}, js=["jobs/admin.js"])

    # The list

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return JobChangeList

    def get_list_display(self, request: HttpRequest) -> Any:
        columns = super().get_list_display(request)
        return ("action_checkbox", *columns) if self.offers(request) else columns

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method == "POST":
            return self.act(request)
        response = super().changelist_view(request, extra_context)
        data = getattr(response, "context_data", None)
        if data is not None and "cl" in data:
            cl = data["cl"]
            data["title"] = "Jobs"
            data["offers"] = self.offers(request, cl.chosen) if cl.result_list else []
        return response

    @display(description="state", ordering="state")
    def state_shown(self, job: Job) -> SafeString:
        return shown.badge(job.state)

    @display(description="job", ordering="name")
    def what(self, job: Job) -> SafeString:
        return format_html(
            '<a class="job-name" href="{}/change/">{}</a><div class="job-payload">{}</div>',
            admin.utils.quote(job.pk),
            job.name or f"job {job.pk}",
            shown.payload_in_short(job),
        )

    @display(description="error")
    def why(self, job: Job) -> str:
        return shown.error_in_short(job) if job.last_error else ""

    @display(description="queue", ordering="queue")
    def queue_shown(self, job: Job) -> SafeString | str:
        try:
            address = query_of(Filter(queue=job.queue))
        except BadFilter:  # somebody wrote it
            return str(job.queue)
        return format_html('<a href="{}">{}</a>', address, job.queue)

    @display(description="attempts", ordering="attempts")
    def tries(self, job: Job) -> str:
        return shown.attempts_of(job)

    @display(description="when", ordering="run_at")
    def when(self, job: Any) -> SafeString | str:
        if not job.progress_shown:
            return shown.when(job)
        progress = '{}<div class="job-payload">{}</div>'
        return format_html(progress, shown.when(job), job.progress_shown)

    @display(description="enqueued", ordering="created_at")
    def age(self, job: Job) -> SafeString | str:
        return shown.ago(job.created_at)

    @display(description="held by", ordering="locked_by")
    def holder(self, job: Job) -> str:
        return job.locked_by or job.runner

    # A job's page

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context = dict(extra_context or {})
        if self.has_view_permission(request):
            job = self.get_object(request, admin.utils.unquote(object_id))
            if job is not None:
                context.update(detail.context(request, job))
                offers = self.offers(request)
                context["offers"] = [one for one in offers if job.state in one.states]
        return super().change_view(request, object_id, form_url, context)

    # The overview and the page of errors

    def get_urls(self) -> list[Any]:
        prefix = f"{self.opts.app_label}_{self.opts.model_name}"
        views = {"overview": self.overview_view, "errors": self.errors_view}
        own = [
            path(f"{name}/", self.admin_site.admin_view(view), name=f"{prefix}_{name}")
            for name, view in views.items()
        ]
        return [*own, *super().get_urls()]

    def overview_view(self, request: HttpRequest) -> HttpResponse:
        """The page, or what a refresh replaces of it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        found = {"opts": self.opts, **overview.context(request, self.model)}
        if request.GET.get("fragment"):
            return TemplateResponse(request, "admin/jobs/job/overview_parts.html", found)
        css: dict[str, Any] = {"all": ["jobs/admin.css", "jobs/overview.css"]}
        context = {
            **self.admin_site.each_context(request),
            "title": "Overview",
            "media": forms.Media(css=css, js=["jobs/overview.js"]),
            **found,
        }
        return TemplateResponse(request, "admin/jobs/job/overview.html", context)

    def errors_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        found, others = errors.groups(self.model)
        allowed = {offer.name for offer in self.offers(request)}
        context = {
            **self.admin_site.each_context(request),
            "title": "Errors",
            "opts": self.opts,
            "media": self.media,
            "groups": found,
            "others": others,
            "offers": [BY_NAME[name] for name in ("retry", "delete") if name in allowed],
        }
        return TemplateResponse(request, "admin/jobs/job/errors.html", context)

    # Deleting one by Django's own page

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if isinstance(obj, AbstractJob) and obj.state not in FINISHED:
            return False
        return admin.ModelAdmin.has_delete_permission(self, request, obj)

    def delete_model(self, request: HttpRequest, obj: Job) -> None:
        if elsewhere.to_be_deleted([obj.pk]):
            text = f"Job {obj.pk} may still be executed in {elsewhere.names()}: it is ended there."
            messages.warning(request, text)
        if not transitions.discard(obj):
            raise PermissionDenied  # it was retried meanwhile
