"""The comment, and how comments of a deleted post are cleaned up."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db import models
from django.db.models.signals import post_delete
from django.dispatch import receiver

from posts.models import Post


class CommentManager(models.Manager["Comment"]):
    def delete_orphans(self, post_ids: Collection[Any]) -> set[Any]:
        """Deletes the comments of posts that no longer exist.

        MongoDB has no foreign keys, so a comment can be written while its post is
        being deleted. Call this after you write comments. Deleting a post deletes its
        comments a second time afterwards, so whichever of the two comes later finds
        what the other one did.

        `post_ids` are the primary keys of the posts to look at. Returns those of them
        whose post is gone.
        """
        existing = Post.objects.filter(pk__in=post_ids).values_list("pk", flat=True)
        gone = set(post_ids) - set(existing)
        if gone:
            self.filter(post__in=gone).delete()
        return gone


class Comment(models.Model):
    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="comments")
    post_id: Any  # the type of primary keys depends on the database
    name = models.CharField(max_length=255)
    message = models.TextField(max_length=10_000)
    #: Identifies an imported comment, as `Post.import_key` identifies a post.
    import_key = models.CharField(max_length=255, unique=True, null=True, editable=False)

    objects = CommentManager()

    class Meta:
        ordering = ["pk"]
        # MongoDB's unique index leaves out rows without a key, so it does not serve
        # look-ups. This one does.
        indexes = [models.Index(fields=["import_key"], name="comments_comment_import_key")]

    def __str__(self) -> str:
        return f"{self.name}: {self.message[:50]}"


@receiver(post_delete, sender=Post)
def delete_late_comments(instance: Post, **kwargs: Any) -> None:
    """Deletes the comments that were written after the cascade had looked for them."""
    Comment.objects.filter(post=instance.pk).delete()
