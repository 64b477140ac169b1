import django.utils.timezone
from django.db import migrations, models

from jobs.store.migrating import primary_key


def text(length, **options):
    return models.CharField(blank=True, default="", max_length=length, **options)


def instant():
    return models.DateTimeField(blank=True, null=True)


class Migration(migrations.Migration):
    dependencies = [("batchexec", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="BatchExecutionRecord",
            fields=[
                ("id", primary_key()),
                ("job_id", models.CharField(max_length=64)),
                ("epoch", models.BigIntegerField()),
                ("name", text(255, help_text="Of the job.")),
                ("outcome", text(16, help_text="What the execution came to.")),
                (
                    "failure",
                    text(32, help_text="The class, if it ended without outcome."),
                ),
                ("batch_job_id", text(64)),
                ("job_name", models.CharField(help_text="In AWS Batch.", max_length=128)),
                ("job_queue", models.CharField(max_length=512)),
                ("job_definition", models.CharField(max_length=512)),
                ("status", text(16, help_text="As AWS Batch said last.")),
                ("status_reason", models.TextField(blank=True, default="")),
                (
                    "reason",
                    models.TextField(blank=True, default="", help_text="Of the container."),
                ),
                ("exit_code", models.IntegerField(blank=True, null=True)),
                ("log_stream", text(512)),
                (
                    "attempts",
                    models.IntegerField(default=0, help_text="Starts of its container."),
                ),
                ("vcpu", text(16)),
                ("memory", text(16, help_text="MiB.")),
                ("gpu", text(16)),
                ("submitted_at", instant()),
                ("started_at", instant()),
                ("stopped_at", instant()),
                ("recorded_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "verbose_name": "Batch execution",
                "indexes": [
                    models.Index(fields=["job_id"], name="batchexec_execution_job"),
                    models.Index(fields=["recorded_at"], name="batchexec_execution_age"),
                ],
            },
        ),
        # Another choice changes no column, whatever an old Django thinks.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="batchjob",
                    name="state",
                    field=models.CharField(
                        choices=[
                            ("submitting", "Submitting"),
                            ("submitted", "Submitted"),
                            ("unwanted", "Unwanted"),
                        ],
                        default="submitting",
                        max_length=16,
                    ),
                ),
            ]
        ),
    ]
