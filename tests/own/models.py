from django.db import models

from jobs.models import AbstractJob


class OwnJob(AbstractJob):
    tenant = models.CharField(max_length=20, default="")

    class Meta(AbstractJob.Meta):
        abstract = False
        app_label = "own"
