"""Jobs in Django's admin: every job at a glance, and what an operator does to it.

Other apps add to a job's page through `links` and `sections`.
"""

from __future__ import annotations

from django.contrib import admin

from jobs.admin.detail import Link, Section, links, sections
from jobs.admin.job import JobAdmin
from jobs.admin.readonly import BoundedPaginator, ReadOnlyAdmin
from jobs.admin.shown import instant
from jobs.models import Job

__all__ = [
    "BoundedPaginator",
    "JobAdmin",
    "Link",
    "ReadOnlyAdmin",
    "Section",
    "instant",
    "links",
    "sections",
]

admin.site.register(Job, JobAdmin)
