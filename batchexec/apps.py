from django.apps import AppConfig


class BatchexecConfig(AppConfig):
    name = "batchexec"
    verbose_name = "Execution on AWS Batch"
