from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db import models
from django.db.models.signals import post_delete
from django.dispatch import receiver

from posts.models import Post


class CommentManager(models.Manager["Comment"]):
    def delete_orphans(self, post_ids: Collection[Any]) -> set[Any]:
        """Deletes the comments of those of these posts that are gone, and returns the ids of such posts.

        MongoDB has no foreign keys. Whoever has written a comment asks this afterwards, and whoever has deleted a post
        deletes its comments once more afterwards: whichever of the two is later finds what the other one did.
        """
        gone = set(post_ids) - set(
            Post.objects.filter(pk__in=post_ids).values_list("pk", flat=True)
        )
        if gone:
            self.filter(post__in=gone).delete()
        return gone


class Comment(models.Model):
    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="comments")
    name = models.CharField(max_length=255)
    message = models.TextField(max_length=10_000)
    #: Like a post's.
    import_key = models.CharField(max_length=255, unique=True, null=True, editable=False)

    objects = CommentManager()

    class Meta:
        ordering = ["pk"]
        # For looking keys up: MongoDB's unique index leaves out what has none, and isn't used for that.
        indexes = [models.Index(fields=["import_key"], name="comments_comment_import_key")]

    def __str__(self) -> str:
        return f"{self.name}: {self.message[:50]}"


@receiver(post_delete, sender=Post)
def delete_late_comments(instance: Post, **kwargs: Any) -> None:
    """Those that were written after the cascade had looked for them."""
    Comment.objects.filter(post=instance.pk).delete()
