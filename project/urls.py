"""The URLs of the whole site."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.renderers import OpenApiJsonRenderer2, OpenApiYamlRenderer2
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from project.api.urls import tolerant
from project.metrics import metrics

# JSON comes first, so it is the default: more programs read it than YAML.
schema = SpectacularAPIView.as_view(renderer_classes=[OpenApiJsonRenderer2, OpenApiYamlRenderer2])

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("posts.urls")),
    path("", include("comments.urls")),
    *tolerant("schema", schema, name="schema"),
    *tolerant("metrics", metrics, name="metrics"),
    *tolerant("docs", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
]
