from django.apps import AppConfig


class OwnConfig(AppConfig):
    """An app with a job class of its own, as a user's project has it."""

    name = "tests.own"
    label = "own"
