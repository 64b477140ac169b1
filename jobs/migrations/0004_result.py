from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0003_signature")]

    operations = [
        migrations.AddField(
            model_name="job",
            name="result",
            field=models.TextField(
                blank=True,
                default="",
                help_text="The errors, the workers and the return value of a job that keeps them, in JSON.",
            ),
        ),
    ]
