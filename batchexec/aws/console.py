"""Addresses in AWS's console, made of what was stored: no call of AWS is needed.

Source: the addresses that the consoles of AWS Batch and CloudWatch themselves show.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from urllib.parse import quote

#: Where jobs log whose definition names no group. Source: AWS Batch.
DEFAULT_LOG_GROUP = "/aws/batch/job"

#: The console of a partition; those of other partitions are not known here.
_HOSTS = {
    "aws": "{region}.console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}
#: Regions of other partitions than `aws`, by how their names begin.
_BEGINNINGS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov", "us-iso": "", "eu-iso": "", "eusc-": ""}
_ARN = re.compile(r"arn:(aws[a-z-]*):batch:([a-z0-9-]+):\d{12}:")
_REGION = re.compile(r"[a-z]{2,5}(?:-[a-z]+)+-\d{1,2}")


class Console:
    """AWS's console for one region of one partition."""

    def __init__(self, host: str, region: str):
        self._home = f"https://{host}"
        self._region = region

    def job(self, batch_job_id: str) -> str:
        return self._batch(f"jobs/detail/{quote(batch_job_id, safe='')}")

    def queue(self, arn: str) -> str:
        return self._batch(f"queues/detail/{quote(arn, safe='')}")

    def definition(self, arn: str) -> str:
        return self._batch(f"job-definition/detail/{quote(arn, safe='')}")

    def log(self, stream: str, group: str = DEFAULT_LOG_GROUP) -> str:
        place = f"log-groups/log-group/{_twice(group)}/log-events/{_twice(stream)}"
        return f"{self._home}/cloudwatch/home?region={self._region}#logsV2:{place}"

    def _batch(self, place: str) -> str:
        return f"{self._home}/batch/home?region={self._region}#{place}"


def console_for(names: Iterable[str] = ()) -> Console | None:
    """The console of the region that one of the ARNs among `names` says, else of this
    process's region.

    None if neither says one, or for a partition whose console isn't known.
    """
    for name in names:
        if arn := _ARN.match(name):
            return _console(*arn.groups())
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
    found = (name for beginning, name in _BEGINNINGS.items() if region.startswith(beginning))
    return _console(next(found, "aws"), region)


def is_arn(name: str) -> bool:
    return _ARN.match(name) is not None


def _console(partition: str, region: str) -> Console | None:
    host = _HOSTS.get(partition)
    if host is None or not _REGION.fullmatch(region):
        return None
    return Console(host.format(region=region), region)


def _twice(name: str) -> str:
    """Encoded twice, as CloudWatch's console has it, with `$` for the percent sign."""
    return quote(quote(name, safe=""), safe="").replace("%", "$")
