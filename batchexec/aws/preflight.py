from __future__ import annotations

from batchexec.aws.client import BatchClient, NotConfigured, configuration_error
from batchexec.conf import settings


def check_configuration(client: BatchClient) -> None:
    """Asks AWS Batch for the queue and the definition of the settings; NotConfigured where a job would be refused for them.

    That AWS can't be reached just now is no reason not to start.
    """
    try:
        client.check_queue(settings.JOB_QUEUE)
        client.pinned_definition(settings.JOB_DEFINITION)
    except NotConfigured:
        raise
    except Exception as error:
        if text := configuration_error(error):
            raise NotConfigured(text) from error
