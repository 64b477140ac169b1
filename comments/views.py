"""The HTTP resource of comments."""

from comments.models import Comment
from comments.serializers import CommentSerializer
from project.api.views import ResourceViewSet


class CommentViewSet(ResourceViewSet):
    queryset = Comment.objects.all()
    serializer_class = CommentSerializer
    filters = {"post_id": "post"}
