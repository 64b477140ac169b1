"""Comments in Django's admin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from comments.models import Comment

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Comment]
else:  # at run time the class takes no parameter
    Base = admin.ModelAdmin


@admin.register(Comment)
class CommentAdmin(Base):
    list_display = ["name", "message", "post_id"]
    search_fields = ["name", "message"]
    # A menu of every post would be as long as the blog.
    raw_id_fields = ["post"]
