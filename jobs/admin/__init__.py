"""Jobs in Django's admin: every job at a glance, and what an operator does to it.

Other apps add to a job's page through `links` and `sections`, and to the overview
through `panels`.
"""

from __future__ import annotations

from django.contrib import admin

from jobs.admin.detail import Link, Section, links, sections
from jobs.admin.job import JobAdmin
from jobs.admin.overview import Panel, panels
from jobs.admin.pauses import PauseAdmin
from jobs.admin.readonly import BoundedPaginator, ReadOnlyAdmin
from jobs.admin.shown import instant
from jobs.models import Job, Pause

__all__ = [
    "BoundedPaginator",
    "JobAdmin",
    "Link",
    "Panel",
    "ReadOnlyAdmin",
    "Section",
    "instant",
    "links",
    "panels",
    "sections",
]

admin.site.register(Job, JobAdmin)
admin.site.register(Pause, PauseAdmin)
# A page that extends Django's index with a link to the overview, unless the project has
# an index of its own.
if admin.site.index_template is None:
    admin.site.index_template = "admin/jobs/index.html"
