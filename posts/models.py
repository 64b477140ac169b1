from django.db import models


class Post(models.Model):
    title = models.CharField(max_length=255)
    body = models.TextField(max_length=100_000, blank=True, default="")
    #: The key of the line that the post was imported from; unique, so that nothing is imported twice.
    import_key = models.CharField(max_length=255, unique=True, null=True, editable=False)

    class Meta:
        ordering = ["pk"]
        # For looking keys up: MongoDB's unique index leaves out what has none, and isn't used for that.
        indexes = [models.Index(fields=["import_key"], name="posts_post_import_key")]

    def __str__(self) -> str:
        return self.title
