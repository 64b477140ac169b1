"""Posts as the API reads and shows them."""

from posts.models import Post
from project.api.serializers import ResourceSerializer


class PostSerializer(ResourceSerializer[Post]):
    class Meta:
        model = Post
        fields = ["id", "title", "body"]
        # A PUT without a body empties the body.
        extra_kwargs = {"body": {"default": ""}}
