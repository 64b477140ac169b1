"""Whether AWS Batch has the queue and the definition that the settings name."""

from __future__ import annotations

from batchexec.aws.client import BatchClient, NotConfigured, configuration_error
from batchexec.conf import settings


def check_configuration(client: BatchClient) -> None:
    """Raises NotConfigured if AWS Batch would refuse every job because of the settings.

    If AWS can't be reached just now, the worker may still start.
    """
    try:
        client.check_queue(settings.JOB_QUEUE)
        client.pinned_definition(settings.JOB_DEFINITION)
    except NotConfigured:
        raise
    except Exception as error:
        if text := configuration_error(error):
            raise NotConfigured(text) from error
