"""Whether a queue, a definition and a job go together; before anything is submitted."""

from __future__ import annotations

import dataclasses

from batchexec.aws.definitions import EKS_PROPERTIES, Definition
from batchexec.aws.queues import Queue
from batchexec.conf import settings
from batchexec.limits import MOST_TAGS
from batchexec.resources import Resources
from batchexec.sizes import EC2, EKS, FARGATE


def platform_of(queue: Queue, definition: Definition) -> str:
    """Where a job runs there: as the queue says, else the definition, else PLATFORM."""
    if queue.platform:
        return queue.platform
    if definition.kind == EKS_PROPERTIES:
        return EKS
    if definition.capabilities in ((FARGATE,), (EC2,)):
        return definition.capabilities[0]
    return str(settings.PLATFORM)


def misfit(queue: Queue, definition: Definition) -> str:
    """Why no job can be submitted there, in a sentence; empty if one can."""
    if queue.problem or definition.problem:
        return queue.problem or definition.problem
    if queue.platform and (why := definition.misfit(queue.platform)):
        return (
            f"The job definition {definition.pinned!r} doesn't fit the job queue {queue.name!r} "
            f"({queue.platform}): {why}; name another of either."
        )
    return ""


def share_missing(queue: Queue, resources: Resources) -> str:
    """Why the job needs a share identifier there, in a sentence, or nothing."""
    if not queue.fair_share or resources.share_identifier or settings.SHARE_IDENTIFIER:
        return ""
    return (
        f"The job queue {queue.name!r} has a scheduling policy, so each job needs a share: "
        "give it Resources(share_identifier=…), or set BATCHEXEC_SHARE_IDENTIFIER."
    )


def fitted(resources: Resources, queue: Queue, definition: Definition) -> Resources:
    """What to ask of AWS Batch there, with the settings' and the definition's.

    Raises ValueError, in one sentence, if AWS Batch would refuse it.
    """
    share = resources.share_identifier
    if share and queue.fair_share is False:
        raise ValueError(
            f"Resources(share_identifier={share!r}): the job queue {queue.name!r} has no "
            "scheduling policy, and takes none."
        )
    tags = {*resources.tags, *definition.propagated_tags}
    if len(tags) > MOST_TAGS:
        raise ValueError(
            f"Resources(tags): with those that the job definition {definition.pinned!r} passes "
            f"on they are {len(tags)}, and AWS Batch takes {MOST_TAGS}."
        )
    if queue.fair_share is not False:
        share = share or settings.SHARE_IDENTIFIER or None
    sized = resources.fitted(platform_of(queue, definition), definition.sizes)
    return dataclasses.replace(sized, share_identifier=share)
