"""Creates the table of comments."""

import django.db.models.deletion
from django.db import migrations, models

from jobs.store.migrating import primary_key, unique_where_given


class Migration(migrations.Migration):
    initial = True

    dependencies = [("posts", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Comment",
            fields=[
                ("id", primary_key()),
                ("name", models.CharField(max_length=255)),
                ("message", models.TextField(max_length=10000)),
                (
                    "import_key",
                    models.CharField(editable=False, max_length=255, null=True, unique=True),
                ),
                (
                    "post",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="comments",
                        to="posts.post",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
                "indexes": [
                    models.Index(fields=["import_key"], name="comments_comment_import_key")
                ],
            },
        ),
        unique_where_given("comments.Comment", "import_key"),
    ]
