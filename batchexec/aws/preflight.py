"""Whether AWS Batch would take jobs with these settings, before any job is reserved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchexec.aws.answers import configuration_error
from batchexec.aws.errors import NotConfigured
from batchexec.aws.placement import misfit, share_missing
from batchexec.conf import settings
from batchexec.resources import Resources
from jobs.logs import get_logger

if TYPE_CHECKING:
    from batchexec.aws.catalogue import Catalogue

logger = get_logger(__name__)


def check_configuration(catalogue: Catalogue) -> None:
    """Raises NotConfigured if AWS Batch would refuse every job because of the settings.

    If AWS can't be reached just now, the worker may still start.
    """
    try:
        queue = catalogue.queue(settings.JOB_QUEUE)
        definition = catalogue.definition(settings.JOB_DEFINITION)
    except Exception as error:
        if text := configuration_error(error):
            raise NotConfigured(text) from error
        return
    if queue.problem:
        raise NotConfigured(f"{queue.problem} It is BATCHEXEC_JOB_QUEUE.")
    if definition.problem:
        raise NotConfigured(f"{definition.problem} It is BATCHEXEC_JOB_DEFINITION.")
    if text := misfit(queue, definition):
        raise NotConfigured(text)
    if text := share_missing(queue, Resources()):
        logger.warning("%s Others wait.", text)
    if queue.platform and queue.platform != settings.PLATFORM:
        message = "The job queue %s is of the platform %s, and BATCHEXEC['PLATFORM'] says %s: "
        message += "the queue's counts here, but `enqueue` refuses sizes by the setting."
        logger.warning(message, queue.name, queue.platform, settings.PLATFORM)
