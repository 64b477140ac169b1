"""Comments as the API reads and shows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from django.db import IntegrityError, transaction
from rest_framework.exceptions import ValidationError

from comments.models import Comment
from posts.models import Post
from project.api.fields import ReferenceField
from project.api.serializers import ResourceSerializer


class CommentSerializer(ResourceSerializer[Comment]):
    post_id = ReferenceField(source="post", queryset=Post.objects.all())

    class Meta:
        model = Comment
        fields = ["id", "post_id", "name", "message"]

    def create(self, validated_data: dict[str, Any]) -> Comment:
        return self._written(super().create, validated_data)

    def update(self, instance: Comment, validated_data: dict[str, Any]) -> Comment:
        return self._written(super().update, instance, validated_data)

    def _written(self, write: Callable[..., Comment], *arguments: Any) -> Comment:
        """Calls `write` and returns the comment that it wrote.

        If the post was deleted after it had been validated, the comment is removed and
        the request is invalid.
        """
        try:
            with transaction.atomic():
                comment = write(*arguments)
        except IntegrityError:
            _refuse()
        if Comment.objects.delete_orphans([comment.post_id]):
            _refuse()
        return comment


def _refuse() -> NoReturn:
    message = ReferenceField.default_error_messages["does_not_exist"]
    raise ValidationError({"post_id": [message]})
