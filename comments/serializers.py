from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from rest_framework.exceptions import ValidationError

from comments.models import Comment
from posts.models import Post
from project.api.fields import ReferenceField
from project.api.serializers import ResourceSerializer


class CommentSerializer(ResourceSerializer):
    post_id = ReferenceField(source="post", queryset=Post.objects.all())

    class Meta:
        model = Comment
        fields = ["id", "post_id", "name", "message"]

    def create(self, validated_data: dict[str, Any]) -> Comment:
        return self._written(super().create, validated_data)

    def update(self, instance: Comment, validated_data: dict[str, Any]) -> Comment:
        return self._written(super().update, instance, validated_data)

    def _written(self, write: Any, *args: Any) -> Comment:
        """Invalid, and nothing is left behind, where the post was deleted after it had been validated."""
        try:
            with transaction.atomic():
                comment = write(*args)
        except IntegrityError:
            self._refuse()
        if Comment.objects.delete_orphans([comment.post_id]):
            self._refuse()
        return comment

    def _refuse(self) -> None:
        raise ValidationError(
            {"post_id": [ReferenceField.default_error_messages["does_not_exist"]]}
        )
