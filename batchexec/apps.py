from django.apps import AppConfig


class BatchexecConfig(AppConfig):
    name = "batchexec"
    verbose_name = "Execution on AWS Batch"

    def ready(self) -> None:
        from batchexec import checks  # noqa: F401
        from batchexec.enqueueing import check_resources
        from batchexec.resources import Resources
        from jobs.payloads import codec
        from jobs.signals import enqueueing

        codec.register(
            "$resources", Resources, lambda value: codec.encode(vars(value)), lambda body: Resources(**codec.decode(body))
        )

        enqueueing.connect(check_resources, dispatch_uid="batchexec.check_resources")
