import django.utils.timezone
from django.db import migrations, models

from jobs.store.migrating import primary_key


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="BatchJob",
            fields=[
                ("id", primary_key()),
                (
                    "job_id",
                    models.CharField(
                        help_text="str() of the job's primary key.", max_length=64, unique=True
                    ),
                ),
                ("epoch", models.BigIntegerField()),
                ("job_name", models.CharField(max_length=128)),
                ("batch_job_id", models.CharField(blank=True, default="", max_length=64)),
                ("job_queue", models.CharField(max_length=512)),
                (
                    "job_definition",
                    models.CharField(help_text="With its revision, pinned.", max_length=512),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("submitting", "Submitting"), ("submitted", "Submitted")],
                        default="submitting",
                        max_length=16,
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        blank=True, default="", help_text="As AWS Batch said last.", max_length=16
                    ),
                ),
                ("status_reason", models.TextField(blank=True, default="")),
                ("log_stream", models.CharField(blank=True, default="", max_length=512)),
                (
                    "submitted_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now,
                        help_text="When the intent was committed, or last repeated.",
                    ),
                ),
                ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "verbose_name": "Batch job",
                "indexes": [models.Index(fields=["job_id"], name="batchexec_batchjob_job")],
            },
        ),
        migrations.CreateModel(
            name="BatchHistory",
            fields=[
                ("id", primary_key()),
                ("job_id", models.CharField(max_length=64, unique=True)),
                (
                    "infrastructure_failures",
                    models.IntegerField(default=0, help_text="Those that cost the job no attempt."),
                ),
                (
                    "memory",
                    models.IntegerField(
                        blank=True, help_text="MiB, after it ran out of memory.", null=True
                    ),
                ),
                ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "verbose_name_plural": "Batch histories",
                "indexes": [models.Index(fields=["job_id"], name="batchexec_history_job")],
            },
        ),
        migrations.CreateModel(
            name="Installation",
            fields=[
                ("id", primary_key()),
                ("key", models.CharField(default="installation", max_length=16, unique=True)),
                ("value", models.CharField(max_length=32)),
            ],
        ),
    ]
