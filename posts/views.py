"""The HTTP resource of posts."""

from posts.models import Post
from posts.serializers import PostSerializer
from project.api.views import ResourceViewSet


class PostViewSet(ResourceViewSet):
    queryset = Post.objects.all()
    serializer_class = PostSerializer
