"""What is paused: a queue, or a class of jobs, is paused by adding a row here, and goes
on once that is deleted.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest

from jobs.admin.readonly import ReadOnlyAdmin
from jobs.models import Pause
from jobs.operator import pausing


class PauseForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Pause
        fields = ("kind", "value", "reason")
        # As it is given: "mail " is another queue than "mail".
        field_classes = {"value": partial(forms.CharField, strip=False)}
        labels = {"kind": "What", "value": "Name"}
        help_texts = {
            "value": "Of the queue; or of the class or delayed method, as the list of jobs has it.",
            "reason": "For others: why.",
        }

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or {}
        if "kind" in found and "value" in found:
            kind, value = found["kind"], found["value"]
            if any((one.kind, one.value) == (kind, value) for one in pausing.paused()):
                raise forms.ValidationError(f"The {kind} {value} is paused already.")
        return found


class PauseAdmin(ReadOnlyAdmin):
    form = PauseForm
    list_display = ("value", "kind", "since", "reason")
    ordering = ("kind", "value")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return admin.ModelAdmin.has_add_permission(self, request)

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return admin.ModelAdmin.has_delete_permission(self, request, obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        what = {obj.kind: obj.value}
        pausing.pause(**what, reason=obj.reason)
        if doubt := pausing.doubt(**what):
            messages.warning(request, doubt)
        obj.key = f"{obj.kind}:{obj.value}"  # for the admin's log

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        pausing.resume(**{obj.kind: obj.value})

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for obj in queryset:
            self.delete_model(request, obj)
