from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("batchexec", "0002_executions")]

    operations = [
        migrations.AddField(
            model_name="batchhistory",
            name="setbacks",
            field=models.IntegerField(
                blank=True,
                help_text="What has spoken against its queues so far.",
                null=True,
            ),
        ),
    ]
