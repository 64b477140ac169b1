"""The URLs of the whole site."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from project.api.documents import SchemaView, docs
from project.api.urls import tolerant
from project.metrics import metrics

urlpatterns = [
    # Where "View site" of the admin leads.
    path("", RedirectView.as_view(pattern_name="docs")),
    path("admin/", admin.site.urls),
    path("", include("posts.urls")),
    path("", include("comments.urls")),
    *tolerant("schema", SchemaView.as_view(), name="schema"),
    *tolerant("metrics", metrics, name="metrics"),
    *tolerant("docs", docs, name="docs"),
]
