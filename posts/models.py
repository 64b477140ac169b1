"""The post."""

from django.db import models


class Post(models.Model):
    title = models.CharField(max_length=255)
    body = models.TextField(max_length=100_000, blank=True, default="")
    #: The key of the line that this post was imported from. It is unique, so that
    #: importing the line again adds nothing.
    import_key = models.CharField(max_length=255, unique=True, null=True, editable=False)

    class Meta:
        ordering = ["pk"]
        # MongoDB's unique index leaves out rows without a key, so it does not serve
        # look-ups. This one does.
        indexes = [models.Index(fields=["import_key"], name="posts_post_import_key")]

    def __str__(self) -> str:
        return self.title
