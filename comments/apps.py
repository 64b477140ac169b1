"""The Django app `comments`."""

from django.apps import AppConfig


class CommentsConfig(AppConfig):
    name = "comments"
