import django.utils.timezone
from django.db import migrations, models


def histogram(name):
    return [(f"{name}_{number:02}", models.IntegerField(default=0)) for number in range(21)]


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0003_signature"),
    ]

    operations = [
        migrations.CreateModel(
            name="Pause",
            fields=[
                (
                    "key",
                    models.CharField(
                        db_column="_id",
                        help_text="The kind and what is paused.",
                        max_length=300,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "kind",
                    models.CharField(choices=[("queue", "Queue"), ("name", "Name")], max_length=8),
                ),
                (
                    "value",
                    models.CharField(help_text="Of the job's queue or name.", max_length=255),
                ),
                ("since", models.DateTimeField(default=django.utils.timezone.now)),
                ("reason", models.CharField(blank=True, default="", max_length=255)),
            ],
        ),
        migrations.CreateModel(
            name="WorkerRecord",
            fields=[
                (
                    "name",
                    models.CharField(
                        db_column="_id", max_length=300, primary_key=True, serialize=False
                    ),
                ),
                ("host", models.CharField(max_length=255)),
                ("pid", models.BigIntegerField()),
                (
                    "queues",
                    models.TextField(
                        blank=True, default="", help_text="Separated by commas; empty: all queues."
                    ),
                ),
                ("slots", models.IntegerField(help_text="Jobs that it works on at once.")),
                ("in_hand", models.IntegerField(default=0, help_text="Jobs that it works on now.")),
                (
                    "hands_over",
                    models.BooleanField(
                        default=False, help_text="Whether it has jobs executed elsewhere (--batch)."
                    ),
                ),
                ("version", models.CharField(blank=True, default="", max_length=64)),
                ("lease", models.FloatField(help_text="Seconds that it may be silent.")),
                ("started_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "seen_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, help_text="Its last sign of life."
                    ),
                ),
            ],
            options={
                "verbose_name": "worker",
            },
        ),
        migrations.CreateModel(
            name="Activity",
            fields=[
                (
                    "key",
                    models.CharField(
                        db_column="_id", max_length=300, primary_key=True, serialize=False
                    ),
                ),
                ("minute", models.DateTimeField(help_text="Its beginning.")),
                ("queue", models.CharField(max_length=255)),
                ("name", models.CharField(help_text="The class of the jobs.", max_length=255)),
                ("performed", models.BigIntegerField(default=0, help_text="Jobs that succeeded.")),
                (
                    "failed",
                    models.BigIntegerField(default=0, help_text="Jobs that failed for good."),
                ),
                (
                    "retried",
                    models.BigIntegerField(
                        default=0, help_text="Failed attempts with others to come."
                    ),
                ),
                ("seconds_run", models.FloatField(default=0)),
                ("seconds_waited", models.FloatField(default=0)),
                *histogram("ran"),
                *histogram("waited"),
            ],
            options={
                "verbose_name_plural": "activity",
                "indexes": [models.Index(fields=["minute"], name="jobs_activity_minute")],
            },
        ),
        migrations.CreateModel(
            name="FailedAttempt",
            fields=[
                (
                    "key",
                    models.CharField(
                        db_column="_id",
                        help_text="The job and the epoch.",
                        max_length=300,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("job_model", models.CharField(max_length=255)),
                (
                    "job_id",
                    models.CharField(help_text="str() of the job's primary key.", max_length=64),
                ),
                ("epoch", models.BigIntegerField()),
                ("number", models.IntegerField(help_text="1 is the job's first attempt.")),
                (
                    "is_counted",
                    models.BooleanField(
                        default=True, help_text="Whether it cost the job an attempt."
                    ),
                ),
                (
                    "is_last",
                    models.BooleanField(
                        default=False, help_text="Whether the job failed for good."
                    ),
                ),
                ("queue", models.CharField(max_length=255)),
                ("name", models.CharField(help_text="The class of the job.", max_length=255)),
                ("summary", models.CharField(help_text="The error's first line.", max_length=255)),
                ("error", models.TextField(help_text="With its traceback.")),
                ("worker", models.CharField(blank=True, default="", max_length=255)),
                (
                    "runner",
                    models.CharField(
                        blank=True, default="", help_text="Who executed it.", max_length=255
                    ),
                ),
                (
                    "place",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="The Batch job, if it was one.",
                        max_length=128,
                    ),
                ),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("failed_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["job_id"], name="jobs_failedattempt_job"),
                    models.Index(fields=["failed_at"], name="jobs_failedattempt_when"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Progress",
            fields=[
                (
                    "key",
                    models.CharField(
                        db_column="_id",
                        help_text="The job.",
                        max_length=300,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("epoch", models.BigIntegerField()),
                ("done", models.FloatField()),
                ("total", models.FloatField(blank=True, null=True)),
                ("message", models.CharField(blank=True, default="", max_length=255)),
                ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "verbose_name_plural": "progress",
                "indexes": [models.Index(fields=["updated_at"], name="jobs_progress_age")],
            },
        ),
    ]
