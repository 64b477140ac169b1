from django.contrib import admin

from comments.models import Comment


@admin.register(Comment)
class CommentAdmin(admin.ModelAdmin):
    list_display = ["name", "message", "post_id"]
    search_fields = ["name", "message"]
    # A menu of every post would be as long as the blog.
    raw_id_fields = ["post"]
