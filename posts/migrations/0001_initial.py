"""Creates the table of posts."""

from django.db import migrations, models

from jobs.store.migrating import primary_key, unique_where_given


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Post",
            fields=[
                ("id", primary_key()),
                ("title", models.CharField(max_length=255)),
                ("body", models.TextField(blank=True, default="", max_length=100000)),
                (
                    "import_key",
                    models.CharField(editable=False, max_length=255, null=True, unique=True),
                ),
            ],
            options={
                "ordering": ["pk"],
                "indexes": [models.Index(fields=["import_key"], name="posts_post_import_key")],
            },
        ),
        unique_where_given("posts.Post", "import_key"),
    ]
