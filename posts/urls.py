"""The URLs `/posts` and `/posts/<id>`."""

from posts.views import PostViewSet
from project.api.urls import resource

urlpatterns = resource("posts", PostViewSet)
