from posts.models import Post
from project.api.serializers import ResourceSerializer


class PostSerializer(ResourceSerializer):
    class Meta:
        model = Post
        fields = ["id", "title", "body"]
        # So that a PUT without it replaces it, too.
        extra_kwargs = {"body": {"default": ""}}
