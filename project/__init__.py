"""The Django project: settings, URLs, and what the apps' HTTP APIs share."""
