"""Posts in Django's admin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from posts.models import Post

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Post]
else:  # at run time the class takes no parameter
    Base = admin.ModelAdmin


@admin.register(Post)
class PostAdmin(Base):
    list_display = ["title", "id"]
    search_fields = ["title"]
