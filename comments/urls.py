"""The URLs `/comments` and `/comments/<id>`."""

from comments.views import CommentViewSet
from project.api.urls import resource

urlpatterns = resource("comments", CommentViewSet)
