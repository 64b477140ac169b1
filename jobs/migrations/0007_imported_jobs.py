import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0006_result"),
    ]

    operations = [
        migrations.CreateModel(
            name="ImportedJob",
            fields=[
                (
                    "key",
                    models.CharField(
                        db_column="_id",
                        help_text="Where it was, hashed.",
                        max_length=300,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "job_id",
                    models.CharField(default="", help_text="What it became.", max_length=64),
                ),
                ("done", models.BooleanField(default=False)),
                ("imported_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
    ]
